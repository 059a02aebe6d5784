"""Time limits of requests, which share timers.

The timers have an empty context. An event loop keeps cancelled timers for a while, and each keeps
the context it was created in: the span, the progress and the request of a call that ended long ago.
"""

from __future__ import annotations

import asyncio
from contextvars import Context
from typing import Any, Self
from weakref import WeakKeyDictionary


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


class TimeLimited:
    """Cancels a `with` block after the time of `limit`, and then raises TimeoutError.

    As `asyncio.timeout`, it is entered once, within a task.

    Attributes:
        end: when it expires, in the time of the event loop.
        expired: whether its task was cancelled because of the limit.
    """

    __slots__ = ("_cancelling", "_limit", "_task", "end", "expired")

    def __init__(self, limit: TimeLimit) -> None:
        self._limit = limit
        self.expired = False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        loop = task.get_loop()
        self._task: asyncio.Task[Any] = task
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
