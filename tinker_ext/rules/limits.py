"""Limits on requests in flight, and the ramp-up of traffic after a rate-limit pause."""

from __future__ import annotations

import math
from collections.abc import Iterable

from attrs import define

from tinker_ext.types.inputs.model_input import EncodedTextChunk, ModelInput

#: Requests that start immediately after the first rate-limit pause, the maximum ramp-up time in s
#: (0.38.0 allows 10 requests for 10 s after a backoff), and the number of requests in flight at the
#: end of it (the limit of 0.4.1).
RESTART_REQUESTS = 10
RESTART_SECONDS = 10.0
RESTART_FULL = 400
#: Maximum extra seconds of a pause after restarts that failed. Ours: 2 s sends too many requests to
#: a server whose clients get a place every 5 s, 10 s delays the last requests (of 2, 4, 5 and 10 s
#: in `benchmarks/pacing.py`).
RESTART_BACKOFF_CAP = 4.0
#: Estimated bytes per token of a prompt in flight (0.38.0).
TOKEN_BYTES = 10


@define
class Budget:
    """How much of a limit (requests or bytes) is in use, and by how many holders.

    A size above the limit is admitted if there are no other holders, and then excludes others until
    it is released.

    Attributes:
        waiting: requests that wait for room, which no other request may overtake.
    """

    limit: int
    used: int = 0
    holders: int = 0
    waiting: int = 0

    def take_now(self, size: int, *, is_next: bool = False) -> bool:
        """Adds a holder of `size` if it fits, and returns whether it does.

        `is_next`: the request is the first of those that wait. Raises ValueError if the size is
        negative.
        """
        if size < 0:
            raise ValueError(f"cannot take the negative size {size}")
        if (self.waiting and not is_next) or (self.holders and self.used + size > self.limit):
            return False
        self.used += size
        self.holders += 1
        return True

    def give(self, size: int) -> None:
        """Removes a holder of `size`. Raises ValueError if it exceeds what is in use."""
        if not 0 <= size <= self.used or self.holders < 1:
            raise ValueError(f"cannot release {size}: {self.holders} holders use {self.used}")
        self.used -= size
        self.holders -= 1
        if self.waiting:
            self.admit_waiting()

    def admit_waiting(self) -> None:
        """Called when there is more room and requests wait."""


def admit(budget: Budget, waiting: Iterable[int]) -> int:
    """Admits requests from the head of the queue, first come, first served.

    `waiting` holds their sizes in order of arrival. Returns the number of requests admitted, which
    the budget then holds. A size that does not fit blocks those behind it, so that small requests
    can't overtake a large one forever. Raises ValueError if a size is negative.
    """
    admitted = 0
    for size in waiting:
        if not budget.take_now(size, is_next=True):
            break
        admitted += 1
    return admitted


def restart_burst(started: int, rejected: int) -> int:
    """The number of requests that start immediately after the next shared pause.

    `started` requests started after the last pause, of which `rejected` caused the next one. Twice
    as many as were accepted may start, as in TCP's slow start: a server that rejects a few of many
    is soon used fully, and a server that rejects most gets few. Raises ValueError if an argument is
    negative.
    """
    if started < 0 or rejected < 0:
        raise ValueError(f"counts must not be negative, got {started} and {rejected}")
    return min(max(1, 2 * (started - rejected)), RESTART_FULL)


def restart_failures(failures: int, started: int, rejected: int, paused: float) -> int:
    """The count of failed restarts after one more: the level of `restart_backoff`.

    `started` and `rejected` count the requests since the last restart, as for `restart_burst`;
    `paused` is the length of the next pause in seconds. The count increases by one if at least half
    of the requests were rejected, unless the backoff is at its maximum, and decreases by one
    otherwise. A count that starts again from 0 with the first accepted request would bring all
    clients of an overloaded server back at once.
    """
    if 2 * rejected >= started:
        return failures + 1 if _backoff_limit(failures, paused) < RESTART_BACKOFF_CAP else failures
    return max(0, failures - 1)


def restart_backoff(failures: int, paused: float, jitter: float) -> float:
    """Extra seconds of a pause after a number of failed restarts (`restart_failures`).

    Exponential backoff from the length of the pause, with full jitter: clients that the server
    sends away together don't come back together. `jitter` is a random number in [0, 1).
    """
    if failures < 1:
        return 0.0
    return jitter * min(RESTART_BACKOFF_CAP, _backoff_limit(failures, paused))


def _backoff_limit(failures: int, paused: float) -> float:
    # The exponent is bounded because a large one would overflow a float.
    return paused * 2.0 ** min(failures, 62)


def restart_delay(position: int, paused: float, burst: int = RESTART_REQUESTS) -> float:
    """Seconds after a shared pause at which the request at `position` (from 0) starts.

    `paused` is the length of the pause in seconds. The first `burst` requests start immediately;
    the number then grows geometrically to `RESTART_FULL` at the end of a ramp as long as the pause,
    but at most `RESTART_SECONDS`. A short pause thus costs little, and requests do not burst after
    a long one. Raises ValueError if the position or the pause is negative or the burst below 1.
    """
    if position < 0 or paused < 0:
        raise ValueError(f"position and pause must not be negative, got {position} and {paused}")
    if burst < 1:
        raise ValueError(f"at least one request must start immediately, got {burst}")
    if position < burst:
        return 0.0
    growth = math.log(max(RESTART_FULL, burst + 1) / burst)
    # Computed before the multiplication, so that rounding never exceeds the ramp.
    share = math.log((position + 1) / burst) / growth
    return min(paused, RESTART_SECONDS) * share


def prompt_bytes(prompt: ModelInput) -> int:
    """Estimates the encoded size of a prompt in bytes, as 0.38.0 does."""
    size = 0
    for chunk in prompt.chunks:
        text = isinstance(chunk, EncodedTextChunk)
        size += chunk.length * TOKEN_BYTES if text else chunk.byte_count
    return size
