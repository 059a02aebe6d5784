"""Budgets are never exceeded and admit requests in order; traffic ramps up after a pause."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinker_ext.rules.limits import (
    RESTART_FULL,
    RESTART_SECONDS,
    Budget,
    admit,
    prompt_bytes,
    restart_burst,
    restart_delay,
)
from tinker_ext.types.inputs.model_input import (
    EncodedTextChunk,
    ImageAssetPointerChunk,
    ImageChunk,
    ModelInput,
)


@given(st.integers(1, 50), st.lists(st.integers(0, 80), max_size=40), st.data())
def test_requests_are_admitted_in_order_without_exceeding_the_limit(
    limit: int, arrivals: list[int], data: st.DataObject
) -> None:
    """Requests arrive and complete in any order."""
    budget, waiting, held = Budget(limit), deque[int](), list[int]()
    started: list[int] = []
    remaining = deque(arrivals)
    while remaining or waiting or held:
        complete = held and (not remaining or data.draw(st.booleans()))
        if complete:
            budget.give(held.pop(data.draw(st.integers(0, len(held) - 1))))
        elif remaining:
            waiting.append(remaining.popleft())
        admitted = admit(budget, waiting)
        for _ in range(admitted):
            held.append(waiting.popleft())
            started.append(held[-1])
        assert budget == Budget(limit, sum(held), len(held))
        assert budget.used <= limit or len(held) == 1
        assert held or not waiting  # one request is always in flight, so none gets stuck
    assert started == arrivals


@pytest.mark.parametrize("size", [-1, 3])
def test_giving_back_more_than_was_taken_raises(size: int) -> None:
    budget = Budget(10)
    assert budget.take_now(2)
    with pytest.raises(ValueError, match="cannot release"):
        budget.give(size)
    assert budget == Budget(10, 2, 1)


def test_giving_back_without_holders_raises() -> None:
    with pytest.raises(ValueError, match="0 holders"):
        Budget(10).give(0)


def test_negative_size_raises() -> None:
    with pytest.raises(ValueError, match="negative size -1"):
        admit(Budget(10), [-1])


def test_request_is_not_admitted_before_those_that_wait() -> None:
    budget = Budget(10, 4, 1, waiting=1)
    assert not budget.take_now(1)
    assert budget.take_now(6, is_next=True)
    assert budget == Budget(10, 10, 2, waiting=1)


def test_waiting_requests_are_admitted_when_a_holder_gives_back() -> None:
    admissions: list[Budget] = []

    class Queue(Budget):
        def admit_waiting(self) -> None:
            super().admit_waiting()
            admissions.append(self)

    budget = Queue(10, 7, 2)
    budget.give(3)
    assert not admissions
    budget.waiting = 1
    budget.give(4)
    assert admissions == [Queue(10, 0, 0, waiting=1)]


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.floats(0, 100), st.floats(0, 100))
def test_restart_delay_grows_with_position_and_pause(
    first: int, second: int, paused: float, longer: float
) -> None:
    early, late = sorted((first, second))
    assert 0 <= restart_delay(early, paused) <= restart_delay(late, paused)
    short, long = sorted((paused, longer))
    assert restart_delay(late, short) <= restart_delay(late, long)
    ramp = min(paused, RESTART_SECONDS)
    assert restart_delay(RESTART_FULL - 1, paused) == pytest.approx(ramp)


@pytest.mark.parametrize(("position", "paused"), [(-1, 1.0), (1, -1.0)])
def test_negative_position_or_pause_raises(position: int, paused: float) -> None:
    with pytest.raises(ValueError, match="negative"):
        restart_delay(position, paused)


@pytest.mark.parametrize(("started", "rejected"), [(-1, 0), (1, -1)])
def test_negative_count_of_requests_raises(started: int, rejected: int) -> None:
    with pytest.raises(ValueError, match="negative"):
        restart_burst(started, rejected)


def test_burst_below_one_raises() -> None:
    with pytest.raises(ValueError, match="at least one request"):
        restart_delay(0, 1.0, 0)


def test_prompt_bytes_are_ten_per_token_plus_the_bytes_of_images() -> None:
    text = EncodedTextChunk(tokens=[1, 2, 3])
    image = ImageChunk(data=b"12345", format="png", height=1, width=1, tokens=99)
    pointer = ImageAssetPointerChunk(location="s3://a", format="png")
    assert prompt_bytes(ModelInput(chunks=[text, image, pointer, text])) == 30 + 5 + 6 + 30
    assert prompt_bytes(ModelInput.empty()) == 0
