"""Removes the client's frames from tracebacks."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from tinker_ext.errors import TinkerError

if TYPE_CHECKING:
    from collections.abc import Iterator

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
