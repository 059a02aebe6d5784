"""A pause shared by all requests that share a rate limit; the server sets its length."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

from tinker_ext import tracing
from tinker_ext.rules.limits import (
    RESTART_REQUESTS,
    RESTART_SECONDS,
    restart_backoff,
    restart_burst,
    restart_delay,
    restart_failures,
)
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
        self._is_released = True
        self._released = float("-inf")
        # Since the latest release: requests that took a place in it, that started, and that the
        # server rejected.
        self._position = self._started = self._rejected = 0
        self._burst, self._failures = RESTART_REQUESTS, 0
        # Seconds from the end of the server's pause to `_until`, the begin of the restart.
        self._added = 0.0
        self.status = 429

    def extend(self, seconds: float, status: int) -> None:
        """Pause for `seconds` from now, unless the current pause lasts longer."""
        now = self._clock.now()
        self._rejected += 1
        if now >= self._until:
            self._began, self._is_released = now, False
        if now + seconds > self._until:
            self._until, self.status = now + seconds, status
            self._is_released, self._added = False, 0.0

    def start_now(self) -> bool:
        """Whether a request may start at once; it then counts as started."""
        if not self._is_over():
            return False
        self._started += 1
        return True

    def _is_over(self) -> bool:
        """Whether the latest pause and the restart after it are over."""
        if self._until == float("-inf"):
            return True
        paused = self._until - self._began
        over = self._clock.now() >= self._until + min(paused, RESTART_SECONDS)
        return self._is_released and over

    async def wait(self, timeout: float) -> None:
        """Wait for the end of the pause, then for this request's place in the restart.

        Raises:
            PausedError: the server's pause and the restart leave no place within `timeout` seconds.
                Raised at once.
        """
        deadline = self._clock.now() + timeout
        while True:
            start, is_place = self._next_start()
            now = self._clock.now()
            if start <= now:
                break
            if start - self._added > deadline:
                raise PausedError(start - now)
            until = self._until
            with tracing.stage(tracing.Stage.PAUSE):
                await self._clock.sleep(min(start, deadline) - now)
            # A new pause during the sleep holds this request back again.
            if self._until == until and (is_place or start > deadline):
                break
        self._started += 1

    def _next_start(self) -> tuple[float, bool]:
        """The end of the pause and False, or when the calling request starts and True.

        After the pause, each call takes the next place in the restart.
        """
        now = self._clock.now()
        if now >= self._until and not self._is_released:
            self._release(now)
        if now < self._until:
            return self._until, False
        if self._is_over():
            return float("-inf"), True
        self._position += 1
        paused = self._until - self._began
        return self._until + restart_delay(self._position - 1, paused, self._burst), True

    def _release(self, now: float) -> None:
        """Adapt the restart to the share of requests that the server accepted after the last one.

        If it rejected many, the pause is extended.
        """
        paused = self._until - self._began
        if self._began - self._released > RESTART_SECONDS:
            self._burst, self._failures = RESTART_REQUESTS, 0
        elif self._started:
            self._burst = restart_burst(self._started, self._rejected)
            self._failures = restart_failures(self._failures, self._started, self._rejected, paused)
        until = now + restart_backoff(self._failures, paused, self._clock.jitter())
        self._added, self._until = until - self._until, until
        self._is_released, self._released = True, self._until
        self._position = self._started = self._rejected = 0


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
