"""Handles of traced losses, which run on the server or in the client."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import field, frozen

from tinker_ext.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch
    import torch.fx

    from tinker_ext import types

#: A loss of one datum: takes its logprobs, then the inputs it reads; returns a scalar tensor and
#: metrics, also scalar tensors, named ``custom/<name>:sum`` or ``custom/<name>:mean``.
PerDatumLossFn: TypeAlias = "Callable[..., tuple[torch.Tensor, Mapping[str, torch.Tensor]]]"


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
