"""What may be in flight at once, and how traffic starts again after a pause."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve, frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Requests in flight directly after a rate-limit pause, and the seconds until the full number is
#: allowed again (0.38.0 lets 10 through for 10 s after a backoff).
RESTART_LIMIT = 10
RESTART_SECONDS = 10.0


@frozen
class Budget:
    """How much of a limit (requests, bytes) is in use, by how many holders.

    Values, not a lock: each step returns the next budget. A size above the limit is admitted
    when nobody else holds anything, and then nobody else is admitted until it is given back.
    """

    limit: int
    used: int = 0
    holders: int = 0

    def admits(self, size: int) -> bool:
        """Whether `size` more may start now."""
        return self.holders == 0 or self.used + size <= self.limit

    def take(self, size: int) -> Budget:
        """With `size` more in use. Raises ValueError for a negative size."""
        if size < 0:
            raise ValueError(f"cannot take the negative size {size}")
        return evolve(self, used=self.used + size, holders=self.holders + 1)

    def give(self, size: int) -> Budget:
        """With `size` less in use. Raises ValueError when more comes back than was taken."""
        if not 0 <= size <= self.used or self.holders < 1:
            raise ValueError(f"{size} given back, {self.used} of {self.holders} holders in use")
        return evolve(self, used=self.used - size, holders=self.holders - 1)


def admit(budget: Budget, waiting: Sequence[int]) -> tuple[Budget, int]:
    """Let in whoever waits at the head of the line, first come first served.

    `waiting` are sizes in order of arrival. Returns the budget with the admitted taken and how
    many of the line they are. A size that does not fit holds up all behind it, so that a large
    request is not passed by small ones for ever.
    """
    admitted = 0
    for size in waiting:
        if not budget.admits(size):
            break
        budget, admitted = budget.take(size), admitted + 1
    return budget, admitted


def restart_limit(since_pause: float | None, full: int) -> int:
    """How many requests may be in flight, `since_pause` seconds after a shared pause ended.

    Grows geometrically from `RESTART_LIMIT` to `full` over `RESTART_SECONDS`, so that all who
    waited don't start in one moment. None, no pause yet, allows `full`; a negative time, the
    pause still lasts, allows none. Raises ValueError unless `full` is at least 1.
    """
    if full < 1:
        raise ValueError(f"a limit must be at least 1, got {full}")
    if since_pause is None:
        return full
    if since_pause < 0:
        return 0
    if since_pause >= RESTART_SECONDS or full <= RESTART_LIMIT:
        return full
    return int(RESTART_LIMIT * (full / RESTART_LIMIT) ** (since_pause / RESTART_SECONDS))
