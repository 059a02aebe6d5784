"""Answers wait for whoever asked, within a bound."""

from __future__ import annotations

import asyncio

import pytest

from tinker_ext.embedded.execution.results import OVERHEAD_BYTES, ResultStore

ROOM_FOR_TWO = 2 * (OVERHEAD_BYTES + 10)


async def test_all_who_wait_are_woken() -> None:
    results = ResultStore()
    results.open("a")
    waiting = [asyncio.ensure_future(results.settled("a")) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    results.finish("a", b"answer")
    await asyncio.gather(*waiting)
    assert results.fetch("a") == b"answer"
    assert results.fetch("a") == b"answer", "a reply can get lost and is then asked for again"


async def test_nothing_to_wait_for() -> None:
    results = ResultStore()
    assert "a" not in results
    await asyncio.wait_for(results.settled("a"), 1)
    assert results.fetch("a") is None
    assert not results.forgotten("a")


def test_fetched_answers_make_room_first() -> None:
    results = ResultStore(ROOM_FOR_TWO)
    results.finish("old", b"0123456789")
    results.finish("fetched", b"0123456789")
    results.fetch("fetched")
    results.finish("new", b"0123456789")
    assert results.forgotten("fetched")
    assert "fetched" not in results
    assert results.fetch("old") == b"0123456789"


def test_the_oldest_makes_room_when_none_was_fetched() -> None:
    results = ResultStore(ROOM_FOR_TWO)
    for name in ("first", "second", "third"):
        results.finish(name, b"0123456789")
    assert results.forgotten("first")
    assert results.fetch("third") is not None


@pytest.mark.parametrize("size", [0, 1000])
def test_an_answer_larger_than_all_room_is_forgotten_rather_than_kept(size: int) -> None:
    results = ResultStore(OVERHEAD_BYTES)
    results.finish("a", b"x" * size)
    assert results.forgotten("a") == (size > 0)
