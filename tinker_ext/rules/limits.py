"""What may be in flight at once, and how traffic starts again after a pause."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from tinker_ext.types.inputs.chunks import EncodedTextChunk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tinker_ext.types.inputs.chunks import ModelInputChunk
    from tinker_ext.types.inputs.model_input import ModelInput

#: Requests that start directly after a rate-limit pause, and the longest time in seconds until
#: traffic is full again (0.38.0 lets 10 through for 10 s after a backoff); full is what 0.4.1 lets
#: be in flight.
RESTART_REQUESTS = 10
RESTART_SECONDS = 10.0
RESTART_FULL = 400
#: Bytes that one token of a prompt is taken for while it is being sent (0.38.0).
TOKEN_BYTES = 10


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


def admit(budget: Budget, waiting: Iterable[int]) -> tuple[Budget, int]:
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


def restart_delay(position: int, paused: float) -> float:
    """Seconds after a shared pause at which the `position`-th request in line starts, from 0.

    `paused` is how long the pause was, in seconds. The first `RESTART_REQUESTS` start at once;
    their number then grows geometrically, to `RESTART_FULL` at the end of a ramp that takes as
    long as the pause, `RESTART_SECONDS` at most. So a short pause costs little, and after a long
    one those who waited don't come back in one moment. Raises ValueError for a negative argument.
    """
    if position < 0 or paused < 0:
        raise ValueError(f"neither a place nor a pause is negative, got {position} and {paused}")
    if position < RESTART_REQUESTS:
        return 0.0
    growth = math.log(RESTART_FULL / RESTART_REQUESTS)
    # The share first: its rounding then never takes the whole past the ramp.
    share = math.log((position + 1) / RESTART_REQUESTS) / growth
    return min(paused, RESTART_SECONDS) * share


def prompt_bytes(prompt: ModelInput) -> int:
    """About how many bytes the prompt of a sample is on its way (0.38.0's estimate)."""
    return sum(_chunk_bytes(chunk) for chunk in prompt.chunks)


def _chunk_bytes(chunk: ModelInputChunk) -> int:
    text = isinstance(chunk, EncodedTextChunk)
    return chunk.length * TOKEN_BYTES if text else chunk.byte_count
