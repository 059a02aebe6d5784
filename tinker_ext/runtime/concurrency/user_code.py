"""Calls the user's functions (losses, callbacks, observers) without stopping the event loop.

asyncio stops the loop on `SystemExit` and `KeyboardInterrupt`, treats `CancelledError` as the
cancellation of a task, and can't deliver `StopIteration`.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from tinker_ext.errors import TinkerError
from tinker_ext.tracing import log

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class CarriedError(Exception):
    """Carries an exception that asyncio would act on from the user's code to the caller."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(type(error).__name__)
        self.error = error


def as_carried(error: BaseException) -> Exception:
    """The exception to raise on the loop in place of one that the user's code raised."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration | StopAsyncIteration):
        return error
    return CarriedError(error)


def as_raised(error: BaseException | None) -> BaseException | None:
    """The exception as the user's code raised it, for the caller."""
    return error.error if isinstance(error, CarriedError) else error


def describe(error: BaseException) -> str:
    """An exception on one line: the message of a `TinkerError`, else its class and message."""
    raised = as_raised(error) or error
    text = str(raised)
    if isinstance(raised, TinkerError):
        return text
    return f"{type(raised).__name__}: {text}" if text else type(raised).__name__


def notify(function: Callable[..., object], *args: object, name: str) -> None:
    """Call an observer on the loop. Any exception, also `SystemExit`, is logged and suppressed."""
    try:
        function(*args)
    except BaseException:
        log.exception("the %s failed", name)


class CallbackFuture(Future[T]):
    """A future whose done callbacks can't stop the thread that completes it, or each other.

    The standard library logs only subclasses of `Exception` that a callback raises. This class logs
    any exception, unless the callback runs in `add_done_callback` itself because the future is
    done: then it propagates to the caller.
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
