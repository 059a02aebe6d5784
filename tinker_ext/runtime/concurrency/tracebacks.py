"""What an error remembers of the way it came."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from tinker_ext.errors import TinkerError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Ours, and those of what we call: their variables are the client, and requests with their headers.
_INNER = frozenset(
    {"tinker_ext", "tinker_api", "tenacity", "httpx", "httpcore", "anyio", "h11", "h2"}
    | {"aiohttp", "aiohappyeyeballs", "yarl"}
    | {"asyncio", "concurrent", "contextlib", "json"}
)


def strip_internal_frames(error: BaseException) -> None:
    """Drop from the tracebacks of an error and its causes the frames that are not the user's.

    An error that is kept would otherwise keep the client with its session and sockets, and a
    reporter that shows variables would show the key. A `TinkerError` says what a user needs, and
    its traceback then begins at the user's line. Any other error is a mistake in a program, ours
    or a loss function's: it keeps its lines, and loses the variables of the inner frames.
    """
    for link in _chain(error):
        if link.__suppress_context__:
            link.__context__ = None  # Shown by nobody; a JSONDecodeError, say, with the whole body.
        if isinstance(error, TinkerError):
            link.__traceback__ = _of_the_user(link.__traceback__)
        else:
            _clear(link.__traceback__)


def _of_the_user(trace: TracebackType | None) -> TracebackType | None:
    kept = [one for one in _steps(trace) if not _is_inner(one)]
    rebuilt: TracebackType | None = None
    for one in reversed(kept):
        rebuilt = TracebackType(rebuilt, one.tb_frame, one.tb_lasti, one.tb_lineno)
    return rebuilt


def _clear(trace: TracebackType | None) -> None:
    for one in _steps(trace):
        if _is_inner(one):
            try:
                one.tb_frame.clear()
            except RuntimeError:
                continue  # It is still running.


def _is_inner(step: TracebackType) -> bool:
    return str(step.tb_frame.f_globals.get("__name__")).partition(".")[0] in _INNER


def _steps(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error with its causes and contexts, each once."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [link for link in (one.__cause__, one.__context__) if link is not None]
