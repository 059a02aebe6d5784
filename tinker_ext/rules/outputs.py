"""Combines the outputs of the chunks of a batch into the output of the batch.

A metric's key is ``name:reduction``; the reduction is the text after the last colon, if it is in
`REDUCTIONS`. A chunk's weight is the number of its outputs.

===================  ===========================================================================
``mean``             weighted mean
``sum min max``      unweighted
``slack``            the largest value minus the weighted mean
``unique``           the first part's value under the key, further values under ``key_1``,
                     ``key_2``, ...
``hash_unordered``   the hash of 0.4.1, see `tinker_ext.rules.hashing`
``hash2``            the hash of 0.38.0, see there
none or unknown      the value if all parts agree, otherwise the weighted mean
===================  ===========================================================================

The official client raises or drops a metric in some cases; here:

- A key of any part is reduced over the parts that have it, not only a key of the first part;
  ``_i`` of ``unique`` counts only those parts. Keys keep their order of first appearance.
- A key without a colon, with several colons, or with an unknown reduction is kept as in the table.
- Weights that are all zero count as equal. If only some are zero, their parts are ignored in a
  mean, even if a value is NaN.
- ``unique`` overwrites nothing: if ``key_1`` is another metric, the next free number is used.
- NaN and infinities follow IEEE 754: a NaN makes ``mean``, ``sum``, ``min``, ``max`` and
  ``slack`` NaN. A hash over a NaN or an infinity is NaN.
- A single part is reduced too: its ``slack`` is 0, and its hashes are hashed.
- A value that is not a number (null, text) counts as missing.

Values, including integers, are first converted to 64-bit floats, as in both official clients. The
hashes are exact integers (0.4.1 then rounds its hash to a float).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from attrs import frozen

from tinker_ext.rules.hashing import hash2, hash_unordered

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Values = Sequence[float]
Weights = Sequence[int]


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
    output_type: str | None = None
    outputs: list[T] = []
    weighted = []
    for part, count in zip(parts, counts, strict=True):
        output_type = output_type or part.loss_fn_output_type
        outputs += part.loss_fn_outputs
        weighted.append((part.metrics, len(part.loss_fn_outputs) or count))
    return CombinedOutput(output_type or None, outputs, reduce_metrics(weighted))


def reduce_metrics(parts: Sequence[tuple[Mapping[str, float], int]]) -> dict[str, float]:
    """Reduces the metrics of `parts`, pairs of metrics and weight, as the module describes.

    Raises ValueError if a weight is negative.
    """
    keys: dict[str, None] = {}
    for metrics, weight in parts:
        if weight < 0:
            raise ValueError("the weight of a part, its number of outputs, cannot be negative")
        keys.update(dict.fromkeys(metrics))
    reduced: dict[str, float] = {}
    further: dict[str, list[float]] = {}
    for key in keys:
        values, weights = [], []
        for metrics, weight in parts:
            if (value := _as_float(metrics.get(key))) is not None:
                values.append(value)
                weights.append(weight)
        if not values:
            continue
        reduction = reduction_of(key)
        if reduction == "unique":
            reduced[key], *further[key] = values
        else:
            reduced[key] = _REDUCERS[reduction or "mean"](values, weights)
    for key, values in further.items():
        _add_numbered(reduced, key, values)
    return reduced


def reduction_of(key: str) -> str | None:
    """Returns the reduction named by a metric's key, None if it names none or an unknown one."""
    _, colon, suffix = key.rpartition(":")
    return suffix if colon and suffix in REDUCTIONS else None


def _as_float(value: object) -> float | None:
    if not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:  # an integer out of range of a float
        return math.inf if value > 0 else -math.inf


def _add_numbered(reduced: dict[str, float], key: str, values: Values) -> None:
    number = 0
    for value in values:
        number += 1
        while f"{key}_{number}" in reduced:
            number += 1
        reduced[f"{key}_{number}"] = value


def _mean(values: Values, weights: Weights) -> float:
    """The weighted mean, which lies between its values and equals them if they are equal."""
    total = sum(weights)
    shares = [weight / total if total else 1.0 / len(weights) for weight in weights]
    counted = [(value, share) for value, share in zip(values, shares, strict=True) if share]
    mean = sum(value * share for value, share in counted)
    if not all(math.isfinite(value) for value, _ in counted):
        return mean
    # Rounding could move the mean past its values by a unit in the last place.
    return min(max(mean, min(counted)[0]), max(counted)[0])


def _slack(values: Values, weights: Weights) -> float:
    return _max(values) - _mean(values, weights)


def _min(values: Values) -> float:
    return math.nan if any(math.isnan(value) for value in values) else min(values)


def _max(values: Values) -> float:
    return math.nan if any(math.isnan(value) for value in values) else max(values)


def _hashed(function: Callable[[Iterable[float]], int], values: Values) -> float:
    return function(values) if all(math.isfinite(value) for value in values) else math.nan


_REDUCERS: Mapping[str, Callable[[Values, Weights], float]] = {
    "mean": _mean,
    "sum": lambda values, _: sum(values),
    "min": lambda values, _: _min(values),
    "max": lambda values, _: _max(values),
    "slack": _slack,
    "hash_unordered": lambda values, _: _hashed(hash_unordered, values),
    "hash2": lambda values, _: _hashed(hash2, values),
}
#: The known reductions.
REDUCTIONS = frozenset({*_REDUCERS, "unique"})
