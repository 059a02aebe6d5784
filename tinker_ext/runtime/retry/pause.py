"""A pause shared by everybody who shares a rate limit; when it ends is told by the server."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

from tinker_ext import tracing
from tinker_ext.rules.limits import RESTART_SECONDS, restart_delay
from tinker_ext.runtime.concurrency.clock import REAL_CLOCK, Clock

if TYPE_CHECKING:
    from collections.abc import Hashable


class PausedError(Exception):
    """The pause lasts longer than the caller may wait: `left` seconds more."""

    def __init__(self, left: float) -> None:
        super().__init__(left)
        self.left = left


class Pause:
    """Holds requests back until a moment, then lets them go at the pace of `rules.limits`.

    Attributes:
        status: the answer that the latest pause is due to, 402 or 429.
    """

    def __init__(self, clock: Clock = REAL_CLOCK) -> None:
        self._clock = clock
        self._began = self._until = float("-inf")
        self._position = 0
        self.status = 429

    def extend(self, seconds: float, status: int) -> None:
        """Pause for `seconds` from now, unless a longer pause is already under way."""
        now = self._clock.now()
        if now >= self._until:
            self._began = now
        if now + seconds > self._until:
            self._until, self._position, self.status = now + seconds, 0, status

    async def wait(self, patience: float) -> None:
        """Wait while paused, and then for a place in the restart.

        Raises:
            PausedError: that would take more than `patience` seconds; at once, without waiting.
        """
        deadline = self._clock.now() + patience
        while (start := self._next_start()) > (now := self._clock.now()):
            if start > deadline:
                raise PausedError(start - now)
            until = self._until
            with tracing.stage(tracing.Stage.PAUSE):
                await self._clock.sleep(start - now)
            if self._until == until:  # Not extended in the meantime.
                return

    def _next_start(self) -> float:
        """When whoever asks now may start; each asking takes the next place in the line."""
        paused = self._until - self._began if self._until > float("-inf") else 0.0
        if self._clock.now() >= self._until + min(paused, RESTART_SECONDS):
            return float("-inf")
        self._position += 1
        return self._until + restart_delay(self._position - 1, paused)


_lock = threading.Lock()
_pauses: weakref.WeakValueDictionary[Hashable, Pause] = weakref.WeakValueDictionary()


def shared_pause(key: Hashable, clock: Clock = REAL_CLOCK) -> Pause:
    """The pause of everybody in this process with the same key (base URL and API key)."""
    with _lock:
        pause = _pauses.get((key, clock))
        if pause is None:
            pause = _pauses[key, clock] = Pause(clock)
        return pause
