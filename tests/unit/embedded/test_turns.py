"""Order is decided by numbers alone; nothing is lost, nothing runs twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinker_ext.embedded.execution.turns import SequenceQueue, TooLateError


def drained(turns: SequenceQueue[int]) -> list[int]:
    taken = []
    while (work := turns.take()) is not None:
        taken.append(work)
    return taken


@given(st.permutations(range(1, 9)))
def test_any_order_of_arrival_gives_the_order_of_numbers(arrivals: list[int]) -> None:
    turns: SequenceQueue[int] = SequenceQueue(1)
    done: list[int] = []
    for number in arrivals:
        turns.offer(number, number, now=0)
        done += drained(turns)
    assert done == sorted(arrivals)
    assert len(turns) == 0


@given(st.permutations(range(1, 9)), st.sets(st.integers(1, 8), max_size=7))
def test_refused_numbers_hold_nothing_up(arrivals: list[int], refused: set[int]) -> None:
    turns: SequenceQueue[int] = SequenceQueue(1)
    done: list[int] = []
    for number in arrivals:
        if number in refused:
            turns.refuse(number)
        else:
            turns.offer(number, number, now=0)
        done += drained(turns)
    assert done == [number for number in sorted(arrivals) if number not in refused]


def test_work_waits_for_the_number_before_it() -> None:
    turns: SequenceQueue[str] = SequenceQueue(1)
    turns.offer(3, "third", now=5)
    turns.offer(2, "second", now=7)
    assert turns.take() is None
    assert turns.missing == 1
    assert turns.waiting_since == 5
    assert len(turns) == 2


def test_work_without_a_number_does_not_wait() -> None:
    turns: SequenceQueue[str] = SequenceQueue(1)
    turns.offer(2, "second", now=0)
    turns.offer(None, "any time", now=0)
    assert turns.take() == "any time"
    assert turns.take() is None


def test_a_passed_number_is_too_late() -> None:
    turns: SequenceQueue[str] = SequenceQueue(1)
    turns.offer(1, "first", now=0)
    with pytest.raises(TooLateError, match="the next number is 2"):
        turns.offer(1, "again", now=0)


def test_a_refused_number_can_be_used_until_a_later_one_came() -> None:
    turns: SequenceQueue[str] = SequenceQueue(1)
    turns.refuse(1)
    turns.offer(1, "corrected", now=0)
    assert turns.take() == "corrected"
    turns.refuse(2)
    turns.offer(3, "third", now=0)
    assert turns.take() == "third"
    with pytest.raises(TooLateError):
        turns.offer(2, "corrected too late", now=0)


def test_giving_up_returns_what_waited_and_goes_on_after_it() -> None:
    turns: SequenceQueue[str] = SequenceQueue(1)
    turns.offer(4, "fourth", now=0)
    turns.offer(2, "second", now=0)
    assert turns.give_up() == ["second", "fourth"]
    assert turns.missing is None
    turns.offer(5, "fifth", now=0)
    assert turns.take() == "fifth"
    assert turns.give_up() == []


def test_with_no_first_number_the_first_offered_is_it() -> None:
    turns: SequenceQueue[str] = SequenceQueue(None)
    turns.refuse(40)
    turns.offer(17, "seventeenth", now=0)
    turns.offer(18, "eighteenth", now=0)
    assert turns.take() == "seventeenth"
    assert turns.take() == "eighteenth"
