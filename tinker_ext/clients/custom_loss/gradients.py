"""Custom losses over the logprobs of the target tokens, computed in the client.

Servers run traced losses at most (`handle`). Any other loss takes two requests: `forward` returns
the logprobs; then, because the gradient of any loss L equals that of the linear loss
sum(dL/dlogprob * logprob), `forward_backward` with `cross_entropy` and weights of -dL/dlogprob
accumulates the same gradients.
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import evolve, frozen

from tinker_ext import types
from tinker_ext.errors import APIResponseValidationError, ConfigurationError, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import numpy.typing as npt
    import torch

    Array: TypeAlias = npt.NDArray[np.float32]

Arrays = Literal["torch", "numpy"]
TorchLoss: TypeAlias = (
    "Callable[[list[types.Datum], list[torch.Tensor]], tuple[torch.Tensor, dict[str, float]]]"
)
NumpyLoss: TypeAlias = (
    "Callable[[list[types.Datum], list[Array]], tuple[float, Sequence[Array], dict[str, float]]]"
)
CustomLoss: TypeAlias = "TorchLoss | NumpyLoss"


@frozen
class Gradients:
    """The result of a loss function: value, d loss / d logprobs per datum, metrics."""

    loss: float
    by_datum: Sequence[Any]
    metrics: Mapping[str, float]

    def surrogate_batch(self, data: Sequence[types.Datum]) -> list[types.Datum]:
        """Datums whose cross-entropy has the same gradients."""
        return [
            evolve(
                datum,
                loss_fn_inputs={
                    "target_tokens": datum.loss_fn_inputs["target_tokens"],
                    "weights": types.TensorData.from_torch_sparse(-gradient),
                },
            )
            for datum, gradient in zip(data, self.by_datum, strict=True)
        ]

    def merge_into(self, output: types.ForwardBackwardOutput) -> types.ForwardBackwardOutput:
        """The surrogate's result with the user's loss and metrics added."""
        metrics = dict(output.metrics)
        if "loss:sum" in metrics:
            metrics["surrogate_loss:sum"] = metrics.pop("loss:sum")
        return evolve(output, metrics={**metrics, "loss:sum": self.loss, **self.metrics})


def check_loss(loss_fn: object, arrays: Arrays) -> None:
    """Reject an invalid loss before the forward pass is sent."""
    if not callable(loss_fn):
        raise InvalidInputError(
            f"expected a function, got {type(loss_fn).__name__}; "
            "pass the name of a built-in loss to forward_backward",
            where="loss_fn",
        )
    if iscoroutinefunction(loss_fn) or iscoroutinefunction(type(loss_fn).__call__):
        raise InvalidInputError(
            "expected a function, got a coroutine function; define it without async",
            where="loss_fn",
        )
    if arrays not in ("torch", "numpy"):
        raise InvalidInputError(f"expected 'torch' or 'numpy', got {arrays!r}", where="arrays")
    if arrays == "torch":
        try:
            import torch as torch
        except ImportError:
            raise ConfigurationError(
                "a torch loss requires torch, which is not installed; install it, or pass "
                'arrays="numpy" and return (loss, gradients, metrics)',
                setting="arrays",
            ) from None


def forward_data(data: Sequence[types.Datum]) -> list[types.Datum]:
    """The datums for the forward pass: targets and weights (zeros if a datum has none)."""
    return [evolve(datum, loss_fn_inputs=_targets_and_weights(datum)) for datum in data]


def _targets_and_weights(datum: types.Datum) -> dict[str, types.TensorData]:
    targets = datum.loss_fn_inputs["target_tokens"]
    weights = datum.loss_fn_inputs.get("weights")
    if weights is None:
        import numpy as np

        zeros = np.zeros(targets.shape or [targets.size], dtype=np.float32)
        weights = types.TensorData.from_numpy(zeros)
        weights = weights.to_sparse() if targets.is_sparse else weights
    return {"target_tokens": targets, "weights": weights}


def run_loss(
    data: Sequence[types.Datum],
    output: types.ForwardBackwardOutput,
    loss_fn: CustomLoss,
    arrays: Arrays,
) -> Gradients:
    """Call the user's function on the logprobs of `output`."""
    logprobs = _logprobs(data, output)
    run: Callable[..., Gradients] = _run_torch if arrays == "torch" else _run_numpy
    gradients = run(list(data), logprobs, loss_fn)
    _check_gradients(gradients.by_datum, logprobs)
    return gradients


def _logprobs(data: Sequence[types.Datum], output: types.ForwardBackwardOutput) -> list[Array]:
    arrays = []
    for at, (datum, entry) in enumerate(zip(data, output.loss_fn_outputs, strict=True)):
        targets, logprobs = datum.loss_fn_inputs["target_tokens"], entry.get("logprobs")
        if logprobs is None or logprobs.dense_size != targets.dense_size:
            got = "none" if logprobs is None else f"{logprobs.dense_size}"
            raise APIResponseValidationError(
                f"loss_fn_outputs[{at}]['logprobs']: expected {targets.dense_size} logprobs, one "
                f"for each target token, got {got}",
                operation="forward",
            )
        arrays.append(logprobs.to_numpy().astype("float32").reshape(targets.shape or [-1]))
    return arrays


def _run_torch(data: list[types.Datum], logprobs: list[Array], loss_fn: Any) -> Gradients:
    import torch

    leaves = [torch.from_numpy(array).requires_grad_(True) for array in logprobs]
    loss, metrics = _returned(loss_fn(data, leaves), "loss", "metrics")
    scalar = isinstance(loss, torch.Tensor) and loss.numel() == 1 and not loss.is_complex()
    if not (scalar and loss.requires_grad):
        raise InvalidInputError(
            "the returned loss must be a real scalar tensor computed from the logprobs, "
            f"got {_describe_invalid(loss)}",
            where="loss_fn",
        )
    loss.backward()
    for index, leaf in enumerate(leaves):
        if leaf.grad is None:
            raise InvalidInputError(
                f"the loss does not depend on the logprobs of datum {index}; "
                "leave that datum out, or add 0 * logprobs.sum() to the loss",
                where=f"loss_fn, data[{index}]",
            )
    gradients = [leaf.grad.numpy() for leaf in leaves if leaf.grad is not None]
    return Gradients(float(loss.detach()), gradients, dict(metrics))


def _describe_invalid(loss: object) -> str:
    import torch

    if not isinstance(loss, torch.Tensor):
        return type(loss).__name__
    return "a tensor without gradient" if loss.numel() == 1 else f"shape {list(loss.shape)}"


def _run_numpy(data: list[types.Datum], logprobs: list[Array], loss_fn: Any) -> Gradients:
    returned = loss_fn(data, logprobs)
    loss, gradients, metrics = _returned(returned, "loss", "gradients", "metrics")
    value = _loss_value(loss)
    try:
        iter(gradients)
    except TypeError:
        raise InvalidInputError(
            f"expected a list of arrays, got {type(gradients).__name__}",
            where="loss_fn, gradients",
        ) from None
    arrays = [_gradient_array(gradient, index) for index, gradient in enumerate(gradients)]
    return Gradients(value, arrays, dict(metrics))


def _loss_value(loss: Any) -> float:
    import numpy as np

    try:
        if isinstance(loss, str | bytes | bytearray) or np.iscomplexobj(loss):
            raise TypeError
        return float(loss)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise InvalidInputError(
            f"expected a real number that fits in a float, got {type(loss).__name__}",
            where="loss_fn, loss",
        ) from None


def _gradient_array(gradient: Any, index: int) -> Array:
    import numpy as np

    try:
        array = np.asarray(gradient)
        if array.dtype.kind in "cSU":
            raise TypeError
        with np.errstate(over="ignore"):  # `_check_gradients` rejects infinite values.
            return array.astype(np.float32)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise InvalidInputError(
            f"expected an array of real numbers, got {type(gradient).__name__}",
            where=f"loss_fn, gradient of data[{index}]",
        ) from None


def _returned(value: Any, *parts: str) -> tuple[Any, ...]:
    """The values that the user's function returned, checked for their number; metrics are last."""
    complete = isinstance(value, tuple | list) and len(value) == len(parts)
    if complete and isinstance(value[-1], Mapping):
        return tuple(value)
    got = type(value).__name__
    if isinstance(value, tuple | list):
        got = f"({', '.join(type(part).__name__ for part in value)})"
    raise InvalidInputError(
        f"expected the function to return ({', '.join(parts)}), got {got}", where="loss_fn"
    )


def _check_gradients(gradients: Sequence[Array], logprobs: Sequence[Array]) -> None:
    import numpy as np

    if len(gradients) != len(logprobs):
        raise InvalidInputError(
            f"expected {len(logprobs)} gradients, one for each datum, got {len(gradients)}",
            where="loss_fn",
        )
    for index, (gradient, expected) in enumerate(zip(gradients, logprobs, strict=True)):
        where = f"loss_fn, gradient of data[{index}]"
        if gradient.shape != expected.shape:
            raise InvalidInputError(
                f"expected the shape of the logprobs, {list(expected.shape)}, "
                f"got {list(gradient.shape)}",
                where=where,
            )
        if not np.isfinite(gradient).all():
            raise InvalidInputError("expected finite values, got infinity or NaN", where=where)
