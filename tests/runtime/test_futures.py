"""Behavior of futures, from threads and from event loops."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import math
import os
import pickle
import threading
import time
import warnings
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import tinker_ext as tinker
from tests.processes import in_a_fork
from tests.waiting import comes_true
from tinker_ext.runtime.concurrency import futures
from tinker_ext.runtime.concurrency.caller_executor import CallerExecutor
from tinker_ext.runtime.concurrency.futures import APIFuture
from tinker_ext.runtime.concurrency.loop import MANY_CALLS, background_loop
from tinker_ext.runtime.concurrency.user_code import CarriedError, describe
from tinker_ext.testing import FakeServer, Reply, make_client

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable


def after(seconds: float, value: object = "done") -> APIFuture[object]:
    async def work() -> object:
        await asyncio.sleep(seconds)
        if isinstance(value, Exception):
            raise value
        return value

    return APIFuture(background_loop().submit(work()), lambda done: done)


def test_result_timeout_does_not_cancel_the_request() -> None:
    future = after(0.2)
    with pytest.raises(TimeoutError):
        future.result(timeout=0.01)
    assert future.result(timeout=5) == "done"


async def test_cancelled_await_does_not_cancel_the_request() -> None:
    future = after(0.2)
    waiting = asyncio.ensure_future(future.result_async())
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(TimeoutError):
        await future.result_async(timeout=0.01)
    assert await future == "done"


async def test_many_coroutines_can_await_one_future() -> None:
    future = after(0.05)
    assert await asyncio.gather(*[future.result_async() for _ in range(50)]) == ["done"] * 50


def test_threads_are_woken_together_while_many_calls_run() -> None:
    loop, woken = background_loop(), list[int]()
    calls = [loop.submit(asyncio.Event().wait()) for _ in range(MANY_CALLS)]

    async def wake_two() -> list[int]:
        loop.wake(lambda: woken.append(1))
        loop.wake(lambda: woken.append(2))
        return list(woken)

    try:
        assert loop.submit(wake_two()).result(5) == []  # Not at once.
        assert comes_true(lambda: woken == [1, 2])
    finally:
        for call in calls:
            call.cancel()
    assert comes_true(lambda: loop.running < MANY_CALLS // 2)
    assert loop.submit(wake_two()).result(5) == [1, 2, 1, 2]


def test_exception_in_on_done_does_not_prevent_completion() -> None:
    async def work() -> str:
        return "done"

    def on_done(_: object) -> None:
        raise RuntimeError("of a span processor")

    assert background_loop().submit(work(), on_done=on_done).result(5) == "done"


def test_cancel_cancels_the_request_and_all_waits() -> None:
    future = after(60)
    threading.Timer(0.05, future.cancel).start()
    started = time.monotonic()
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(timeout=10)
    assert time.monotonic() - started < 5
    assert future.cancelled()
    assert future.done()
    assert not after(0, "x").map(str).cancelled()


def test_result_timeout_includes_the_function_of_map_on_another_thread() -> None:
    started, released = threading.Event(), threading.Event()

    def slow(value: object) -> object:
        started.set()
        assert released.wait(20)
        return value

    future = after(0).map(slow)
    other = threading.Thread(target=future.result)
    other.start()
    assert started.wait(20)
    with pytest.raises(tinker.DeadlineExceededError):
        future.result(timeout=0.01)
    released.set()
    other.join()
    assert future.result(timeout=20) == "done"


def test_map_that_ctrl_c_interrupts_is_called_again() -> None:
    calls: list[object] = []

    def interrupted_once(value: object) -> object:
        calls.append(value)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return value

    future = after(0).map(interrupted_once)
    with pytest.raises(KeyboardInterrupt):
        future.result(20)
    assert [future.result(20), future.result(20)] == ["done", "done"]
    assert calls == ["done", "done"]


@pytest.mark.parametrize("timeout", [math.inf, 1e12, 10**30, np.float32(1e9), True, np.int64(9)])
def test_long_timeout_waits_for_the_result(timeout: float) -> None:
    assert after(0.01).result(timeout) == "done"
    assert asyncio.run(after(0.01).result_async(timeout)) == "done"
    executor = CallerExecutor()
    outcome = background_loop().submit(asyncio.sleep(0.01))
    assert APIFuture(outcome, str, work=executor).result(timeout) == "None"


@pytest.mark.parametrize("timeout", ["5", math.nan, b"5", [5], 1j])
def test_timeout_that_is_not_a_number_raises(timeout: Any) -> None:
    future = after(0)
    with pytest.raises(tinker.InvalidInputError, match="timeout: expected a number of seconds"):
        future.result(timeout)
    with pytest.raises(tinker.InvalidInputError, match="timeout: expected a number of seconds"):
        asyncio.run(future.result_async(timeout))
    assert future.result() == "done"


def test_result_is_decoded_once_on_the_calling_thread() -> None:
    threads: list[str] = []

    def decode(value: object) -> str:
        threads.append(threading.current_thread().name)
        return str(value)

    future = after(0.01).map(decode)
    assert [future.result(5), future.result(5)] == ["done", "done"]
    assert threads == [threading.current_thread().name]


def test_errors_are_raised_unchanged() -> None:
    future = after(0.01, tinker.TinkerError("no"))
    assert isinstance(future.exception(5), tinker.TinkerError)
    with pytest.raises(tinker.TinkerError, match="no"):
        future.result(5)
    with pytest.raises(tinker.TinkerError, match="no"):
        future.map(str).result(5)


def test_result_is_freed_with_its_future() -> None:
    gc.disable()  # Results are large and must not wait for the collector.
    try:
        future = after(0.01, threading.Event())
        left = weakref.ref(future.result(5))
        del future
        # The loop's thread may still hold the task for a moment.
        assert comes_true(lambda: left() is None)
    finally:
        gc.enable()


def test_done_callback_and_standard_future() -> None:
    called = threading.Event()
    future = after(0.02)
    future.add_done_callback(lambda _: called.set())
    done, _ = concurrent.futures.wait([future.future()], timeout=5)
    assert [item.result() for item in done] == ["done"]
    assert called.wait(5)


def asyncio_wait(futures: Any, **options: Any) -> Awaitable[tuple[set[Any], set[Any]]]:
    """`asyncio.wait`, whose type hints accept only asyncio futures."""
    return asyncio.wait(futures, **options)


FUTURE_STATES = ("pending", "done", "failed", "cancelled")


def in_state(state: str) -> APIFuture[object]:
    if state == "pending":
        return after(0.1)
    future = after(60) if state == "cancelled" else after(0, LookupError("no"))
    if state == "done":
        future = after(0)
    if state == "cancelled":
        future.cancel()
    assert comes_true(future.done)
    return future


@pytest.mark.parametrize("state", FUTURE_STATES)
async def test_asyncio_wait_returns_the_futures_themselves(state: str) -> None:
    future, slow = in_state(state), after(60)
    done, pending = await asyncio_wait([future, slow], return_when=asyncio.FIRST_COMPLETED)
    assert (done, pending) == ({future}, {slow})
    assert await asyncio_wait({future}) == ({future}, set())
    assert await asyncio_wait([slow], timeout=0.01) == (set(), {slow})
    slow.cancel()


async def test_asyncio_wait_returns_on_the_first_exception() -> None:
    failing, slow = after(0.05, LookupError("no")), after(60)
    ended = asyncio_wait([slow, failing, after(0)], return_when=asyncio.FIRST_EXCEPTION)
    done, pending = await asyncio.wait_for(ended, 5)
    assert failing in done
    assert pending == {slow}
    slow.cancel()


ASYNCIO_FUNCTIONS: dict[str, Callable[[list[APIFuture[object]]], Awaitable[object]]] = {
    "gather": lambda futures: asyncio.gather(*futures),
    "as_completed": lambda futures: in_order(asyncio.as_completed(futures)),
    "wait_for": lambda futures: in_order(asyncio.wait_for(f, 5) for f in futures),
    "shield": lambda futures: in_order(map(asyncio.shield, futures)),
    "ensure_future": lambda futures: in_order(map(asyncio.ensure_future, futures)),
    "wrap_future": lambda futures: in_order(map(asyncio.wrap_future, futures)),
    "create_task": lambda futures: in_order(asyncio.create_task(f.coroutine()) for f in futures),
    "TaskGroup": lambda futures: in_a_group(futures),
}


async def in_order(awaitables: Iterable[Awaitable[object]]) -> list[object]:
    return [await awaitable for awaitable in awaitables]


async def in_a_group(futures: list[APIFuture[object]]) -> list[object]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(future.coroutine()) for future in futures]
    return [task.result() for task in tasks]


@pytest.mark.parametrize("wait", ASYNCIO_FUNCTIONS.values(), ids=ASYNCIO_FUNCTIONS)
async def test_asyncio_functions_accept_futures(
    wait: Callable[[list[APIFuture[object]]], Awaitable[object]],
) -> None:
    assert await wait([after(0.05), after(0), after(0.02)]) == ["done"] * 3


async def as_task(future: Any) -> None:
    await asyncio.create_task(future)


async def as_task_of_a_group(future: Any) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(future)


@pytest.mark.parametrize("create", [as_task, as_task_of_a_group])
async def test_create_task_of_a_future_suggests_coroutine(
    create: Callable[[Any], Awaitable[None]],
) -> None:
    with pytest.raises((TypeError, ExceptionGroup)) as caught:
        await create(after(0))
    error: BaseException = caught.value
    while isinstance(error, ExceptionGroup):
        [error] = error.exceptions
    assert "pass .coroutine() where a coroutine is required" in str(error)


@pytest.mark.parametrize("state", FUTURE_STATES)
def test_concurrent_futures_functions_accept_futures(state: str) -> None:
    future, slow = in_state(state), after(60)
    done, not_done = concurrent.futures.wait(
        [future, slow], 5, return_when=concurrent.futures.FIRST_COMPLETED
    )
    assert (done, not_done) == ({future}, {slow})
    both = {future, future.map(lambda value: value)}
    assert set(concurrent.futures.as_completed(both, timeout=5)) == both
    with pytest.raises(TimeoutError):
        list(concurrent.futures.as_completed([slow], timeout=0.01))
    threading.Timer(0.05, slow.cancel).start()
    assert concurrent.futures.wait([slow], 5).done == {slow}


def test_concurrent_futures_wait_returns_on_the_first_exception() -> None:
    failing, slow = after(0.05, LookupError("no")), after(60)
    first = concurrent.futures.FIRST_EXCEPTION
    assert concurrent.futures.wait([slow, failing], 5, return_when=first).done == {failing}
    slow.cancel()


def test_concurrent_futures_wait_does_not_decode_the_result() -> None:
    threads: list[str] = []
    future = after(0.05).map(lambda _: threads.append(threading.current_thread().name))
    assert concurrent.futures.wait([future], 5).done == {future}
    assert threads == []
    future.result(5)
    assert threads == [threading.current_thread().name]


def test_awaited_future_is_freed_without_the_cycle_collector() -> None:
    gc.disable()
    try:
        future = after(0.01, threading.Event())
        left = weakref.ref(future)
        assert concurrent.futures.wait([future], 5).done == {future}
        del future
        assert comes_true(lambda: left() is None)
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("state", "read"),
    [
        ("pending", (False, False, None, None)),
        ("done", (True, False, "done", None)),
        ("cancelled", (True, True, None, None)),
    ],
)
def test_get_snapshot_returns_the_decoded_state(state: str, read: tuple[object, ...]) -> None:
    assert in_state(state)._get_snapshot() == read
    done, was_cancelled, value, error = in_state("failed")._get_snapshot()
    assert (done, was_cancelled, value) == (True, False, None)
    assert isinstance(error, LookupError)


def test_removed_callback_is_not_called() -> None:
    future, called = after(0.05), list[str]()

    def removed(_: object) -> None:
        called.append("removed")

    future.add_done_callback(removed)
    future.add_done_callback(removed)
    future.add_done_callback(lambda _: called.append("kept"))
    assert future.remove_done_callback(removed) == 2
    assert future.remove_done_callback(removed) == 0
    future.result(5)
    assert comes_true(lambda: called == ["kept"])


def test_result_on_the_clients_own_loop_raises() -> None:
    future = after(0.2)

    async def on_the_loop() -> object:
        return future.result()

    with pytest.raises(tinker.TinkerError, match="own event loop"):
        background_loop().submit(on_the_loop()).result(5)


async def test_result_on_a_running_loop_warns_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(futures, "_warned_about_loop", False)
    with pytest.warns(RuntimeWarning, match="blocks a running event loop") as warned:
        after(0.02).result(5)
    assert [item.filename for item in warned] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        after(0.02).result(5)


def test_await_without_asyncio_suggests_a_thread() -> None:
    """Step through the coroutine as trio does, without asyncio."""
    future = after(30)
    with pytest.raises(tinker.TinkerError, match=r"trio.to_thread.run_sync\(future.result\)"):
        future.__await__().send(None)
    assert future.cancel()


async def test_displaying_a_pending_client_does_not_wait_for_it() -> None:
    server = FakeServer()
    waiting = {"type": "try_again", "request_id": "x", "queue_state": "active"}
    server.respond("retrieve_future", Reply(200, waiting, delay=1))
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        for hook in ("_ipython_display_", "_repr_mimebundle_", "_repr_html_", "_repr_pretty_"):
            assert not hasattr(training, hook)
        assert repr(training) == "<TrainingClient pending>"
        assert (await training).model_id


def test_pickling_a_future_raises_type_error() -> None:
    with pytest.raises(TypeError, match="pickle its result"):
        pickle.dumps(after(0))


def test_forked_child_starts_its_own_loop() -> None:
    inherited = after(0.5)

    def child() -> str:
        with pytest.raises(tinker.TinkerError, match="before a fork"):
            inherited.result(5)
        with pytest.raises(tinker.TinkerError, match="before a fork"):
            inherited.map(str).result(5)
        return str(after(0.01, "own").result(5))

    assert in_a_fork(child) == "own"
    assert inherited.result(5) == "done"


def test_cancelling_the_standard_future_cancels_the_request() -> None:
    future = after(60)
    assert future.future().cancel()
    assert future.cancelled()
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(5)
    done = after(0)
    assert done.result(5) == "done"
    assert not done.future().cancel()


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (CarriedError(SystemExit()), "SystemExit"),
        (CarriedError(StopIteration(3)), "StopIteration: 3"),
        (ValueError("bad"), "ValueError: bad"),
        (tinker.TinkerError("no such thing"), "no such thing"),
    ],
)
def test_description_of_an_exception_is_never_empty(error: Exception, text: str) -> None:
    assert describe(error) == text


def test_exception_returns_a_timeout_error_of_map() -> None:
    def fail(_: object) -> None:
        raise TimeoutError("mine")

    future = after(0)
    assert comes_true(future.done)
    error = future.map(fail).exception(5)
    assert isinstance(error, TimeoutError)
    assert str(error) == "mine"


async def test_wrapped_future_of_a_failing_map_completes() -> None:
    def fail(_: object) -> None:
        raise TimeoutError("mine")

    future = after(0)
    assert comes_true(future.done)
    with pytest.raises(TimeoutError, match="mine"):
        await asyncio.wait_for(asyncio.wrap_future(future.map(fail)), 5)


def test_callback_added_again_after_its_removal_is_called_once() -> None:
    calls: list[object] = []
    future = after(0.1)
    future.add_done_callback(calls.append)
    assert future.remove_done_callback(calls.append) == 1
    future.add_done_callback(calls.append)
    future.result(5)
    assert comes_true(lambda: calls == [future])


@pytest.mark.parametrize(
    "wait",
    [
        lambda future: concurrent.futures.wait([future]),
        lambda future: list(concurrent.futures.as_completed([future])),
        lambda future: future.add_done_callback(print),
        lambda future: future.future(),
    ],
    ids=["wait", "as_completed", "add_done_callback", "future"],
)
def test_inherited_future_raises_in_a_fork_for_every_wait(
    wait: Callable[[APIFuture[Any]], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    future = after(60)
    monkeypatch.setattr(future, "_process", os.getpid() + 1)
    with pytest.raises(tinker.TinkerError, match="before a fork"):
        wait(future)
    future.cancel()
