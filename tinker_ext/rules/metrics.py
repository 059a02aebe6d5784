"""How the metrics of several requests become those of one.

A metric's key is ``name:reduction``; the reduction is what follows the last colon, if that is
one of `REDUCTIONS`. A part's weight is the number of its outputs.

===================  ===========================================================================
``mean``             weighted mean
``sum min max``      plain
``slack``            the largest value less the weighted mean
``unique``           the first part's value under the key, those of the further parts under
                     ``key_1``, ``key_2``, ...
``hash_unordered``   0.4.1's number, see `tinker_ext.rules.hashing`
``hash2``            0.38.0's number, likewise
none or unknown      the value, if all parts agree; else the weighted mean; under the same key
===================  ===========================================================================

Where the official client raises or drops a metric, this is what happens here:

- A key of any part counts, not only the first part's; it is reduced over the parts that have it,
  ``_i`` of ``unique`` counting only those. Keys come out in order of first appearance.
- A key without a colon, with several, or with a reduction from the future is kept, as tabled;
  of a single part always with its value.
- Weights that are all zero count as equal. When only some are, their parts count nothing in a
  mean, not even with a NaN.
- ``unique`` overwrites nothing: where ``key_1`` is a metric of its own, the next free number is
  used.
- NaN and infinities follow IEEE 754: a NaN makes ``mean``, ``sum``, ``min``, ``max`` and
  ``slack`` NaN. A hash over a NaN or an infinity is NaN.
- A single part is reduced like several: ``slack`` of one part is 0, and a hash is hashed.
- A value that is not a number (null, text) counts as missing in its part.

Values are taken as 64-bit floats before anything else, integers too, as both official clients
do; the hashes come back as exact integers (0.4.1 then shows its one rounded to a float).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from tinker_ext.rules.hashing import hash2, hash_unordered

Values = Sequence[float]
Weights = Sequence[int]


def reduce_metrics(parts: Sequence[tuple[Mapping[str, float], int]]) -> dict[str, float]:
    """Reduce the metrics of `parts`, pairs of metrics and weight, as the module's text tells.

    No parts make no metrics. Raises ValueError for a negative weight.
    """
    if any(weight < 0 for _, weight in parts):
        raise ValueError("a part's weight is the number of its outputs; it cannot be negative")
    reduced: dict[str, float] = {}
    further: dict[str, Values] = {}
    for key in dict.fromkeys(key for metrics, _ in parts for key in metrics):
        found = [(_as_float(metrics.get(key)), weight) for metrics, weight in parts]
        values = [value for value, _ in found if value is not None]
        weights = [weight for value, weight in found if value is not None]
        if not values:
            continue
        if reduction_of(key) == "unique":
            reduced[key] = values[0]
            further[key] = values[1:]
        else:
            reduced[key] = _reduce(reduction_of(key), values, weights)
    for key, rest in further.items():
        _add_numbered(reduced, key, rest)
    return reduced


def reduction_of(key: str) -> str | None:
    """The known reduction that a metric's key names, else None."""
    _, colon, suffix = key.rpartition(":")
    return suffix if colon and suffix in REDUCTIONS else None


def _as_float(value: object) -> float | None:
    if not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:  # an integer beyond the floats
        return math.inf if value > 0 else -math.inf


def _reduce(reduction: str | None, values: Values, weights: Weights) -> float:
    if reduction is None:
        return _mean(values, weights)
    return _REDUCERS[reduction](values, weights)


def _add_numbered(reduced: dict[str, float], key: str, values: Values) -> None:
    number = 0
    for value in values:
        number += 1
        while f"{key}_{number}" in reduced:
            number += 1
        reduced[f"{key}_{number}"] = value


def _mean(values: Values, weights: Weights) -> float:
    """The weighted mean; exactly the value where all that count are equal, never outside them."""
    total = sum(weights)
    shares = [weight / total if total else 1.0 / len(weights) for weight in weights]
    counted = [(value, share) for value, share in zip(values, shares, strict=True) if share]
    mean = sum(value * share for value, share in counted)
    if not all(math.isfinite(value) for value, _ in counted):
        return mean
    # Rounding could carry the mean past its own values, by a unit in the last place.
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
#: The reductions a key may name.
REDUCTIONS = frozenset({*_REDUCERS, "unique"})
