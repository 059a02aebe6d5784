"""Custom losses over the logprobs of the target tokens, computed in the client or by the server.

Servers run traced losses at most (`LossHandle`). Any other loss takes two requests: `forward`
returns the logprobs; then, because the gradient of any loss L equals that of the linear loss
sum(dL/dlogprob * logprob), `forward_backward` with `cross_entropy` and weights of -dL/dlogprob
accumulates the same gradients.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import evolve, field, frozen

from tinker_ext import types
from tinker_ext.errors import APIResponseValidationError, ConfigurationError, InvalidInputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch
    import torch.fx

    Array: TypeAlias = npt.NDArray[np.float32]

Arrays = Literal["torch", "numpy"]
TorchLoss: TypeAlias = (
    "Callable[[list[types.Datum], list[torch.Tensor]], tuple[torch.Tensor, dict[str, float]]]"
)
NumpyLoss: TypeAlias = (
    "Callable[[list[types.Datum], list[Array]], tuple[float, Sequence[Array], dict[str, float]]]"
)
CustomLoss: TypeAlias = "TorchLoss | NumpyLoss"
#: A loss of one datum: takes its logprobs, then the inputs it reads; returns a scalar tensor and
#: metrics, also scalar tensors, named ``custom/<name>:sum`` or ``custom/<name>:mean``.
PerDatumLossFn: TypeAlias = "Callable[..., tuple[torch.Tensor, Mapping[str, torch.Tensor]]]"


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
            f"expected a list of arrays, got {type(gradients).__name__}", where="loss_fn, gradients"
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


@frozen
class LossHandle:
    """A loss created by `ServiceClient.create_custom_loss`, for `forward_backward_custom`.

    `inputs` are its parameters, in order; `graph` is the traced loss, a `torch.fx.GraphModule`.
    `loss_id` is the server's id of it, None if it runs in the client. It belongs to the session
    that created it.
    """

    name: str
    inputs: tuple[types.CustomLossInput, ...]
    session_id: str
    graph: torch.fx.GraphModule = field(repr=False, eq=False)
    loss_id: str | None = None

    @property
    def key(self) -> str:
        """A hash that is equal for losses with equal inputs and equal code."""
        inputs = [f"{parameter.name}:{parameter.rank}" for parameter in self.inputs]
        return hashlib.sha256("\n".join((*inputs, self.graph.code)).encode()).hexdigest()

    @property
    def input_names(self) -> tuple[str, ...]:
        """The keys of ``loss_fn_inputs`` that it reads, in order."""
        return tuple(parameter.name for parameter in self.inputs[1:])

    def check_data(self, data: Sequence[types.Datum]) -> None:
        """Reject data that lacks an input of the loss, or has it with another number of dimensions.

        Raises:
            InvalidInputError: naming the datum and the input.
        """
        # The logprobs are shaped like the targets.
        keys = ("target_tokens", *self.input_names)
        for at, datum in enumerate(data):
            for key, parameter in zip(keys, self.inputs, strict=True):
                where = f"data[{at}].loss_fn_inputs"
                tensor = datum.loss_fn_inputs.get(key)
                if tensor is None:
                    raise InvalidInputError(
                        f"the loss {self.name} reads {key!r}, which is missing", where=where
                    )
                rank = 1 if tensor.shape is None else len(tensor.shape)
                if rank != parameter.rank:
                    plural = "" if parameter.rank == 1 else "s"
                    raise InvalidInputError(
                        f"expected {parameter.rank} dimension{plural}, as the loss {self.name} "
                        f"declares for {parameter.name}, got {rank}",
                        where=f"{where}[{key!r}]",
                    )

    def __call__(
        self, data: Sequence[types.Datum], logprobs: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """The sum of the losses of all datums; metrics are summed or averaged over the datums.

        Raises:
            InvalidInputError: the loss or a metric is not one number in a tensor.
        """
        import torch

        losses: list[Any] = []
        sums: dict[str, float] = {}
        for datum, datum_logprobs in zip(data, logprobs, strict=True):
            inputs = [datum.loss_fn_inputs[name].to_torch() for name in self.input_names]
            loss, metrics = self.graph(datum_logprobs, *inputs)
            if not isinstance(loss, torch.Tensor) or loss.ndim:
                raise _not_scalar(f"the loss {self.name}", loss)
            losses.append(loss)
            for name, value in metrics.items():
                if not isinstance(value, torch.Tensor) or value.numel() != 1:
                    raise _not_scalar(f"the metric {name} of the loss {self.name}", value)
                sums[name] = sums.get(name, 0.0) + float(value.detach())
        means = {
            name: total / len(data) if name.endswith(":mean") else total
            for name, total in sums.items()
        }
        return sum(losses), means


def _not_scalar(name: str, value: object) -> InvalidInputError:
    got = f"shape {list(value.shape)}" if hasattr(value, "shape") else repr(value)
    return InvalidInputError(f"{name} must be a scalar tensor, got {got}", where="loss_fn")
