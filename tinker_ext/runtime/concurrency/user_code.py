"""Calls the user's functions (losses, callbacks, observers) without stopping the event loop.

asyncio stops the loop on `SystemExit` and `KeyboardInterrupt`, treats `CancelledError` as the
cancellation of a task, and can't deliver `StopIteration`. Errors for the user lose our frames.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from types import TracebackType
from typing import TypeVar

from tinker_ext.errors import TinkerError
from tinker_ext.tracing import log

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


# Our packages and those we call: their local variables include the client and request headers.
_INTERNAL = frozenset(
    {"tinker_ext", "tinker_api", "tenacity", "httpx", "httpcore", "anyio", "h11", "h2"}
    | {"asyncio", "concurrent", "contextlib", "json"}
)


def strip_internal_frames(error: BaseException) -> None:
    """Remove internal frames from the tracebacks of an error and its causes.

    A stored error would otherwise keep the client, its session and sockets alive, and an error
    reporter that shows local variables would show the key. The message of a `TinkerError` is
    sufficient, so its traceback starts at the user's line. Any other error is a bug, in the client
    or in a loss function: its traceback keeps all frames, but internal ones lose their variables.
    """
    for link in _chain(error):
        if link.__suppress_context__:
            link.__context__ = None  # Never shown; e.g. a JSONDecodeError, which holds the body.
        if isinstance(error, TinkerError):
            link.__traceback__ = _without_internal_frames(link.__traceback__)
        else:
            _clear_internal_frames(link.__traceback__)


def _without_internal_frames(trace: TracebackType | None) -> TracebackType | None:
    steps = [step for step in _steps(trace) if not _is_internal(step)]
    rebuilt: TracebackType | None = None
    for step in reversed(steps):
        rebuilt = TracebackType(rebuilt, step.tb_frame, step.tb_lasti, step.tb_lineno)
    return rebuilt


def _clear_internal_frames(trace: TracebackType | None) -> None:
    for step in _steps(trace):
        if _is_internal(step):
            try:
                step.tb_frame.clear()
            except RuntimeError:
                continue  # The frame is still running.


def _is_internal(step: TracebackType) -> bool:
    return str(step.tb_frame.f_globals.get("__name__")).partition(".")[0] in _INTERNAL


def _steps(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error with its causes and contexts, each once."""
    waiting, seen = [error], set[int]()
    while waiting:
        link = waiting.pop()
        if id(link) not in seen:
            seen.add(id(link))
            yield link
            waiting += [e for e in (link.__cause__, link.__context__) if e is not None]
