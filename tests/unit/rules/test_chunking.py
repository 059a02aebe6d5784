"""Splitting loses nothing, keeps the order and the limits, whatever the sizes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinker_ext.rules.chunking import MAX_CHUNK_ITEMS, MAX_CHUNK_SIZE, split

sizes = st.lists(st.integers(0, 60), max_size=60)
limits = st.integers(1, 40)


@given(sizes, limits, limits)
def test_every_item_is_in_exactly_one_run_in_order(
    items: list[int], max_items: int, max_size: int
) -> None:
    runs = split(items, max_items=max_items, max_size=max_size)
    assert [index for run in runs for index in run] == list(range(len(items)))


@given(sizes, limits, limits)
def test_no_run_is_empty_or_above_a_limit(items: list[int], max_items: int, max_size: int) -> None:
    for run in split(items, max_items=max_items, max_size=max_size):
        assert 1 <= len(run) <= max_items
        assert len(run) == 1 or sum(items[index] for index in run) <= max_size


@given(sizes, limits, limits)
def test_no_run_could_have_taken_the_next_item(
    items: list[int], max_items: int, max_size: int
) -> None:
    runs = split(items, max_items=max_items, max_size=max_size)
    for run in runs[:-1]:
        total = sum(items[index] for index in run)
        assert len(run) == max_items or total + items[run.stop] > max_size


def fewest(items: list[int], max_items: int, max_size: int) -> int:
    """The fewest runs possible, by trying every place for the last split."""
    best = [0] + [len(items)] * len(items)
    for stop in range(1, len(items) + 1):
        for start in range(max(0, stop - max_items), stop):
            if stop - start == 1 or sum(items[start:stop]) <= max_size:
                best[stop] = min(best[stop], best[start] + 1)
    return best[-1]


@given(st.lists(st.integers(0, 60), max_size=12), st.integers(1, 5), limits)
def test_there_is_no_way_with_fewer_runs(items: list[int], max_items: int, max_size: int) -> None:
    runs = split(items, max_items=max_items, max_size=max_size)
    assert len(runs) == fewest(items, max_items, max_size)


def test_the_limits_are_those_of_release_0_4_1() -> None:
    assert (MAX_CHUNK_ITEMS, MAX_CHUNK_SIZE) == (128, 500_000)
    assert split([1] * 129) == [range(128), range(128, 129)]


@pytest.mark.parametrize("bad", [{"max_items": 0}, {"max_size": 0}, {"max_items": -1}])
def test_a_limit_below_one_is_refused(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        split([1], **bad)


def test_a_negative_size_is_refused_by_its_index() -> None:
    with pytest.raises(ValueError, match="item 1 has the negative size -2"):
        split([1, -2])
