"""How far a request of the user's has come, and how long it may take as a whole."""

from __future__ import annotations

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
    """Kept by the work itself, for whoever waits for it and is told that it takes too long.

    Attributes:
        until: when the work is given up, in monotonic time; None for no such moment.
        allowed: how many seconds that was from the start.
        expired: whether it was given up because of that.
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


#: That of the running task; set when the task is made.
current_progress: ContextVar[Progress | None] = ContextVar("tinker_ext_progress", default=None)

_deadline: ContextVar[tuple[float, float] | None] = ContextVar("tinker_ext_deadline", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Give up requests made in this block when they are not done after `seconds`.

    The time is that of the whole block, from its beginning: waiting in line, submission, retries,
    pauses, and the wait for the result. What is given up raises DeadlineExceededError from its
    future, which tells the request id and what was seen last. Of blocks in each other the one that
    ends first counts. What the server has already taken in may still be done there.

    Example:
        >>> with tinker.deadline(120):
        ...     step = training.forward_backward(data, "cross_entropy")
        >>> step.result()

    Raises:
        InvalidInputError: `seconds` is not above 0.
    """
    if not seconds > 0:
        raise InvalidInputError(f"expected more than 0, got {seconds}", where="seconds")
    outer, until = _deadline.get(), time.monotonic() + seconds
    inner = outer if outer is not None and outer[0] < until else (until, seconds)
    token = _deadline.set(inner)
    try:
        yield
    finally:
        _deadline.reset(token)


def new_progress(operation: str | None) -> Progress:
    """Of work that starts now, with the deadline of the block it was asked for in."""
    until, allowed = _deadline.get() or (None, None)
    return Progress(until, allowed, operation=operation)
