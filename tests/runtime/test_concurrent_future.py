"""`AwaitableConcurrentFuture` is an APIFuture of a standard future's result."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait

import pytest

import tinker_ext as tinker
from tinker_ext import AwaitableConcurrentFuture


def done(value: int) -> Future[int]:
    future: Future[int] = Future()
    future.set_result(value)
    return future


def test_generic_class_is_an_api_future() -> None:
    future: AwaitableConcurrentFuture[int] = AwaitableConcurrentFuture[int](done(3))
    assert isinstance(future, tinker.APIFuture)
    assert future.result() == 3
    assert future.done()


async def test_result_can_be_awaited_several_times() -> None:
    with ThreadPoolExecutor() as executor:
        future = AwaitableConcurrentFuture(executor.submit(pow, 2, 5))
        assert await future == 32
        assert await future.result_async(timeout=5) == 32
        assert await asyncio.create_task(future.coroutine()) == 32
        assert await asyncio.wait_for(future, 5) == 32


def test_wrapped_future_is_returned() -> None:
    source = done(1)
    assert AwaitableConcurrentFuture(source).future() is source


def test_standard_functions_accept_it() -> None:
    futures = [AwaitableConcurrentFuture(done(value)) for value in range(3)]
    assert sorted(future.result() for future in as_completed(futures, timeout=5)) == [0, 1, 2]
    assert len(wait(futures, timeout=5).done) == 3


def test_exception_is_raised() -> None:
    source: Future[int] = Future()
    future = AwaitableConcurrentFuture(source)
    source.set_exception(KeyError("lost"))
    with pytest.raises(KeyError, match="lost"):
        future.result()
    assert isinstance(future.exception(), KeyError)


def test_pending_result_times_out() -> None:
    future = AwaitableConcurrentFuture(Future[int]())
    with pytest.raises(TimeoutError):
        future.result(timeout=0.01)


def test_cancel_cancels_the_wrapped_future() -> None:
    source: Future[int] = Future()
    future = AwaitableConcurrentFuture(source)
    assert future.cancel()
    assert source.cancelled()
    assert future.cancelled()


def test_running_future_is_not_cancelled() -> None:
    source: Future[int] = Future()
    source.set_running_or_notify_cancel()
    future = AwaitableConcurrentFuture(source)
    assert not future.cancel()
    source.set_result(4)
    assert future.result() == 4


def test_callback_and_map() -> None:
    seen = []
    future = AwaitableConcurrentFuture(done(2))
    future.add_done_callback(lambda item: seen.append(item.result()))
    assert seen == [2]
    assert future.map(lambda value: value * 10).result() == 20
