"""A pause shared by all requests that share a rate limit; the server sets its length."""

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
    """The pause outlasts the time the caller may wait: `left` more seconds."""

    def __init__(self, left: float) -> None:
        super().__init__(left)
        self.left = left


class Pause:
    """Holds requests back until a point in time, then releases them at the rate of `rules.limits`.

    Attributes:
        status: the status code that caused the latest pause, 402 or 429.
    """

    def __init__(self, clock: Clock = REAL_CLOCK) -> None:
        self._clock = clock
        self._began = self._until = float("-inf")
        self._position = 0
        self.status = 429

    def extend(self, seconds: float, status: int) -> None:
        """Pause for `seconds` from now, unless the current pause lasts longer."""
        now = self._clock.now()
        if now >= self._until:
            self._began = now
        if now + seconds > self._until:
            self._until, self._position, self.status = now + seconds, 0, status

    def is_over(self) -> bool:
        """Whether requests start at once: the latest pause and the restart after it are over."""
        if self._until == float("-inf"):
            return True
        paused = self._until - self._began
        return self._clock.now() >= self._until + min(paused, RESTART_SECONDS)

    async def wait(self, timeout: float) -> None:
        """Wait for the end of the pause, then for this request's place in the restart.

        Raises:
            PausedError: the wait would take longer than `timeout` seconds. Raised at once.
        """
        deadline = self._clock.now() + timeout
        while (start := self._next_start()) > (now := self._clock.now()):
            if start > deadline:
                raise PausedError(start - now)
            until = self._until
            with tracing.stage(tracing.Stage.PAUSE):
                await self._clock.sleep(start - now)
            if self._until == until:  # The pause was not extended during the sleep.
                return

    def _next_start(self) -> float:
        """When the calling request may start. Each call takes the next place in the restart."""
        if self.is_over():
            return float("-inf")
        self._position += 1
        return self._until + restart_delay(self._position - 1, self._until - self._began)


_lock = threading.Lock()
_pauses: weakref.WeakValueDictionary[Hashable, Pause] = weakref.WeakValueDictionary()


def shared_pause(key: Hashable, clock: Clock = REAL_CLOCK) -> Pause:
    """The pause shared by all clients of this process with the same `key`.

    A client's key is its base URL and API key.
    """
    with _lock:
        pause = _pauses.get((key, clock))
        if pause is None:
            pause = _pauses[key, clock] = Pause(clock)
        return pause
