"""The user's handle on a request that the server is working on."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import warnings
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tinker_ext import tracing
from tinker_ext.errors import DeadlineExceededError, TinkerError
from tinker_ext.runtime.caller_work import CallerWork, wait, wait_async
from tinker_ext.runtime.loop import background_loop
from tinker_ext.runtime.progress import Progress
from tinker_ext.runtime.user_code import CallbackFuture

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

T = TypeVar("T")
U = TypeVar("U")


class APIFuture(Generic[T]):
    """The result of a request, which is being fetched whether or not anybody waits.

    Take it with `result()` from a plain program or with `await` from a coroutine, as often as you
    like. Decoding happens where it is first taken, once. Waiting never owns the request: when a
    wait times out or is cancelled, the request goes on and can be waited for again; only
    `cancel()` gives it up.

    Example:
        >>> step = training.forward_backward(data, "cross_entropy")
        >>> step.result(timeout=60).metrics
    """

    def __init__(
        self,
        outcome: Future[Any],
        finish: Callable[[Any], T],
        *,
        work: CallerWork | None = None,
        progress: Progress | None = None,
        traced: tracing.Operation | None = None,
    ) -> None:
        self._outcome = outcome
        self._progress = progress or Progress()
        self._traced = traced
        self._finish: Callable[[Any], T] | None = finish
        self._work = work
        self._settled: Future[T] = CallbackFuture()
        self._lock = threading.Lock()
        self._process = os.getpid()

    def result(self, timeout: float | None = None) -> T:
        """Block until the result is there, at most `timeout` seconds.

        Raises:
            DeadlineExceededError: not there in time, what was seen last; the request goes on. It
                is a TimeoutError too.
            concurrent.futures.CancelledError: it was cancelled.
            TinkerError: the request failed; which subclass says how.
        """
        if not self._outcome.done():
            self._check_may_block()
            try:
                with tracing.waiting(self._traced):
                    wait(self._outcome, self._work, timeout)
            except TimeoutError:
                raise self._not_yet(timeout) from None
            except KeyboardInterrupt:
                self.cancel()
                raise
        return self._settle()

    async def result_async(self, timeout: float | None = None) -> T:
        """As `result`, without blocking the caller's event loop."""
        if not self._outcome.done():
            self._check_same_process()
            try:
                with tracing.waiting(self._traced):
                    await wait_async(self._outcome, self._work, timeout)
            except TimeoutError:
                raise self._not_yet(timeout) from None
        return self._settle()

    async def coroutine(self) -> T:
        """This future as a coroutine, for what takes nothing else (`asyncio.create_task`)."""
        return await self

    def __await__(self) -> Generator[Any, None, T]:
        return self.result_async().__await__()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Block like `result`, and return the error instead of raising it; None on success."""
        try:
            self.result(timeout)
        except TimeoutError:
            if not self._outcome.done():
                raise
            return self._outcome.exception()
        except Exception as error:
            return error
        return None

    def done(self) -> bool:
        """Whether `result` would return or raise at once."""
        self._nobody_waits()
        return self._outcome.done()

    def cancelled(self) -> bool:
        """Whether `cancel` came before the result."""
        return self._outcome.cancelled()

    def cancel(self) -> bool:
        """Give the request up. False when it was already done. Other requests are not touched."""
        return self._outcome.cancel()

    def map(self, function: Callable[[T], U]) -> APIFuture[U]:
        """A future of `function(result)`; it runs where the new future is first taken, once."""
        return APIFuture(
            self._outcome,
            lambda _: function(self._settle()),
            work=self._work,
            progress=self._progress,
            traced=self._traced,
        )

    def add_done_callback(self, function: Callable[[APIFuture[T]], object]) -> None:
        """Call `function(self)` when done: on the thread that finishes it, or at once if done.

        That thread is usually the client's event loop, so `function` must be quick. Exceptions
        that it raises there are logged.
        """
        self._outcome.add_done_callback(lambda _: function(self))
        self._nobody_waits()

    def future(self) -> Future[T]:
        """A standard future of the same result, for `concurrent.futures.wait` and its like.

        Its result is decoded on the thread that finishes it. Cancelling it gives the request up.
        """
        outcome = self._outcome
        self._settled.add_done_callback(lambda settled: settled.cancelled() and outcome.cancel())
        self._outcome.add_done_callback(lambda _: self._settle_quietly())
        self._nobody_waits()
        return self._settled

    def __repr__(self) -> str:
        state = "cancelled" if self.cancelled() else "done" if self._outcome.done() else "pending"
        return f"<APIFuture {state}>"

    def __reduce__(self) -> Any:
        raise TypeError("a future belongs to its process and can't be pickled; take its result")

    def _not_yet(self, timeout: float | None) -> DeadlineExceededError:
        return self._progress.error("no result yet; the request goes on", timeout)

    def _settle(self) -> T:
        self._settle_quietly()
        return self._settled.result()

    def _settle_quietly(self) -> None:
        """Decode once, whichever thread comes first; the outcome must be done."""
        with self._lock:
            finish, self._finish = self._finish, None
            if finish is None:
                return
            if self._outcome.cancelled():
                self._settled.cancel()
                self._settled.set_running_or_notify_cancel()
                return
            if not self._settled.set_running_or_notify_cancel():
                return
            try:
                with tracing.decoding(self._traced):
                    value = finish(self._outcome.result())
                self._settled.set_result(value)
            except BaseException as error:
                self._settled.set_exception(error)

    def _nobody_waits(self) -> None:
        if self._work is not None and not self._outcome.done():
            self._work.expect_no_waiting()

    def _check_may_block(self) -> None:
        self._check_same_process()
        if background_loop().is_current():
            raise TinkerError(
                "result() was called on the client's own event loop thread, where it would wait "
                "for itself for ever; use a thread of your own, or await the future there"
            )
        _warn_about_running_loop()

    def _check_same_process(self) -> None:
        if os.getpid() != self._process:
            raise TinkerError(
                "this future was made before a fork, and its request runs in the parent process; "
                "make the request again in this one"
            )


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
        "this call blocks a running event loop; await its future there, or its *_async form",
        RuntimeWarning,
        stacklevel=_users_level(),
    )


def _users_level() -> int:
    """The stack level, to a warning of the caller's, of the nearest line that is not ours."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == "tinker_ext":
        level, frame = level + 1, frame.f_back
    return level


def done_future() -> APIFuture[None]:
    """A future of what has been done already."""
    outcome: Future[None] = Future()
    outcome.set_result(None)
    return APIFuture(outcome, lambda _: None)
