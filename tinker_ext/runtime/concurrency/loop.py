"""The background event loop: one daemon thread, shared by all clients of the process.

Calls are handed over to it, and back to the loops of callers, many with one wake-up.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from contextvars import Context, copy_context
from typing import Any, Generic, TypeVar

from attrs import define, field

from tinker_ext import tracing
from tinker_ext.errors import ClientClosedError
from tinker_ext.runtime.concurrency.tasks import LogThrottle, retrieve_exception
from tinker_ext.runtime.concurrency.user_code import (
    CallbackFuture,
    as_raised,
    describe,
    strip_internal_frames,
)
from tinker_ext.timeouts import SUSPENSION, TICK, Progress, current_progress
from tinker_ext.tracing import log

T = TypeVar("T")

# Number of running calls from which on threads that wait for results are woken together, and the
# delay in seconds. Ours: of 5.8 voluntary switches to another thread per small training step, 2.0
# remain, and a program with one request at a time does not wait.
MANY_CALLS = 16
WAKE_INTERVAL = 0.002


class CallQueue:
    """Calls functions on an event loop, from any thread, with one wake-up for all that are waiting.

    A wake-up is a system call during which another thread takes the interpreter lock.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._waiting: deque[tuple[Callable[..., object], tuple[object, ...]]] = deque()
        self._woken = False

    def add(self, function: Callable[..., object], *args: object) -> None:
        """Call `function` soon, after those added before.

        Raises:
            RuntimeError: the loop is closed or gone.
        """
        self._waiting.append((function, args))
        if not self._woken:
            try:
                self._woken = True
                loop = self._loop()
                if loop is None:
                    raise RuntimeError("the event loop is gone")
                loop.call_soon_threadsafe(self._call_all)
            except RuntimeError:
                self._woken = False
                self._waiting.clear()
                raise
            except BaseException:  # Ctrl-C, or a signal handler that raises.
                self._woken = False  # The next call wakes the loop, perhaps once more.
                raise

    def _call_all(self) -> None:
        """Call the functions as the loop would, but all in one of its iterations."""
        self._woken = False  # First: a function added from now on needs another wake-up.
        while self._waiting:
            function, args = self._waiting.popleft()
            try:
                function(*args)
            except Exception as error:
                report = {"message": f"exception in {function}", "exception": error}
                asyncio.get_running_loop().call_exception_handler(report)
            except BaseException:  # It leaves `run_forever`; the others remain scheduled.
                self._woken = True
                asyncio.get_running_loop().call_soon(self._call_all)
                raise


_queues: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, CallQueue] = (
    weakref.WeakKeyDictionary()
)


def calls_of(loop: asyncio.AbstractEventLoop) -> CallQueue:
    """The queue of a loop of the caller; called on that loop."""
    queue = _queues.get(loop)
    if queue is None:
        queue = _queues[loop] = CallQueue(loop)
    return queue


class _Waiter:
    """Adds itself to a set while the block runs."""

    __slots__ = ("_waiters",)

    def __init__(self, waiters: set[object]) -> None:
        self._waiters = waiters

    def __enter__(self) -> None:
        self._waiters.add(self)

    def __exit__(self, *_: object) -> None:
        self._waiters.discard(self)


class TaskFuture(CallbackFuture[T]):
    """The future between the loop's task and the user's `APIFuture`.

    It logs an error that was not retrieved before the future is garbage-collected. Otherwise a
    `forward_backward` with an unused result could fail unnoticed, and the next optimizer step would
    have no gradients.

    Attributes:
        operation: the name to log; None disables logging.
        throttle: limits how often the errors of an operation are logged; None for no limit.
        position: that of its operation in the order of the model's calls; None without an order.
        cancel_unawaited: whether `abandon` cancels the future.
        waiters: one object of any type per waiting thread, task or callback.
    """

    operation: str | None = None
    throttle: LogThrottle | None = None
    position: int | None = None
    cancel_unawaited = False
    _retrieved = _wakes_threads = False

    def __init__(self) -> None:
        super().__init__()
        self.waiters: set[object] = set()
        self._wakes: set[Callable[[], object]] = set()
        self._call: weakref.ref[_Call[T]] | None = None
        self._call_soon: Callable[..., None] | None = None

    def runs_as(self, call: _Call[T], call_soon: Callable[..., None]) -> None:
        """Cancel `call` when this future is cancelled; `call_soon` calls a function on its loop.

        The call is not referred to strongly: a future may be kept for long, and must not keep the
        task, its context and its traceback alive.
        """
        with self._condition:
            if not self.cancelled():
                self._call, self._call_soon = weakref.ref(call), call_soon
                return
        call.cancel()

    def cancel(self) -> bool:
        with self._condition:
            cancelled = super().cancel()
            reference, self._call = self._call, None  # Cancelled once.
        call = None if reference is None else reference()
        if cancelled and call is not None and self._call_soon is not None:
            self._call_soon(call.cancel)
        return cancelled

    def add_wake(self, wake: Callable[[], object]) -> None:
        """Call `wake`, which wakes a waiting thread, when the future is done."""
        with self._condition:
            self._wakes.add(wake)
        if not self._wakes_threads:  # In this order: Ctrl-C may interrupt it anywhere.
            super().add_done_callback(_wake_threads)
            self._wakes_threads = True
        if self.done():
            wake()

    def remove_wake(self, wake: Callable[[], object]) -> None:
        """Forget a thread that no longer waits."""
        with self._condition:
            self._wakes.discard(wake)

    def awaited(self) -> _Waiter:
        """Count an additional waiter while the block runs; from any thread."""
        return _Waiter(self.waiters)

    def abandon(self) -> None:
        """Cancel the request if the last waiter is gone and `cancel_unawaited` is set."""
        if self.cancel_unawaited and not self.waiters:
            self.cancel()

    def result(self, timeout: float | None = None) -> T:
        self._retrieved = True
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self._retrieved = True
        return super().exception(timeout)

    def mark_retrieved(self) -> None:
        """Don't log a failure: its exception has been raised in the caller's thread."""
        self._retrieved = True

    def __del__(self) -> None:
        if self._retrieved or self.operation is None or not self.done() or self.cancelled():
            return
        error = super().exception()
        if error is None or isinstance(error, ClientClosedError):
            return
        with contextlib.suppress(Exception):  # The interpreter may be shutting down.
            subject = (self.operation, "never retrieved")
            if self.throttle is None or self.throttle.should_log(subject):
                tracing.log.warning(
                    "%s failed and its exception was never retrieved: %s",
                    self.operation,
                    describe(error),
                )


def _wake_threads(outcome: Future[Any]) -> None:
    """Wake the threads that wait. Not a method, so that the future does not refer to itself."""
    assert isinstance(outcome, TaskFuture)
    with outcome._condition:
        wakes = list(outcome._wakes)
    loop = loop_if_started()
    for wake in wakes:
        if loop is None:
            wake()
        else:
            loop.wake(wake)


@define(eq=False)
class _Call(Generic[T]):
    """A coroutine that the loop runs as a task, and the future of its result."""

    loop: BackgroundLoop
    coroutine: Coroutine[Any, Any, T]
    outcome: TaskFuture[T]
    finally_: Callable[[], None] | None
    tasks: set[asyncio.Task[Any]] | None
    progress: Progress | None
    on_done: Callable[[BaseException | None], None] | None
    task: asyncio.Task[T] = field(init=False)
    ended: bool = field(default=False, init=False)

    def start(self, context: Context) -> None:
        loop = self.loop
        loop.running += 1
        task = self.task = loop.asyncio_loop.create_task(self.coroutine, context=context)
        if self.tasks is not None:
            self.tasks.add(task)
        task.add_done_callback(self.end)
        self.outcome.runs_as(self, loop.call_soon)
        progress = self.progress
        if progress is not None and progress.until is not None:
            left = max(0.0, progress.until - time.monotonic())
            timer = loop.asyncio_loop.call_later(left, self.expire, progress)
            task.add_done_callback(lambda _: timer.cancel())

    def cancel(self) -> None:
        """End the call: its task too, or else its future only, until a request has been sent."""
        progress = self.progress
        if progress is not None and progress.sending is not None and progress.sending.sent:
            progress.ended = True
            self.end(self.task)
        else:
            self.task.cancel()

    def expire(self, progress: Progress) -> None:
        """End the call at its deadline."""
        if not self.ended:
            progress.expired = True
            self.cancel()

    def end(self, task: asyncio.Task[T]) -> None:
        """Complete the future as its task ended or was cancelled, even if a callback raises."""
        if task.done():
            if self.tasks is not None:
                self.tasks.discard(task)
            if self.ended:
                retrieve_exception(task)
        if self.ended:
            return
        self.ended = True
        self.loop.running -= 1
        cancelled = not task.done() or task.cancelled()
        error = asyncio.CancelledError() if cancelled else task.exception()
        try:
            if self.finally_ is not None:
                self.finally_()
            if self.on_done is not None:
                self.on_done(error)
        finally:
            try:
                if error is None:
                    self.outcome.set_result(task.result())
                else:
                    raised = self._cancellation_error() if cancelled else as_raised(error) or error
                    strip_internal_frames(raised)
                    self.outcome.set_exception(raised)
            except InvalidStateError:  # The user cancelled it.
                self.outcome.set_running_or_notify_cancel()

    def _cancellation_error(self) -> Exception:
        """The error for a task that was cancelled although its future was not."""
        progress = self.progress
        if progress is not None and progress.expired:
            return progress.error("cancelled at its deadline", progress.allowed)
        return ClientClosedError("the client was closed while this request was in progress")


class BackgroundLoop:
    """Runs coroutines on its own thread, for callers on any thread.

    The thread is a daemon: it does not keep the interpreter alive.

    Attributes:
        asyncio_loop: the event loop, for programs that schedule their own work on it.
        running: the number of calls whose tasks run.
    """

    def __init__(self) -> None:
        self.asyncio_loop = asyncio.new_event_loop()
        self.running = 0
        self._wakes: list[Callable[[], object]] = []
        #: Calls a function on the loop, with the arguments that follow it, from any thread.
        self.call_soon = CallQueue(self.asyncio_loop).add
        self._thread = threading.Thread(target=self._run, name="tinker-ext-loop", daemon=True)
        self._thread.start()

    def submit(
        self,
        coroutine: Coroutine[Any, Any, T],
        *,
        finally_: Callable[[], None] | None = None,
        tasks: set[asyncio.Task[Any]] | None = None,
        progress: Progress | None = None,
        on_done: Callable[[BaseException | None], None] | None = None,
    ) -> TaskFuture[T]:
        """Start `coroutine` on the loop and return its future. May be called from any thread.

        The task runs in a copy of the caller's context (spans). Cancelling the future cancels it.

        Args:
            coroutine: the work to run.
            finally_: called on the loop when the task is done, even if it was cancelled before its
                first step, when a `finally` in the coroutine would not run.
            tasks: a set that holds the task while it runs; accessed on the loop only.
            progress: updated by the task; contains its deadline.
            on_done: called with the error of the task, if any, before the future is completed.
        """
        outcome: TaskFuture[T] = TaskFuture()
        context = copy_context()
        context.run(current_progress.set, progress)
        call = _Call(self, coroutine, outcome, finally_, tasks, progress, on_done)
        self.call_soon(call.start, context)
        return outcome

    def wake(self, wake: Callable[[], object]) -> None:
        """Call `wake`, which wakes a thread that waits for a result.

        While many calls run, threads are woken together after `WAKE_INTERVAL`: each switch to
        another thread costs both of them the interpreter lock, and a thread that waits for many
        results then finds the next ones done.
        """
        if self.running < MANY_CALLS or not self.is_current():
            wake()
            return
        self._wakes.append(wake)
        if len(self._wakes) == 1:
            Context().run(self.asyncio_loop.call_later, WAKE_INTERVAL, self._wake_all)

    def _wake_all(self) -> None:
        wakes, self._wakes = self._wakes, []
        for wake in wakes:
            wake()

    def _tick(self) -> None:
        SUSPENSION.tick()
        self.asyncio_loop.call_later(TICK, self._tick)

    def is_current(self) -> bool:
        """Whether the caller is on the loop's own thread, where waiting would deadlock."""
        return threading.get_ident() == self._thread.ident

    def _run(self) -> None:
        """Run the loop until the process exits.

        `SystemExit` and `KeyboardInterrupt` from any callback, such as a log handler, leave
        `run_forever`. Pending callbacks remain scheduled, so the loop is entered again.
        """
        asyncio.set_event_loop(self.asyncio_loop)
        self.asyncio_loop.call_soon(self._tick)
        while True:
            try:
                self.asyncio_loop.run_forever()
            except (SystemExit, KeyboardInterrupt):
                with suppress(BaseException):  # A log handler may have raised it.
                    log.exception("ignored a request to exit on the client's event loop")


_lock = threading.Lock()
_current: BackgroundLoop | None = None


def background_loop() -> BackgroundLoop:
    """The loop of this process, started on first use."""
    global _current
    if _current is not None:
        return _current
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
