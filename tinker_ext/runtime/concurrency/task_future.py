"""A future that logs its error if it is dropped before anyone retrieves it."""

from __future__ import annotations

import contextlib
import weakref
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, TypeVar

from tinker_ext import tracing
from tinker_ext.errors import ClientClosedError
from tinker_ext.runtime.concurrency.user_code import CallbackFuture, describe

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from tinker_ext.runtime.concurrency.log_throttle import LogThrottle

T = TypeVar("T")


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
    _retrieved = False

    def __init__(self) -> None:
        super().__init__()
        self.waiters: set[object] = set()
        self._task: weakref.ref[asyncio.Task[T]] | None = None
        self._call_soon: Callable[..., None] | None = None

    def runs_as(self, task: asyncio.Task[T], call_soon: Callable[..., None]) -> None:
        """Cancel `task` when this future is cancelled; `call_soon` calls a function on its loop.

        The task is not referred to strongly: a future may be kept for long, and must not keep the
        task, its context and its traceback alive.
        """
        with self._condition:
            if not self.cancelled():
                self._task, self._call_soon = weakref.ref(task), call_soon
                return
        call_soon(task.cancel)

    def cancel(self) -> bool:
        with self._condition:
            cancelled = super().cancel()
            reference, self._task = self._task, None  # Cancelled once.
        task = None if reference is None else reference()
        if cancelled and task is not None and self._call_soon is not None:
            self._call_soon(task.cancel)
        return cancelled

    def wait(self, timeout: float | None = None) -> None:
        """Block until done, without retrieving the result.

        Raises:
            TimeoutError: it was not done within `timeout` seconds; it is not cancelled.
        """
        with contextlib.suppress(CancelledError):
            super().exception(timeout)

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
