"""Results are awaited, fetched and evicted beyond a size limit."""

from __future__ import annotations

import asyncio

import pytest

from tinker_ext.embedded.execution.results import OVERHEAD_BYTES, ResultStore

ROOM_FOR_TWO = 2 * (OVERHEAD_BYTES + 10)


async def test_finish_wakes_all_waiters() -> None:
    results = ResultStore()
    results.open("a")
    waiting = [asyncio.ensure_future(results.completed("a")) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    results.finish("a", b"result")
    await asyncio.gather(*waiting)
    assert results.fetch("a") == b"result"
    assert results.fetch("a") == b"result", "a client fetches it again if the response was lost"


async def test_unknown_request_is_not_awaited() -> None:
    results = ResultStore()
    assert "a" not in results
    await asyncio.wait_for(results.completed("a"), 1)
    assert results.fetch("a") is None
    assert not results.was_evicted("a")


def test_fetched_results_are_evicted_first() -> None:
    results = ResultStore(ROOM_FOR_TWO)
    results.finish("old", b"0123456789")
    results.finish("fetched", b"0123456789")
    results.fetch("fetched")
    results.finish("new", b"0123456789")
    assert results.was_evicted("fetched")
    assert "fetched" not in results
    assert results.fetch("old") == b"0123456789"


def test_oldest_result_is_evicted_if_none_was_fetched() -> None:
    results = ResultStore(ROOM_FOR_TWO)
    for name in ("first", "second", "third"):
        results.finish(name, b"0123456789")
    assert results.was_evicted("first")
    assert results.fetch("third") is not None


@pytest.mark.parametrize("size", [0, 1000])
def test_result_above_size_limit_is_evicted(size: int) -> None:
    results = ResultStore(OVERHEAD_BYTES)
    results.finish("a", b"x" * size)
    assert results.was_evicted("a") == (size > 0)
