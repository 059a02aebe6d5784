"""Reductions equal those of numpy, never raise, and never drop a metric."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinker_ext.rules.outputs import REDUCTIONS, reduce_metrics, reduction_of

Parts = list[tuple[dict[str, float], int]]

names = st.text("ab:/_1", max_size=4)
keys = st.one_of(
    names, st.tuples(names, st.sampled_from([*sorted(REDUCTIONS), "p99", "Sum"])).map(":".join)
)
values = st.floats(allow_nan=True, allow_infinity=True)
parts_of_anything = st.lists(
    st.tuples(st.dictionaries(keys, values, max_size=6), st.integers(0, 5)), max_size=6
)
moderate = st.floats(-1e6, 1e6)
columns = st.lists(st.tuples(moderate, st.integers(1, 300)), min_size=1, max_size=8)


def reduce_column(suffix: str, column: list[tuple[float, int]]) -> float:
    return reduce_metrics([({f"x:{suffix}": value}, weight) for value, weight in column])[
        f"x:{suffix}"
    ]


@given(columns)
def test_reductions_equal_those_of_numpy(column: list[tuple[float, int]]) -> None:
    array = np.array([value for value, _ in column])
    mean = float(np.average(array, weights=[weight for _, weight in column]))
    # If the numbers nearly cancel out, rounding is proportional to the largest one.
    tolerance = 1e-12 * float(np.max(np.abs(array))) * len(column)
    expected = {
        "mean": mean,
        "slack": float(array.max()) - mean,
        "sum": float(array.sum()),
        "min": float(array.min()),
        "max": float(array.max()),
    }
    for suffix, value in expected.items():
        assert reduce_column(suffix, column) == pytest.approx(value, rel=1e-12, abs=tolerance)


@given(columns)
def test_mean_lies_between_its_values_and_slack_is_not_negative(
    column: list[tuple[float, int]],
) -> None:
    numbers = [value for value, _ in column]
    assert min(numbers) <= reduce_column("mean", column) <= max(numbers)
    assert reduce_column("slack", column) >= 0.0


@given(st.floats(allow_nan=False, allow_infinity=False), st.lists(st.integers(0, 9), min_size=1))
def test_mean_of_equal_values_is_exactly_that_value(value: float, weights: list[int]) -> None:
    assert reduce_column("mean", [(value, weight) for weight in weights]) == value


@given(columns, st.sampled_from(["hash_unordered", "hash2"]), st.randoms())
def test_hashes_are_integers_and_independent_of_order(
    column: list[tuple[float, int]], suffix: str, rng: object
) -> None:
    first = reduce_column(suffix, column)
    rng.shuffle(column)  # type: ignore[attr-defined] # hypothesis gives a random.Random
    assert reduce_column(suffix, column) == first
    assert isinstance(first, int)


@given(columns)
def test_hash_unordered_equals_cpython_hash(column: list[tuple[float, int]]) -> None:
    expected = hash(tuple(sorted(int(value) for value, _ in column)))
    assert reduce_column("hash_unordered", column) == expected


@given(parts_of_anything)
def test_reduction_keeps_every_key_and_does_not_raise(parts: Parts) -> None:
    reduced = reduce_metrics(parts)
    assert set(reduced) >= {key for metrics, _ in parts for key in metrics}
    assert all(isinstance(value, int | float) for value in reduced.values())


@given(parts_of_anything)
def test_unique_keeps_every_value(parts: Parts) -> None:
    reduced = reduce_metrics(parts)
    unique_keys = {key for metrics, _ in parts for key in metrics if reduction_of(key) == "unique"}
    expected = [metrics[key] for key in unique_keys for metrics, _ in parts if key in metrics]
    other_keys = {key for metrics, _ in parts for key in metrics} - unique_keys
    actual = [value for key, value in reduced.items() if key not in other_keys]
    assert sorted(map(repr, actual)) == sorted(map(repr, expected))


@given(st.dictionaries(keys, moderate), st.integers(0, 5))
def test_single_part_keeps_its_values_except_slack_and_hashes(
    metrics: dict[str, float], weight: int
) -> None:
    reduced = reduce_metrics([(metrics, weight)])
    for key, value in metrics.items():
        if reduction_of(key) == "slack":
            assert reduced[key] == 0.0
        elif reduction_of(key) not in ("hash_unordered", "hash2"):
            assert reduced[key] == value


def test_keys_keep_their_order_and_numbered_ones_come_last() -> None:
    parts: Parts = [({"b:sum": 1.0, "u:unique": 1.0}, 1), ({"a:sum": 1.0, "u:unique": 2.0}, 1)]
    assert list(reduce_metrics(parts)) == ["b:sum", "u:unique", "a:sum", "u:unique_1"]


def test_integer_out_of_float_range_becomes_infinite() -> None:
    assert reduce_metrics([({"a:max": 10**400}, 1)]) == {"a:max": math.inf}
    assert reduce_metrics([({"a:min": -(10**400)}, 1)]) == {"a:min": -math.inf}


def test_text_counts_as_missing() -> None:
    parts = [({"a:mean": "many"}, 1), ({"a:mean": 2.0}, 1)]
    assert reduce_metrics(parts) == {"a:mean": 2.0}  # type: ignore[arg-type] # a wrong server


def test_negative_weight_raises() -> None:
    with pytest.raises(ValueError, match="cannot be negative"):
        reduce_metrics([({}, -1)])


@pytest.mark.parametrize(
    ("key", "reduction"),
    [("a:mean", "mean"), ("a:b:max", "max"), ("a", None), ("mean", None), ("a:mode", None)],
)
def test_reduction_is_the_text_after_the_last_colon(key: str, reduction: str | None) -> None:
    assert reduction_of(key) == reduction
