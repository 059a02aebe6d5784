"""What would be said a hundred times a minute, said once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_ext.rules.polling import QUEUE_LOG_INTERVAL
from tinker_ext.runtime.concurrency.clock import REAL_CLOCK, Clock

if TYPE_CHECKING:
    from collections.abc import Hashable


class LogThrottle:
    """Tells whether something is due to be said again, about each subject apart."""

    def __init__(self, interval: float = QUEUE_LOG_INTERVAL, clock: Clock = REAL_CLOCK) -> None:
        self._interval = interval
        self._clock = clock
        self._said: dict[Hashable, float] = {}

    def should_log(self, subject: Hashable) -> bool:
        """True at most once per interval and subject; asking counts as saying."""
        now = self._clock.now()
        said = self._said.get(subject)
        if said is not None and now - said < self._interval:
            return False
        self._said[subject] = now
        return True
