"""What becomes of a request, and a line in the log where nobody asks."""

from __future__ import annotations

import contextlib
from typing import TypeVar

from tinker_ext import tracing
from tinker_ext.errors import ClientClosedError
from tinker_ext.runtime.user_code import CallbackFuture

T = TypeVar("T")


class Outcome(CallbackFuture[T]):
    """The future between the loop's task and the user's `APIFuture`.

    A failure that nobody has asked for when the last reference to it goes is logged: a
    `forward_backward` whose result is thrown away would else fail unseen, and the optimizer step
    behind it have no gradients.
    """

    operation: str | None = None
    _asked = False

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
            tracing.log.warning("%s failed, and nobody asked: %s", self.operation, error)
