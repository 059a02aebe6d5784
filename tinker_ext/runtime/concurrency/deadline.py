"""Deadlines for calls, and the progress that their errors report."""

from __future__ import annotations

import math
import threading
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from attrs import define

from tinker_ext.errors import DeadlineExceededError, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator


@define
class Progress:
    """The progress of a call, updated by its task and reported when it exceeds its deadline.

    Attributes:
        until: the deadline in monotonic time; None without a deadline.
        allowed: the deadline in seconds from the start of the block.
        expired: whether the task was cancelled because of the deadline.
    """

    until: float | None = None
    allowed: float | None = None
    expired: bool = False
    operation: str | None = None
    request_id: str | None = None
    last_seen: str | None = None

    def error(self, message: str, allowed: float | None) -> DeadlineExceededError:
        return DeadlineExceededError(
            message,
            last_seen=self.last_seen,
            deadline=allowed,
            operation=self.operation,
            request_id=self.request_id,
        )


#: The running task's progress; set when the task is created.
current_progress: ContextVar[Progress | None] = ContextVar("tinker_ext_progress", default=None)

_deadline: ContextVar[tuple[float, float] | None] = ContextVar("tinker_ext_deadline", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Cancel calls made in this block if they are not done `seconds` after the block began.

    The deadline covers queueing, submission, retries, pauses and the wait for the result. The
    future of a cancelled call raises DeadlineExceededError, which names the request id and the last
    known state. In nested blocks, the earliest deadline applies. The server may still execute
    requests that it has accepted.

    Example:
        >>> with tinker.deadline(120):
        ...     step = training.forward_backward(data, "cross_entropy")
        >>> step.result()

    Raises:
        InvalidInputError: `seconds` is not a number above 0.
    """
    seconds = check_timeout(seconds, "seconds")
    if not seconds > 0:
        raise InvalidInputError(f"expected more than 0, got {seconds}", where="seconds")
    outer, until = _deadline.get(), time.monotonic() + seconds
    inner = outer if outer is not None and outer[0] < until else (until, seconds)
    token = _deadline.set(inner)
    try:
        yield
    finally:
        _deadline.reset(token)


def check_timeout(timeout: float, where: str = "timeout") -> float:
    """Returns the timeout in seconds, as a float. `where` is the name of the argument.

    Raises:
        InvalidInputError: it is not a number.
    """
    try:
        seconds = timeout + 0.0  # Not float(), which reads text.
    except (TypeError, OverflowError):
        seconds = math.nan
    if isinstance(seconds, complex) or math.isnan(seconds):
        raise InvalidInputError(f"expected a number of seconds, got {timeout!r}", where=where)
    return float(seconds)


def seconds_until(until: float | None) -> float | None:
    """The seconds until a monotonic time, 0 if it is past, limited to what a lock can wait for.

    None if `until` is None.
    """
    if until is None:
        return None
    return min(max(0.0, until - time.monotonic()), threading.TIMEOUT_MAX)


def new_progress(operation: str | None) -> Progress:
    """The progress of a call that starts now, with the deadline of the current block."""
    until, allowed = _deadline.get() or (None, None)
    return Progress(until, allowed, operation=operation)
