"""Clocks, the deadlines of calls with the progress that their errors report, and time limits."""

from __future__ import annotations

import asyncio
import math
import random
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from typing import Any, Protocol, Self
from weakref import WeakKeyDictionary

from attrs import define, field, frozen

from tinker_ext.errors import DeadlineExceededError, InvalidInputError

# Seconds between two ticks of the suspension detector. Ours: short compared with any retry window.
TICK = 1.0


class Suspension:
    """Measures how long the process was suspended: by system sleep, a paused container, SIGSTOP.

    A tick that is more than one interval late indicates a suspension. If the monotonic clock stops
    during system sleep (Linux and macOS laptops), there is nothing to measure. An event loop that
    other threads block for as long counts as suspended, too.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._ticked: float | None = None
        self._before = 0.0

    def tick(self) -> None:
        """Note that the process is running. Must be called every `TICK` seconds."""
        self._before = self.seconds()
        self._ticked = self._now()

    def seconds(self) -> float:
        """Total seconds of suspension so far; never decreases."""
        if self._ticked is None:
            return 0.0
        return self._before + max(0.0, self._now() - self._ticked - 2 * TICK)


SUSPENSION = Suspension()


def _no_suspension() -> float:
    return 0.0


@frozen(eq=False)
class Clock:
    """Monotonic time, wall time (for HTTP dates), sleep, and jitter in [0, 1).

    `suspended` returns the seconds in which the process was suspended, 0 without a detector.
    """

    now: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
    suspended: Callable[[], float] = _no_suspension


REAL_CLOCK = Clock(suspended=SUSPENSION.seconds)


class Sendable(Protocol):
    """A request that knows whether an attempt to send it has begun."""

    @property
    def sent(self) -> bool: ...


@define
class Progress:
    """The progress of a call, updated by its task and reported when it exceeds its deadline.

    Attributes:
        until: the deadline in monotonic time; None without a deadline.
        allowed: the deadline in seconds from the start of the block.
        expired: whether the call was cancelled because of the deadline.
        sending: the request that its task sends; once the first attempt has begun, cancelling the
            call does not interrupt it.
        ended: whether the call was cancelled meanwhile, so that its task ends with that request.
    """

    until: float | None = None
    allowed: float | None = None
    expired: bool = False
    sending: Sendable | None = None
    ended: bool = False
    operation: str | None = None
    request_id: str | None = None
    last_seen: str | None = None

    def note(self, operation: str, request_id: str, seen: str) -> None:
        """Note the last known state of the request that the call waits for."""
        self.operation, self.request_id, self.last_seen = operation, request_id, seen

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


def time_limit(seconds: float) -> TimeLimit:
    """The limit of `seconds` that all users of the running event loop share."""
    limits = _limits.setdefault(asyncio.get_running_loop(), {})
    limit = limits.get(seconds)
    if limit is None:
        limit = limits[seconds] = TimeLimit(seconds)
    return limit


class TimeLimit:
    """A time limit for any number of `with` blocks, which share one timer. On one event loop.

    A timer for each block would cost 3 % of a sample's CPU time. The timer is not cancelled with
    the last block, which another soon follows. It refers to no loop, so that `_limits` keeps none
    alive.

    The timer has an empty context. An event loop keeps cancelled timers for a while, and each keeps
    the context it was created in: the span, the progress and the request of an ended call.

    Attributes:
        seconds: the time that each block may take.
        running: the blocks, in the order in which they expire.
        has_timer: whether the timer is set.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.running: dict[TimeLimited, None] = {}
        self.has_timer = False

    def set_timer(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        """Expire blocks from `at` on, in the time of `loop`. Blocks that end leave it running."""
        self.has_timer = True
        Context().run(loop.call_at, at, self._expire, loop)

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        self.has_timer = False
        now = loop.time()
        for block in list(self.running):
            if block.end > now:
                self.set_timer(loop, block.end)
                return
            del self.running[block]
            block.expire()


@define(eq=False)
class TimeLimited:
    """Cancels a `with` block after the time of `limit`, and then raises TimeoutError.

    As `asyncio.timeout`, it is entered once, within a task.

    Attributes:
        end: when it expires, in the time of the event loop.
        expired: whether its task was cancelled because of the limit.
    """

    _limit: TimeLimit
    expired: bool = field(default=False, init=False)
    end: float = field(init=False)
    _task: asyncio.Task[Any] = field(init=False)
    _cancelling: int = field(init=False)

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        loop = task.get_loop()
        self._task = task
        self._cancelling = task.cancelling()
        self.end = loop.time() + self._limit.seconds
        self._limit.running[self] = None
        if not self._limit.has_timer:
            self._limit.set_timer(loop, self.end)
        return self

    def expire(self) -> None:
        """Cancel the task."""
        self.expired = True
        self._task.cancel()

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if not self.expired:
            del self._limit.running[self]
        # Another cancellation of the task is not a timeout.
        elif self._task.uncancel() <= self._cancelling and isinstance(
            error, asyncio.CancelledError
        ):
            raise TimeoutError from error


_limits: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[float, TimeLimit]] = WeakKeyDictionary()
