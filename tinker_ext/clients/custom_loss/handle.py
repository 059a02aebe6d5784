"""Losses that were traced: where they run, on the server or here, and on what data."""

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

#: A loss of one datum: its logprobs, then the inputs it reads; gives a scalar tensor and metrics,
#: scalar tensors too, named ``custom/<name>:sum`` or ``custom/<name>:mean``.
PerDatumLossFn: TypeAlias = "Callable[..., tuple[torch.Tensor, Mapping[str, torch.Tensor]]]"


@frozen
class LossHandle:
    """A loss made by `ServiceClient.create_custom_loss`, for `forward_backward_custom`.

    `inputs` are what it takes, in order; `graph` is the traced loss, a `torch.fx.GraphModule`.
    `loss_id` is the server's name for it, None where it runs here. It belongs to the session in
    which it was made.
    """

    name: str
    inputs: tuple[types.CustomLossInput, ...]
    session_id: str
    graph: torch.fx.GraphModule = field(repr=False, eq=False)
    loss_id: str | None = None

    @property
    def key(self) -> str:
        """The same for losses that compute the same from the same inputs."""
        told = [f"{one.name}:{one.rank}" for one in self.inputs]
        return hashlib.sha256("\n".join((*told, self.graph.code)).encode()).hexdigest()

    @property
    def input_names(self) -> tuple[str, ...]:
        """The keys of ``loss_fn_inputs`` that it reads, in order."""
        return tuple(one.name for one in self.inputs[1:])

    def check_data(self, data: Sequence[types.Datum]) -> None:
        """Refuse data that lacks what the loss reads, or has it in other dimensions.

        Raises:
            InvalidInputError: naming the datum and the input.
        """
        # The logprobs are shaped like the targets.
        keys = ("target_tokens", *self.input_names)
        for at, datum in enumerate(data):
            for key, wanted in zip(keys, self.inputs, strict=True):
                where = f"data[{at}].loss_fn_inputs"
                tensor = datum.loss_fn_inputs.get(key)
                if tensor is None:
                    raise InvalidInputError(f"the loss {self.name} reads {key!r}", where=where)
                rank = 1 if tensor.shape is None else len(tensor.shape)
                if rank != wanted.rank:
                    raise InvalidInputError(
                        f"the loss {self.name} was made for {wanted.name} of {wanted.rank} "
                        f"dimensions, this has {rank}",
                        where=f"{where}[{key!r}]",
                    )

    def __call__(
        self, data: Sequence[types.Datum], logprobs: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """The losses of all datums together; their metrics added up, or averaged over them.

        Raises:
            InvalidInputError: the loss or a metric is not one number in a tensor.
        """
        import torch

        losses: list[Any] = []
        sums: dict[str, float] = {}
        for datum, one in zip(data, logprobs, strict=True):
            given = [datum.loss_fn_inputs[name].to_torch() for name in self.input_names]
            loss, metrics = self.graph(one, *given)
            if not isinstance(loss, torch.Tensor) or loss.ndim:
                raise _not_one_number(f"the loss {self.name}", loss)
            losses.append(loss)
            for name, value in metrics.items():
                if not isinstance(value, torch.Tensor) or value.numel() != 1:
                    raise _not_one_number(f"the metric {name} of the loss {self.name}", value)
                sums[name] = sums.get(name, 0.0) + float(value.detach())
        means = {
            name: total / len(data) if name.endswith(":mean") else total
            for name, total in sums.items()
        }
        return sum(losses), means


def _not_one_number(what: str, value: object) -> InvalidInputError:
    got = f"shape {list(value.shape)}" if hasattr(value, "shape") else repr(value)
    return InvalidInputError(f"{what} must be a tensor of one number, got {got}", where="loss_fn")
