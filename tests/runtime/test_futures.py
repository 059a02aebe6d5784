"""What a future promises, from threads and from event loops."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import os
import pickle
import threading
import time
import warnings
import weakref

import pytest

import tinker_ext as tinker
from tinker_ext.runtime import futures
from tinker_ext.runtime.futures import APIFuture
from tinker_ext.runtime.loop import background_loop
from tinker_ext.testing import FakeServer, Reply, make_client


def after(seconds: float, value: object = "done") -> APIFuture[object]:
    async def work() -> object:
        await asyncio.sleep(seconds)
        if isinstance(value, Exception):
            raise value
        return value

    return APIFuture(background_loop().submit(work()), lambda done: done)


def test_a_wait_that_times_out_leaves_the_request_alone() -> None:
    future = after(0.2)
    with pytest.raises(TimeoutError):
        future.result(timeout=0.01)
    assert future.result(timeout=5) == "done"


async def test_a_cancelled_wait_leaves_the_request_alone() -> None:
    future = after(0.2)
    waiting = asyncio.ensure_future(future.result_async())
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(TimeoutError):
        await future.result_async(timeout=0.01)
    assert await future == "done"


async def test_many_can_wait_for_one() -> None:
    future = after(0.05)
    assert await asyncio.gather(*[future.result_async() for _ in range(50)]) == ["done"] * 50


def test_who_looks_at_the_end_cannot_keep_the_outcome_back() -> None:
    async def work() -> str:
        return "done"

    def looking(_: object) -> None:
        raise RuntimeError("of a span processor")

    assert background_loop().submit(work(), ended=looking).result(5) == "done"


def test_cancel_ends_the_work_and_every_wait() -> None:
    future = after(60)
    threading.Timer(0.05, future.cancel).start()
    started = time.monotonic()
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(timeout=10)
    assert time.monotonic() - started < 5
    assert future.cancelled()
    assert future.done()
    assert not after(0, "x").map(str).cancelled()


def test_the_result_is_decoded_once_where_it_is_taken() -> None:
    threads: list[str] = []

    def decode(value: object) -> str:
        threads.append(threading.current_thread().name)
        return str(value)

    future = after(0.01).map(decode)
    assert [future.result(5), future.result(5)] == ["done", "done"]
    assert threads == [threading.current_thread().name]


def test_errors_come_through_as_they_are() -> None:
    future = after(0.01, tinker.TinkerError("no"))
    assert isinstance(future.exception(5), tinker.TinkerError)
    with pytest.raises(tinker.TinkerError, match="no"):
        future.result(5)
    with pytest.raises(tinker.TinkerError, match="no"):
        future.map(str).result(5)


def test_a_result_leaves_memory_with_its_future() -> None:
    gc.disable()  # Results are large, and the collector may be long in coming.
    try:
        future = after(0.01, threading.Event())
        left = weakref.ref(future.result(5))
        del future
        deadline = time.monotonic() + 5
        while left() is not None and time.monotonic() < deadline:
            time.sleep(0.01)  # The loop's thread may still be leaving the task.
        assert left() is None
    finally:
        gc.enable()


def test_callbacks_and_standard_futures() -> None:
    called = threading.Event()
    future = after(0.02)
    future.add_done_callback(lambda one: called.set())
    done, _ = concurrent.futures.wait([future.future()], timeout=5)
    assert [one.result() for one in done] == ["done"]
    assert called.wait(5)


def test_blocking_on_the_clients_own_loop_raises() -> None:
    future = after(0.2)

    async def on_the_loop() -> object:
        return future.result()

    with pytest.raises(tinker.TinkerError, match="own event loop"):
        background_loop().submit(on_the_loop()).result(5)


async def test_blocking_another_running_loop_warns_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(futures, "_warned_about_loop", False)
    with pytest.warns(RuntimeWarning, match="blocks a running event loop") as warned:
        after(0.02).result(5)
    assert [one.filename for one in warned] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        after(0.02).result(5)


def test_await_without_asyncio_says_what_to_write() -> None:
    """As trio steps through a coroutine: nothing of asyncio runs."""
    future = after(30)
    with pytest.raises(tinker.TinkerError, match=r"trio.to_thread.run_sync\(future.result\)"):
        future.__await__().send(None)
    assert future.cancel()


async def test_displaying_a_client_that_is_being_created_does_not_wait_for_it() -> None:
    server = FakeServer()
    waiting = {"type": "try_again", "request_id": "x", "queue_state": "active"}
    server.answer("retrieve_future", Reply(200, waiting, delay=1))
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        for hook in ("_ipython_display_", "_repr_mimebundle_", "_repr_html_", "_repr_pretty_"):
            assert not hasattr(training, hook)
        assert repr(training) == "<TrainingClient soon>"
        assert (await training).model_id


def test_a_future_does_not_pickle_and_says_so() -> None:
    with pytest.raises(TypeError, match="take its result"):
        pickle.dumps(after(0))


def test_after_a_fork_the_child_starts_anew() -> None:
    inherited = after(0.5)
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Python warns of forking a process with threads, which is what this is about.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            inherited.result(5)
            said = "no error"
        except tinker.TinkerError as error:
            said = str(error)
        os.write(writing, f"{said}|{after(0.01, 'anew').result(5)}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    said, anew = os.read(reading, 1000).decode().split("|")
    assert "before a fork" in said
    assert anew == "anew"
    assert inherited.result(5) == "done"


def test_cancelling_the_standard_future_gives_the_request_up() -> None:
    future = after(60)
    assert future.future().cancel()
    assert future.cancelled()
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(5)
    done = after(0)
    assert done.result(5) == "done"
    assert not done.future().cancel()
