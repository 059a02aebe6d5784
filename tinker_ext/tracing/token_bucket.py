"""How many operations are told in detail, so that tracing never costs more than it tells.

A span costs the SDK and its exporter about a tenth of a sample's processor time, and in detail
a sample has five. A program that makes a few calls a second gets all of them; one that makes
hundreds gets its operations, what went wrong in them, and the details of some.
"""

from __future__ import annotations

import math
import threading
import time

# Ours: see above.
PER_SECOND = 5.0


class TokenBucket:
    """So many operations at once, and then so many a second; safe from any thread."""

    def __init__(self, at_once: int, per_second: float) -> None:
        self._most = self._left = float(at_once)
        self._per_second = per_second
        self._at = time.monotonic()
        self._lock = threading.Lock()

    def set_rate(self, per_second: float) -> None:
        """So many a second from now on; infinity is all of them."""
        with self._lock:
            self._per_second = per_second

    def take(self, now: float | None = None) -> bool:
        """Whether one more may be told in detail; `now` in seconds, of the monotonic clock."""
        now = time.monotonic() if now is None else now
        with self._lock:
            if self._per_second == math.inf:
                return True
            earned = max(0.0, now - self._at) * self._per_second
            self._left = min(self._most, self._left + earned)
            self._at = now
            if self._left < 1:
                return False
            self._left -= 1
            return True


#: For all clients of the process: an operation's spans are its process's cost.
in_detail = TokenBucket(at_once=100, per_second=PER_SECOND)
