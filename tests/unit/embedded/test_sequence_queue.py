"""Requests leave the queue in the order of their sequence numbers, each once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinker_ext.embedded.execution.sequence_queue import SequenceQueue, TooLateError


def drain(queue: SequenceQueue[int]) -> list[int]:
    requests = []
    while (request := queue.take()) is not None:
        requests.append(request)
    return requests


@given(st.permutations(range(1, 9)))
def test_requests_are_taken_by_seq_id_in_any_order_of_arrival(arrivals: list[int]) -> None:
    queue: SequenceQueue[int] = SequenceQueue(1)
    done: list[int] = []
    for number in arrivals:
        queue.add(number, number, now=0)
        done += drain(queue)
    assert done == sorted(arrivals)
    assert len(queue) == 0


@given(st.permutations(range(1, 9)), st.sets(st.integers(1, 8), max_size=7))
def test_skipped_seq_ids_do_not_block(arrivals: list[int], skipped: set[int]) -> None:
    queue: SequenceQueue[int] = SequenceQueue(1)
    done: list[int] = []
    for number in arrivals:
        if number in skipped:
            queue.skip(number)
        else:
            queue.add(number, number, now=0)
        done += drain(queue)
    assert done == [number for number in sorted(arrivals) if number not in skipped]


def test_request_waits_for_lower_seq_id() -> None:
    queue: SequenceQueue[str] = SequenceQueue(1)
    queue.add(3, "third", now=5)
    queue.add(2, "second", now=7)
    assert queue.take() is None
    assert queue.missing == 1
    assert queue.waiting_since == 5
    assert len(queue) == 2


def test_request_without_seq_id_does_not_wait() -> None:
    queue: SequenceQueue[str] = SequenceQueue(1)
    queue.add(2, "second", now=0)
    queue.add(None, "any time", now=0)
    assert queue.take() == "any time"
    assert queue.take() is None


def test_lower_seq_id_raises_too_late_error() -> None:
    queue: SequenceQueue[str] = SequenceQueue(1)
    queue.add(1, "first", now=0)
    with pytest.raises(TooLateError, match="the next number is 2"):
        queue.add(1, "again", now=0)


def test_skipped_seq_id_can_be_used_until_a_higher_one_is_added() -> None:
    queue: SequenceQueue[str] = SequenceQueue(1)
    queue.skip(1)
    queue.add(1, "corrected", now=0)
    assert queue.take() == "corrected"
    queue.skip(2)
    queue.add(3, "third", now=0)
    assert queue.take() == "third"
    with pytest.raises(TooLateError):
        queue.add(2, "corrected too late", now=0)


def test_give_up_returns_waiting_requests_and_continues_after_them() -> None:
    queue: SequenceQueue[str] = SequenceQueue(1)
    queue.add(4, "fourth", now=0)
    queue.add(2, "second", now=0)
    assert queue.give_up() == ["second", "fourth"]
    assert queue.missing is None
    queue.add(5, "fifth", now=0)
    assert queue.take() == "fifth"
    assert queue.give_up() == []


def test_first_seq_id_is_the_first_added_if_unspecified() -> None:
    queue: SequenceQueue[str] = SequenceQueue(None)
    queue.skip(40)
    queue.add(17, "seventeenth", now=0)
    queue.add(18, "eighteenth", now=0)
    assert queue.take() == "seventeenth"
    assert queue.take() == "eighteenth"
