"""Splitting keeps all items in order and respects the limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinker_ext.rules.chunking import MAX_CHUNK_ITEMS, MAX_CHUNK_SIZE, split

sizes = st.lists(st.integers(0, 60), max_size=60)
limits = st.integers(1, 40)


@given(sizes, limits, limits)
def test_each_item_is_in_one_run_in_order(items: list[int], max_items: int, max_size: int) -> None:
    runs = split(items, max_items=max_items, max_size=max_size)
    assert [index for run in runs for index in run] == list(range(len(items)))


@given(sizes, limits, limits)
def test_runs_are_not_empty_and_within_the_limits(
    items: list[int], max_items: int, max_size: int
) -> None:
    for run in split(items, max_items=max_items, max_size=max_size):
        assert 1 <= len(run) <= max_items
        assert len(run) == 1 or sum(items[index] for index in run) <= max_size


@given(sizes, limits, limits)
def test_next_item_does_not_fit_into_a_run(items: list[int], max_items: int, max_size: int) -> None:
    runs = split(items, max_items=max_items, max_size=max_size)
    for run in runs[:-1]:
        total = sum(items[index] for index in run)
        assert len(run) == max_items or total + items[run.stop] > max_size


def fewest(items: list[int], max_items: int, max_size: int) -> int:
    """The minimum number of runs, found by trying every position of the last split."""
    best = [0] + [len(items)] * len(items)
    for stop in range(1, len(items) + 1):
        for start in range(max(0, stop - max_items), stop):
            if stop - start == 1 or sum(items[start:stop]) <= max_size:
                best[stop] = min(best[stop], best[start] + 1)
    return best[-1]


@given(st.lists(st.integers(0, 60), max_size=12), st.integers(1, 5), limits)
def test_number_of_runs_is_minimal(items: list[int], max_items: int, max_size: int) -> None:
    runs = split(items, max_items=max_items, max_size=max_size)
    assert len(runs) == fewest(items, max_items, max_size)


def test_default_limits_are_those_of_0_4_1() -> None:
    assert (MAX_CHUNK_ITEMS, MAX_CHUNK_SIZE) == (128, 500_000)
    assert split([1] * 129) == [range(128), range(128, 129)]


@pytest.mark.parametrize("bad", [{"max_items": 0}, {"max_size": 0}, {"max_items": -1}])
def test_limit_below_one_raises(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        split([1], **bad)


def test_negative_size_raises_with_its_index() -> None:
    with pytest.raises(ValueError, match="item 1 has the negative size -2"):
        split([1, -2])
