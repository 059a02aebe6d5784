"""Rate-limits repeated log messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_ext.rules.polling import QUEUE_LOG_INTERVAL
from tinker_ext.runtime.concurrency.clock import REAL_CLOCK, Clock

if TYPE_CHECKING:
    from collections.abc import Hashable


class LogThrottle:
    """Allows one log message per interval, separately for each subject."""

    def __init__(self, interval: float = QUEUE_LOG_INTERVAL, clock: Clock = REAL_CLOCK) -> None:
        self._interval = interval
        self._clock = clock
        self._last_logged: dict[Hashable, float] = {}

    def should_log(self, subject: Hashable) -> bool:
        """True at most once per interval and subject; a call that returns True counts as logged."""
        now = self._clock.now()
        last = self._last_logged.get(subject)
        if last is not None and now - last < self._interval:
            return False
        self._last_logged[subject] = now
        return True
