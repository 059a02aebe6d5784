"""Combines the outputs of the chunks of a batch into the output of the batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from attrs import frozen

from tinker_ext.rules.metrics import reduce_metrics

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class ChunkOutput(Protocol[T_co]):
    """The output of a chunk, such as `tinker_ext.types.ForwardBackwardOutput`."""

    @property
    def loss_fn_output_type(self) -> str | None: ...
    @property
    def loss_fn_outputs(self) -> Sequence[T_co]: ...
    @property
    def metrics(self) -> Mapping[str, float]: ...


@frozen
class CombinedOutput(Generic[T]):
    """The output of a batch: one entry of `loss_fn_outputs` per datum, in their order."""

    loss_fn_output_type: str | None
    loss_fn_outputs: list[T]
    metrics: dict[str, float]


def combine_outputs(
    parts: Sequence[ChunkOutput[T]], *, datum_counts: Sequence[int] | None = None
) -> CombinedOutput[T]:
    """Combines the outputs of chunks, in the order of the chunks.

    The type is that of the first part with one. Metrics are weighted by the number of outputs; if
    a part has none, since a server may omit them, by its entry in `datum_counts`. Without parts the
    output is empty. Raises ValueError if `datum_counts` and `parts` differ in length.
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
