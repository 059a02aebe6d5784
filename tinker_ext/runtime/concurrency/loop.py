"""One daemon thread with one event loop, shared by every client of the process."""

from __future__ import annotations

import asyncio
import os
import threading
import time
import weakref
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, TypeVar

from tinker_ext.errors import ClientClosedError
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
    """Runs coroutines on its own thread, whoever asks.

    The thread is a daemon: it never keeps the interpreter alive.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="tinker-ext-loop", daemon=True)
        self._thread.start()

    def submit(
        self,
        coroutine: Coroutine[Any, Any, T],
        *,
        finally_: Callable[[], None] | None = None,
        tasks: set[asyncio.Task[Any]] | None = None,
        progress: Progress | None = None,
        ended: Callable[[asyncio.Future[Any]], None] | None = None,
    ) -> TaskFuture[T]:
        """Start `coroutine` on the loop and return the future of its outcome, from any thread.

        `finally_` is called on the loop when the task has ended, and also when it was cancelled
        before its first step, where no `finally` of its own would run. Cancelling the returned
        future cancels the task. `tasks` holds the task while it runs; on the loop only. `progress`
        is where the work notes how far it came, and says when it is given up. The task runs in a
        copy of the caller's context (spans). `ended` is given the task when it has ended, before
        anybody can see its outcome.
        """
        outcome: TaskFuture[T] = TaskFuture()
        context = copy_context()
        context.run(current_progress.set, progress)

        def start() -> None:
            task = self._loop.create_task(coroutine, context=context)
            if progress is not None and progress.until is not None:
                self._give_up_at(progress.until, task, progress)
            if tasks is not None:
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            if finally_ is not None:
                task.add_done_callback(lambda _: finally_())
            task.add_done_callback(lambda done: _hand_over(done, outcome, progress, ended))
            outcome.add_done_callback(self._cancelling(task))

        self.call_soon(start)
        return outcome

    def _cancelling(self, task: asyncio.Task[T]) -> Callable[[concurrent.futures.Future[T]], None]:
        """What cancels the task when its outcome was cancelled.

        It holds neither. An outcome may be kept for long: not with the task, its context and its
        traceback. And a future keeps what it has called, so a large result would stay in memory
        until the garbage collector comes.
        """
        running = weakref.ref(task)

        def cancel(outcome: concurrent.futures.Future[T]) -> None:
            if outcome.cancelled() and (it := running()) is not None:
                self.call_soon(it.cancel)

        return cancel

    def call_soon(self, function: Callable[..., object], *args: object) -> None:
        """Call `function` on the loop, from any thread."""
        self._loop.call_soon_threadsafe(function, *args)

    def _give_up_at(self, until: float, task: asyncio.Task[Any], progress: Progress) -> None:
        def give_up() -> None:
            progress.expired = task.cancel()

        timer = self._loop.call_later(max(0.0, until - time.monotonic()), give_up)
        task.add_done_callback(lambda _: timer.cancel())

    def _tick(self) -> None:
        SUSPENSION.tick()
        self._loop.call_later(TICK, self._tick)

    def is_current(self) -> bool:
        """Whether the caller is on the loop's own thread, where waiting would wait for ever."""
        return threading.get_ident() == self._thread.ident

    def _run(self) -> None:
        """Run the loop for as long as the process lives.

        `SystemExit` and `KeyboardInterrupt` leave `run_forever`, wherever they were raised: in a
        log handler, say. Callbacks that were due stay due, so the loop is entered again.
        """
        asyncio.set_event_loop(self._loop)
        self._loop.call_soon(self._tick)
        while True:
            try:
                self._loop.run_forever()
            except (SystemExit, KeyboardInterrupt):
                with suppress(BaseException):  # A log handler may be what raised it.
                    log.exception("an exit was asked for on the client's event loop, which goes on")


def _hand_over(
    task: asyncio.Task[T],
    outcome: concurrent.futures.Future[T],
    progress: Progress | None,
    ended: Callable[[asyncio.Future[Any]], None] | None,
) -> None:
    """Copy the outcome of a task, which whoever looks at its end can't hinder."""
    try:
        if ended is not None:
            ended(task)
    finally:
        _settle(task, outcome, progress)


def _settle(
    task: asyncio.Task[T], outcome: concurrent.futures.Future[T], progress: Progress | None
) -> None:
    """The user may have cancelled the future in the meantime."""
    error = _given_up(progress) if task.cancelled() else as_raised(task.exception())
    if not outcome.set_running_or_notify_cancel():
        return  # The user cancelled it.
    if error is not None:
        strip_internal_frames(error)
        outcome.set_exception(error)
    else:
        outcome.set_result(task.result())


def _given_up(progress: Progress | None) -> Exception:
    """Why a task was cancelled though its future was not."""
    if progress is not None and progress.expired:
        return progress.error("given up at its deadline", progress.allowed)
    return ClientClosedError("the client was closed while this request was under way")


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
    """The loop of this process if it has one. Takes no lock: a finalizer may ask."""
    return _current


def _forget_after_fork() -> None:
    """Threads don't survive a fork: the child starts a loop of its own when it needs one."""
    global _current, _lock
    _current, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
