"""The source of time and jitter for the runtime; tests replace it."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


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
