"""How the outputs of the chunks of one batch become the output of the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from attrs import frozen

from tinker_ext.rules.metrics import reduce_metrics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class ChunkOutput(Protocol[T_co]):
    """The output of one chunk, as `tinker_ext.types.ForwardBackwardOutput` is one."""

    @property
    def loss_fn_output_type(self) -> str | None: ...
    @property
    def loss_fn_outputs(self) -> Sequence[T_co]: ...
    @property
    def metrics(self) -> Mapping[str, float]: ...


@frozen
class CombinedOutput(Generic[T]):
    """The output of a whole batch: one entry of `loss_fn_outputs` per datum, in their order."""

    loss_fn_output_type: str | None
    loss_fn_outputs: list[T]
    metrics: dict[str, float]


def combine_outputs(
    parts: Sequence[ChunkOutput[T]], *, datum_counts: Sequence[int] | None = None
) -> CombinedOutput[T]:
    """Combine the outputs of chunks, given in the order of the chunks.

    The type is that of the first part that has one. The metrics are reduced with the number of
    outputs as weights; a part without outputs weighs as many as the datums sent in it, where
    `datum_counts` tells (a server may leave the outputs out). No parts make an empty output.
    Raises ValueError if `datum_counts` has another length than `parts`.
    """
    counts = datum_counts if datum_counts is not None else [0] * len(parts)
    weighted = [
        (part.metrics, len(part.loss_fn_outputs) or count)
        for part, count in zip(parts, counts, strict=True)
    ]
    return CombinedOutput(
        loss_fn_output_type=next(
            (part.loss_fn_output_type for part in parts if part.loss_fn_output_type), None
        ),
        loss_fn_outputs=[output for part in parts for output in part.loss_fn_outputs],
        metrics=reduce_metrics(weighted),
    )
