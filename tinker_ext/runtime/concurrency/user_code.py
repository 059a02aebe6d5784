"""Functions of the user's (losses, callbacks, observers) beside an event loop that must go on.

asyncio ends the loop at `SystemExit` and `KeyboardInterrupt`, takes `CancelledError` for the
cancellation of a task, and can't deliver `StopIteration`.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from tinker_ext.tracing import log

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class CarriedError(Exception):
    """Carries an exception that asyncio would act on from the user's code to the waiting caller."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(type(error).__name__)
        self.error = error


def as_carried(error: BaseException) -> Exception:
    """The exception to raise on the loop for one that the user's code raised elsewhere."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration | StopAsyncIteration):
        return error
    return CarriedError(error)


def as_raised(error: BaseException | None) -> BaseException | None:
    """The exception as the user's code raised it, for the caller who waits."""
    return error.error if isinstance(error, CarriedError) else error


def notify(function: Callable[..., object], *args: object, name: str) -> None:
    """Call an observer on the loop. Any exception, also one to exit, is logged and swallowed."""
    try:
        function(*args)
    except BaseException:
        log.exception("the %s failed", name)


class CallbackFuture(Future[T]):
    """A future with done callbacks that neither end the thread that finishes it nor each other.

    The standard library's logs an `Exception` of a callback. This one also logs any other, unless
    it is raised in `add_done_callback` itself because the future was done: then its caller gets it.
    """

    def add_done_callback(self, fn: Callable[[Future[T]], object]) -> None:
        caller, adding = threading.get_ident(), True

        def call(future: Future[T]) -> None:
            try:
                fn(future)
            except Exception:
                raise
            except BaseException:
                if adding and threading.get_ident() == caller:
                    raise
                log.exception("a done callback failed")

        try:
            super().add_done_callback(call)
        finally:
            adding = False
