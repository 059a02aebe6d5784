"""The user's handle of a pending request."""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Coroutine, Generator, Iterator
from concurrent.futures import Future
from concurrent.futures._base import CANCELLED_AND_NOTIFIED
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cached_property
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from tinker_ext import tracing
from tinker_ext.errors import DeadlineExceededError, TinkerError
from tinker_ext.runtime.concurrency.caller_executor import CallerExecutor, wait, wait_async
from tinker_ext.runtime.concurrency.loop import TaskFuture, background_loop
from tinker_ext.runtime.concurrency.user_code import CallbackFuture, strip_internal_frames
from tinker_ext.timeouts import Progress, check_timeout, seconds_until

T = TypeVar("T")
U = TypeVar("U")


class _Unsettled:
    """The type of `_UNSETTLED`."""


# In place of a result that has not been decoded; None may be a result.
_UNSETTLED = _Unsettled()


class APIFuture(Future[T]):
    """The result of a request. It is fetched in the background, whether or not a caller waits.

    Call `result()` in synchronous code or `await` the future in a coroutine, any number of times.
    The first such call decodes the result. If a wait times out or is cancelled, the request
    continues and can be awaited again; only `cancel()` cancels it. Samples and `compute_logprobs`
    are different in one respect: cancelling the `await` of such a future also cancels its request,
    unless there is another waiter.

    It is also a standard future: `concurrent.futures.wait` and `as_completed` accept it, and so do
    the asyncio functions that accept awaitables or futures. `asyncio.create_task` accepts only
    coroutines: pass it `coroutine()`.

    Example:
        >>> step = training.forward_backward(data, "cross_entropy")
        >>> step.result(timeout=60).metrics
    """

    def __init__(
        self,
        outcome: TaskFuture[Any],
        finish: Callable[[Any], T],
        *,
        work: CallerExecutor | None = None,
        progress: Progress | None = None,
        traced: tracing.Operation | None = None,
    ) -> None:
        # Not `super().__init__()`: the state of the base class is that of `outcome`.
        self._outcome = outcome
        self._progress = progress or Progress()
        self._traced = traced
        self._finish: Callable[[Any], T] | None = finish
        self._work = work
        self._value: T | _Unsettled = _UNSETTLED
        self._error: BaseException | None = None
        self._traceback: TracebackType | None = None
        self._callbacks: dict[object, Callable[[APIFuture[T]], object]] = {}
        # Reentrant, so that a function of `map` that waits for its own future does not deadlock.
        self._lock = threading.RLock()
        self._process = os.getpid()

    def result(self, timeout: float | None = None) -> T:
        """Block until the result is ready, for at most `timeout` seconds.

        Raises:
            DeadlineExceededError: the timeout expired; the error has the last known state. The
                request continues. Also a TimeoutError.
            concurrent.futures.CancelledError: the request was cancelled.
            TinkerError: the request failed; the subclass says how.
            InvalidInputError: `timeout` is not a number.
        """
        until = None if timeout is None else monotonic() + check_timeout(timeout)
        if not self._outcome.done():
            self._check_may_block()
            try:
                with self._waited():
                    wait(self._outcome, self._work, seconds_until(until))
            except TimeoutError:
                raise self._timeout_error(timeout) from None
            except KeyboardInterrupt:
                self._outcome.mark_retrieved()
                self.cancel()
                raise
            except Exception:
                raise
            except BaseException:  # Raised here by a custom loss.
                self._outcome.mark_retrieved()
                raise
        if until is not None:
            # Another thread may be in the function of `map`.
            if not self._lock.acquire(timeout=seconds_until(until) or 0.0):
                raise self._timeout_error(timeout)
            try:
                return self._settle()
            finally:
                self._lock.release()
        return self._settle()

    async def result_async(self, timeout: float | None = None) -> T:
        """As `result`, without blocking the caller's event loop."""
        seconds = None if timeout is None else check_timeout(timeout)
        if not self._outcome.done():
            self._check_same_process()
            try:
                with self._waited():
                    await wait_async(self._outcome, self._work, seconds)
            except TimeoutError:
                raise self._timeout_error(timeout) from None
            except (KeyboardInterrupt, SystemExit):  # Raised here by a custom loss.
                self._outcome.mark_retrieved()
                raise
        return self._settle()

    def coroutine(self) -> Coroutine[Any, Any, T]:
        """This future as a coroutine, for functions that require one (`asyncio.create_task`).

        As with `await`, cancelling it cancels a sample that has no other waiter.
        """
        return _AbandoningCoroutine(self._await_result(), self._outcome)

    async def _await_result(self) -> T:
        try:
            return await self.result_async()
        except (asyncio.CancelledError, GeneratorExit):
            self._outcome.abandon()
            raise

    def __await__(self) -> Generator[Any, None, T]:
        return self._await_result().__await__()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Block like `result`, and return the error instead of raising it; None on success."""
        try:
            self.result(timeout)
        except BaseException as error:
            if error is self._error:
                return error
            if isinstance(error, TimeoutError) and self._outcome.done():
                return self.exception()  # It completed just after the timeout.
            raise
        return None

    def done(self) -> bool:
        """Whether `result` would return or raise without waiting."""
        self._allow_worker()
        return self._outcome.done()

    def cancelled(self) -> bool:
        """Whether the request was cancelled before its result was ready."""
        return self._outcome.cancelled()

    def cancel(self) -> bool:
        """Cancel the request; False if it was already done. Other requests are not affected."""
        return self._outcome.cancel()

    def map(self, function: Callable[[T], U]) -> APIFuture[U]:
        """A future of `function(result)`; `function` is called once, on first access.

        If Ctrl-C interrupts it, the next access calls it again.
        It is called on the thread that waits. It may wait for other futures, but not for its own.
        """
        mapped = APIFuture(
            self._outcome,
            lambda _: function(self._settle()),
            work=self._work,
            progress=self._progress,
            traced=self._traced,
        )
        mapped._process = self._process  # The request does not run in a forked process.
        return mapped

    def add_done_callback(self, function: Callable[[APIFuture[T]], object]) -> None:
        """Call `function(self)` when done: on the completing thread, or at once if already done.

        The completing thread is usually the client's event loop, so `function` must return quickly.
        Exceptions that it raises there are logged.
        """
        call = function
        if _is_asyncio_callback(function):
            call = _on_running_loop(function)
            self._outcome.waiters.add(function)
        self._check_waitable()
        key = object()
        self._callbacks[key] = function
        self._outcome.add_done_callback(lambda _: key in self._callbacks and call(self))
        self._allow_worker()

    def remove_done_callback(self, function: Callable[[APIFuture[T]], object]) -> int:
        """Remove a callback, as asyncio futures do; return how often it had been added."""
        keys = [key for key, callback in self._callbacks.items() if callback == function]
        for key in keys:
            del self._callbacks[key]
        if _is_asyncio_callback(function):
            self._outcome.waiters.discard(function)
        return len(keys)

    def future(self) -> Future[T]:
        """A standard future of the same result that is not an `APIFuture`.

        Its result is decoded on the completing thread. Cancelling it cancels the request; until
        then it counts as a waiter.
        """
        self._check_waitable()
        outcome, standard = self._outcome, _StandardFuture[T](self._check_may_wait)
        outcome.waiters.add(standard)
        standard.add_done_callback(lambda done: done.cancelled() and outcome.cancel())
        outcome.add_done_callback(lambda _: self._settle_into(standard))
        self._allow_worker()
        return standard

    def __repr__(self) -> str:
        # The error of asyncio.create_task contains this text.
        return (
            f"<APIFuture {self._description()}; "
            "await it, or pass .coroutine() where a coroutine is required>"
        )

    def _description(self) -> str:
        """The operation, its state, and the last state that the server reported."""
        operation = self._outcome.operation or self._progress.operation
        name = f"{operation}: " if operation else ""
        if self.cancelled():
            return f"{name}cancelled"
        if self._outcome.done():
            # Not `outcome.exception()`, which marks the error as retrieved.
            error = Future.exception(self._outcome)
            return f"{name}done" if error is None else f"{name}failed, {type(error).__name__}"
        seen = f", {self._progress.last_seen}" if self._progress.last_seen else ""
        return f"{name}pending{seen}"

    def _ipython_display_(self) -> None:
        """Show the state in a notebook, and update it until the request is done."""
        from tinker_ext.runtime.concurrency.notebook import show_until_done

        started, done = time.monotonic(), threading.Event()
        self._outcome.add_done_callback(lambda _: done.set())

        def describe() -> str:
            seconds = time.monotonic() - started
            shown = f" ({seconds:.0f} s since it was shown)" if seconds >= 1 else ""
            return self._description() + shown

        show_until_done(describe, done)

    def __reduce__(self) -> Any:
        raise TypeError("a future belongs to its process and can't be pickled; pickle its result")

    def _waited(self) -> AbstractContextManager[None]:
        """Counts a waiter while the block runs."""
        traced = self._traced
        return self._outcome.awaited() if traced is None else self._traced_wait(traced)

    @contextmanager
    def _traced_wait(self, traced: tracing.Operation) -> Iterator[None]:
        with tracing.waiting(traced), self._outcome.awaited():
            yield

    def _get_snapshot(self) -> tuple[bool, bool, T | None, BaseException | None]:
        """Done, cancelled, result, error; `asyncio.wrap_future` of Python 3.14 calls this."""
        if not self._outcome.done() or self._outcome.cancelled():
            return self._outcome.done(), self._outcome.cancelled(), None, None
        error = self.exception()
        return True, False, self.result() if error is None else None, error

    if not TYPE_CHECKING:  # Attributes of the base class.
        # What `concurrent.futures.wait` and `as_completed` use of a future.

        @property
        def _condition(self) -> Any:
            return self._outcome._condition

        @property
        def _state(self) -> str:
            """A cancelled future counts as done even if its task is still ending."""
            return CANCELLED_AND_NOTIFIED if self._outcome.cancelled() else self._outcome._state

        @cached_property
        def _waiters(self) -> _StandardWaiters:
            return _StandardWaiters(self)

    def _timeout_error(self, timeout: float | None) -> DeadlineExceededError:
        return self._progress.error("no result yet; the request continues", timeout)

    def _settle(self) -> T:
        """Decode the result unless another thread has; the outcome must be done.

        Raises:
            TinkerError: called by the function that computes the result.
        """
        with self._lock:
            finish, self._finish = self._finish, None
            if finish is not None:
                self._error = None
                try:
                    received = self._outcome.result()
                    if self._traced is None:
                        self._value = finish(received)
                    else:
                        with tracing.decoding(self._traced):
                            self._value = finish(received)
                except BaseException as error:
                    if isinstance(error, TinkerError):
                        strip_internal_frames(error)
                    self._error, self._traceback = error, error.__traceback__
                    if isinstance(error, KeyboardInterrupt):
                        self._finish = finish  # It was interrupted; the next call repeats it.
            elif self._value is _UNSETTLED and self._error is None:
                raise TinkerError(
                    "the function passed to map() waits for the result of its own future, which "
                    "would deadlock; use its argument, the result of the original future"
                )
        if self._error is not None:
            # Without the frames of earlier calls that raised it.
            raise self._error.with_traceback(self._traceback)
        return cast("T", self._value)

    def _settle_into(self, standard: Future[T]) -> None:
        """Copy the decoded result to another future; the outcome must be done."""
        if self._outcome.cancelled():
            standard.cancel()
        if not standard.set_running_or_notify_cancel():
            return
        try:
            standard.set_result(self._settle())
        except BaseException as error:
            standard.set_exception(error)

    def _allow_worker(self) -> None:
        if self._work is not None and not self._outcome.done():
            self._work.allow_worker_thread()

    def _check_may_block(self) -> None:
        self._check_same_process()
        if background_loop().is_current():
            raise TinkerError(
                "result() was called on the client's own event loop thread, where it would "
                "deadlock; call it on another thread, or await the future"
            )
        _warn_about_running_loop()

    def _check_may_wait(self) -> None:
        """Check, for a wait outside of this class, that it would not deadlock."""
        self._check_may_block()
        if self._work is not None:
            self._work.check_may_wait(self._outcome.position)

    def _check_waitable(self) -> None:
        if not self._outcome.done():
            self._check_same_process()

    def _check_same_process(self) -> None:
        if os.getpid() != self._process:
            raise TinkerError(
                "this future was created before a fork, and its request runs in the parent "
                "process; repeat the call in this process"
            )


class _StandardFuture(CallbackFuture[T]):
    """A standard future that calls `check` before a wait that would block."""

    def __init__(self, check: Callable[[], None]) -> None:
        super().__init__()
        self._check: Callable[[], None] | None = check
        self.add_done_callback(lambda _: self._forget())

    def _forget(self) -> None:
        self._check = None  # It refers to the original future.

    def _check_may_wait(self) -> None:
        check = self._check
        if check is not None and not self.done():
            check()

    def result(self, timeout: float | None = None) -> T:
        self._check_may_wait()
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self._check_may_wait()
        return super().exception(timeout)


class _StandardWaiters(list[Any]):
    """The list to which `concurrent.futures.wait` and `as_completed` add their waiters.

    Each counts as a waiter of the request. None of them runs custom losses, so those run on a
    worker thread.
    """

    def __init__(self, future: APIFuture[Any]) -> None:
        super().__init__()
        self._reference = weakref.ref(future)
        self._announced = False

    @property
    def _future(self) -> APIFuture[Any]:
        future = self._reference()
        assert future is not None  # Its waiters refer to it.
        return future

    def append(self, waiter: Any) -> None:
        future = self._future
        if not future._outcome.done():
            future._check_may_wait()
        if not self._announced:
            self._announced = True
            future._outcome.add_done_callback(self._announce)
        super().append(waiter)
        future._outcome.waiters.add(waiter)
        future._allow_worker()

    def _announce(self, outcome: Future[Any]) -> None:
        """Notify the waiters that the future is done."""
        with outcome._condition:
            waiters = list(self)
        if not waiters:
            return
        # Not `outcome.exception()`, which marks the error as retrieved.
        failed = not outcome.cancelled() and Future.exception(outcome) is not None
        future = self._future
        for waiter in waiters:
            if outcome.cancelled():
                waiter.add_cancelled(future)
            elif failed:
                waiter.add_exception(future)
            else:
                waiter.add_result(future)

    def remove(self, waiter: Any) -> None:
        super().remove(waiter)
        self._future._outcome.waiters.discard(waiter)


class _AbandoningCoroutine(Coroutine[Any, Any, T]):
    """A coroutine that abandons its request also if it is ended before its first step.

    asyncio ends a task that is cancelled so early without running any of its code.
    """

    def __init__(self, waiting: Coroutine[Any, Any, T], outcome: TaskFuture[Any]) -> None:
        self._waiting = waiting
        self._outcome = outcome

    def send(self, value: Any) -> Any:
        return self._waiting.send(value)

    def throw(self, *error: Any) -> Any:
        unstarted = inspect.getcoroutinestate(self._waiting) == inspect.CORO_CREATED
        try:
            return self._waiting.throw(*error)
        finally:
            if unstarted:
                self._outcome.abandon()

    def close(self) -> None:
        if inspect.getcoroutinestate(self._waiting) == inspect.CORO_CREATED:
            self._outcome.abandon()
        self._waiting.close()

    def __await__(self) -> Generator[Any, Any, T]:
        return self._waiting.__await__()


def _is_asyncio_callback(function: Callable[..., object]) -> bool:
    """Whether this is the callback with which `asyncio.wait` waits."""
    return getattr(function, "__module__", None) == "asyncio.tasks"


def _on_running_loop(function: Callable[[APIFuture[T]], object]) -> Callable[..., object]:
    """Wrap `function` to run on this thread's event loop when called from any thread."""
    loop = asyncio.get_running_loop()

    def call(future: APIFuture[T]) -> None:
        with suppress(RuntimeError):  # The waiting loop is closed.
            loop.call_soon_threadsafe(function, future)

    return call


_warned_about_loop = False


def _warn_about_running_loop() -> None:
    global _warned_about_loop
    if _warned_about_loop:
        return
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    _warned_about_loop = True
    warnings.warn(
        "this call blocks a running event loop; await the future or the *_async method instead",
        RuntimeWarning,
        stacklevel=user_stacklevel(),
    )


def user_stacklevel() -> int:
    """The `stacklevel` for a warning of the caller that points at the user's code."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == "tinker_ext":
        level, frame = level + 1, frame.f_back
    return level


def waited(future: APIFuture[Any], *, blocking: bool) -> AbstractContextManager[None]:
    """Count the block as a wait for `future`, also in traces, if it waits by other means.

    Raises:
        TinkerError: `blocking` is true and the block would deadlock on this thread.
    """
    if blocking:
        future._check_may_block()
    return future._waited()


def done_future() -> APIFuture[None]:
    """A future that is already done."""
    outcome: TaskFuture[None] = TaskFuture()
    outcome.set_result(None)
    return APIFuture(outcome, lambda _: None)
