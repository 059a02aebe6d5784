"""The background event loop: one daemon thread, shared by all clients of the process."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, TypeVar

from tinker_ext.errors import ClientClosedError
from tinker_ext.runtime.concurrency.call_queue import CallQueue
from tinker_ext.runtime.concurrency.clock import SUSPENSION, TICK
from tinker_ext.runtime.concurrency.deadline import Progress, current_progress
from tinker_ext.runtime.concurrency.task_future import TaskFuture
from tinker_ext.runtime.concurrency.tracebacks import strip_internal_frames
from tinker_ext.runtime.concurrency.user_code import as_raised
from tinker_ext.tracing import log

if TYPE_CHECKING:
    import concurrent.futures
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


class BackgroundLoop:
    """Runs coroutines on its own thread, for callers on any thread.

    The thread is a daemon: it does not keep the interpreter alive.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._calls = CallQueue(self._loop)
        self._thread = threading.Thread(target=self._run, name="tinker-ext-loop", daemon=True)
        self._thread.start()

    @property
    def asyncio_loop(self) -> asyncio.AbstractEventLoop:
        """The event loop, for programs that schedule their own work on it."""
        return self._loop

    def submit(
        self,
        coroutine: Coroutine[Any, Any, T],
        *,
        finally_: Callable[[], None] | None = None,
        tasks: set[asyncio.Task[Any]] | None = None,
        progress: Progress | None = None,
        on_done: Callable[[asyncio.Future[Any]], None] | None = None,
    ) -> TaskFuture[T]:
        """Start `coroutine` on the loop and return its future. May be called from any thread.

        The task runs in a copy of the caller's context (spans). Cancelling the future cancels it.

        Args:
            coroutine: the work to run.
            finally_: called on the loop when the task is done, even if it was cancelled before its
                first step, when a `finally` in the coroutine would not run.
            tasks: a set that holds the task while it runs; accessed on the loop only.
            progress: updated by the task; contains its deadline.
            on_done: called with the finished task before the future is completed.
        """
        outcome: TaskFuture[T] = TaskFuture()
        context = copy_context()
        context.run(current_progress.set, progress)

        def start() -> None:
            task = self._loop.create_task(coroutine, context=context)
            outcome.runs_as(task, self.call_soon)
            if progress is not None and progress.until is not None:
                self._cancel_at(progress.until, task, progress)
            if tasks is not None:
                tasks.add(task)
            task.add_done_callback(done)

        def done(task: asyncio.Task[T]) -> None:
            """Copy the task's result to its future, even if a callback raises."""
            try:
                if tasks is not None:
                    tasks.discard(task)
                if finally_ is not None:
                    finally_()
                if on_done is not None:
                    on_done(task)
            finally:
                _settle(task, outcome, progress)

        self.call_soon(start)
        return outcome

    def call_soon(self, function: Callable[..., object], *args: object) -> None:
        """Call `function` on the loop, from any thread."""
        self._calls.add(function, *args)

    def _cancel_at(self, until: float, task: asyncio.Task[Any], progress: Progress) -> None:
        def cancel() -> None:
            progress.expired = task.cancel()

        timer = self._loop.call_later(max(0.0, until - time.monotonic()), cancel)
        task.add_done_callback(lambda _: timer.cancel())

    def _tick(self) -> None:
        SUSPENSION.tick()
        self._loop.call_later(TICK, self._tick)

    def is_current(self) -> bool:
        """Whether the caller is on the loop's own thread, where waiting would deadlock."""
        return threading.get_ident() == self._thread.ident

    def _run(self) -> None:
        """Run the loop until the process exits.

        `SystemExit` and `KeyboardInterrupt` from any callback, such as a log handler, leave
        `run_forever`. Pending callbacks remain scheduled, so the loop is entered again.
        """
        asyncio.set_event_loop(self._loop)
        self._loop.call_soon(self._tick)
        while True:
            try:
                self._loop.run_forever()
            except (SystemExit, KeyboardInterrupt):
                with suppress(BaseException):  # A log handler may have raised it.
                    log.exception("ignored a request to exit on the client's event loop")


def _settle(
    task: asyncio.Task[T], outcome: concurrent.futures.Future[T], progress: Progress | None
) -> None:
    error = _cancellation_error(progress) if task.cancelled() else task.exception()
    if not outcome.set_running_or_notify_cancel():
        return  # The user cancelled it.
    if error is not None:
        raised = as_raised(error) or error
        strip_internal_frames(raised)
        outcome.set_exception(raised)
    else:
        outcome.set_result(task.result())


def _cancellation_error(progress: Progress | None) -> Exception:
    """The error for a task that was cancelled although its future was not."""
    if progress is not None and progress.expired:
        return progress.error("cancelled at its deadline", progress.allowed)
    return ClientClosedError("the client was closed while this request was in progress")


_lock = threading.Lock()
_current: BackgroundLoop | None = None


def background_loop() -> BackgroundLoop:
    """The loop of this process, started on first use."""
    global _current
    with _lock:
        if _current is None:
            _current = BackgroundLoop()
        return _current


def loop_if_started() -> BackgroundLoop | None:
    """The loop of this process, if started. Takes no lock: finalizers may call it."""
    return _current


def _forget_after_fork() -> None:
    """Threads don't survive a fork; the child process starts its own loop on first use."""
    global _current, _lock
    _current, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
