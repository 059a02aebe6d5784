"""Limits how many operations are traced in detail, to bound the cost of tracing.

A span costs the SDK and its exporter about a tenth of a sample's processor time, and a sample
traced in detail has five. A program that makes a few calls per second gets the details of all of
them. A program that makes hundreds gets a span and the errors of each operation, and the details of
some.
"""

from __future__ import annotations

import math
import threading
import time

# Chosen for the costs above.
PER_SECOND = 5.0


class TokenBucket:
    """A thread-safe token bucket."""

    def __init__(self, capacity: int, per_second: float) -> None:
        self._capacity = self._tokens = float(capacity)
        self._per_second = per_second
        self._updated = time.monotonic()
        self._lock = threading.Lock()

    def set_rate(self, per_second: float) -> None:
        """Change the refill rate; infinity removes the limit."""
        with self._lock:
            self._per_second = per_second

    def take(self, now: float | None = None) -> bool:
        """Take a token; False if there is none. `now` is in seconds of the monotonic clock."""
        now = time.monotonic() if now is None else now
        with self._lock:
            if self._per_second == math.inf:
                return True
            earned = max(0.0, now - self._updated) * self._per_second
            self._tokens = min(self._capacity, self._tokens + earned)
            self._updated = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True


#: Shared by all clients of the process, because the process bears the cost of its spans.
detail_bucket = TokenBucket(capacity=100, per_second=PER_SECOND)
