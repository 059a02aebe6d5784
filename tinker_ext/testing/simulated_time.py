"""Simulated time, which advances when the client sleeps."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

from tinker_ext.timeouts import Clock


class SimulatedTime:
    """Skips and records the pauses between attempts and polls.

    Pass its `clock` to `make_client`. Sockets, heartbeats and futures use real time.

    Attributes:
        slept: the pauses in seconds, in order.
        on_sleep: called with the seconds of each pause; a test can change the server there.
    """

    def __init__(self, seed: int = 0) -> None:
        self._skipped = self._suspended = 0.0
        self._random = random.Random(seed)
        self.slept: list[float] = []
        self.on_sleep: Callable[[float], None] = lambda seconds: None
        self.clock = Clock(
            now=lambda: time.monotonic() + self._skipped,
            wall=lambda: time.time() + self._skipped,
            sleep=self._sleep,
            jitter=self._random.random,
            suspended=lambda: self._suspended,
        )

    @property
    def passed(self) -> float:
        """Seconds skipped so far."""
        return self._skipped

    def pass_by(self, seconds: float) -> None:
        """Advance the time without a pause of the client."""
        self._skipped += seconds

    def suspend(self, seconds: float) -> None:
        """Advance the time as if the process was suspended, as on a sleeping laptop."""
        self._skipped += seconds
        self._suspended += seconds

    async def _sleep(self, seconds: float) -> None:
        self._skipped += max(0.0, seconds)
        self.slept.append(seconds)
        self.on_sleep(seconds)
        await asyncio.sleep(0)
