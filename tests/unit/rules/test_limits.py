"""A budget is never overshot, and everybody's turn comes in order."""

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
    restart_delay,
)
from tinker_ext.types.inputs.chunks import EncodedTextChunk
from tinker_ext.types.inputs.images import ImageAssetPointerChunk, ImageChunk
from tinker_ext.types.inputs.model_input import ModelInput


@given(st.integers(1, 50), st.lists(st.integers(0, 80), max_size=40), st.data())
def test_all_are_served_in_order_without_overshoot(
    limit: int, arrivals: list[int], data: st.DataObject
) -> None:
    """Arrivals and departures in any order: first come, first served, and nobody is left over."""
    budget, waiting, held = Budget(limit), deque[int](), list[int]()
    started: list[int] = []
    coming = deque(arrivals)
    while coming or waiting or held:
        leave = held and (not coming or data.draw(st.booleans()))
        if leave:
            budget = budget.give(held.pop(data.draw(st.integers(0, len(held) - 1))))
        elif coming:
            waiting.append(coming.popleft())
        budget, admitted = admit(budget, waiting)
        for _ in range(admitted):
            held.append(waiting.popleft())
            started.append(held[-1])
        assert budget == Budget(limit, sum(held), len(held))
        assert budget.used <= limit or len(held) == 1
        assert held or not waiting  # somebody is always under way, so nothing gets stuck
    assert started == arrivals


@pytest.mark.parametrize("size", [-1, 3])
def test_no_more_comes_back_than_was_taken(size: int) -> None:
    with pytest.raises(ValueError, match="given back"):
        Budget(10).take(2).give(size)


def test_nothing_comes_back_from_nobody() -> None:
    with pytest.raises(ValueError, match="0 holders"):
        Budget(10).give(0)


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(ValueError, match="negative size -1"):
        Budget(10).take(-1)


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.floats(0, 100), st.floats(0, 100))
def test_who_stood_further_back_starts_later(
    first: int, second: int, paused: float, longer: float
) -> None:
    early, late = sorted((first, second))
    assert 0 <= restart_delay(early, paused) <= restart_delay(late, paused)
    short, long = sorted((paused, longer))
    assert restart_delay(late, short) <= restart_delay(late, long)
    ramp = min(paused, RESTART_SECONDS)
    assert restart_delay(RESTART_FULL - 1, paused) == pytest.approx(ramp)


@pytest.mark.parametrize(("position", "paused"), [(-1, 1.0), (1, -1.0)])
def test_nothing_is_negative(position: int, paused: float) -> None:
    with pytest.raises(ValueError, match="negative"):
        restart_delay(position, paused)


def test_a_prompt_is_taken_for_ten_bytes_a_token_and_what_its_images_are() -> None:
    text = EncodedTextChunk(tokens=[1, 2, 3])
    image = ImageChunk(data=b"12345", format="png", height=1, width=1, tokens=99)
    pointer = ImageAssetPointerChunk(location="s3://a", format="png")
    assert prompt_bytes(ModelInput(chunks=[text, image, pointer, text])) == 30 + 5 + 6 + 30
    assert prompt_bytes(ModelInput.empty()) == 0
