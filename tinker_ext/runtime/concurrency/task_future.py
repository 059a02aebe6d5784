"""What becomes of a request, and a line in the log where nobody asks."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeVar

from tinker_ext import tracing
from tinker_ext.errors import ClientClosedError
from tinker_ext.runtime.concurrency.user_code import CallbackFuture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tinker_ext.runtime.concurrency.log_throttle import LogThrottle

T = TypeVar("T")


class TaskFuture(CallbackFuture[T]):
    """The future between the loop's task and the user's `APIFuture`.

    A failure that was never retrieved when the last reference to it goes is logged: a
    `forward_backward` whose result is thrown away would else fail unseen, and the optimizer step
    behind it have no gradients.

    Attributes:
        operation: its name in the log; None logs nothing.
        seldom: limits how often the failures of an operation are logged; None does not.
        cancel_unawaited: whether `abandon` cancels it.
        waiters: one object for each thread, task or function that waits, of any type.
    """

    operation: str | None = None
    seldom: LogThrottle | None = None
    cancel_unawaited = False
    _asked = False

    def __init__(self) -> None:
        super().__init__()
        self.waiters: set[object] = set()

    @contextlib.contextmanager
    def awaited(self) -> Iterator[None]:
        """Count one waiter more while the block runs; from any thread."""
        waiter = object()
        self.waiters.add(waiter)
        try:
            yield
        finally:
            self.waiters.discard(waiter)

    def abandon(self) -> None:
        """Cancel the request if it is not to outlive its waiters, and the last of them has gone."""
        if self.cancel_unawaited and not self.waiters:
            self.cancel()

    def result(self, timeout: float | None = None) -> T:
        self._asked = True
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self._asked = True
        return super().exception(timeout)

    def __del__(self) -> None:
        if self._asked or self.operation is None or not self.done() or self.cancelled():
            return
        error = super().exception()
        if error is None or isinstance(error, ClientClosedError):
            return
        with contextlib.suppress(Exception):  # The interpreter may be half gone.
            if self.seldom is None or self.seldom.should_log((self.operation, "never retrieved")):
                tracing.log.warning(
                    "%s failed and its exception was never retrieved: %s", self.operation, error
                )
