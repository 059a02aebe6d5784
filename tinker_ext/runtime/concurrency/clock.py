"""Time and chance, as the runtime sees them: one object that tests replace."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


# Seconds between two looks at whether the process runs. Ours: short beside any retry window.
TICK = 1.0


class Suspension:
    """Measures for how long the process was suspended: asleep, in a paused container, by SIGSTOP.

    A tick that comes more than a tick late shows it. Where the monotonic clock stands still
    meanwhile (a laptop asleep under Linux or macOS), there is nothing to measure. An event loop
    that is kept from running for as long by other threads counts as well.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._ticked: float | None = None
        self._before = 0.0

    def tick(self) -> None:
        """Note that the process runs. To be called every `TICK` seconds."""
        self._before = self.seconds()
        self._ticked = self._now()

    def seconds(self) -> float:
        """Seconds of suspension so far. They only grow."""
        if self._ticked is None:
            return 0.0
        return self._before + max(0.0, self._now() - self._ticked - 2 * TICK)


SUSPENSION = Suspension()


def _no_suspension() -> float:
    return 0.0


@frozen(eq=False)
class Clock:
    """Seconds that only grow, the time of day (for HTTP dates), waiting, and jitter in [0, 1).

    `suspended` is how many of the seconds the process was suspended, none where nothing ticks.
    """

    now: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
    suspended: Callable[[], float] = _no_suspension


REAL_CLOCK = Clock(suspended=SUSPENSION.seconds)
