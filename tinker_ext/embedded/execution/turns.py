"""The order of one model's work: by number, with nothing running before what came before it."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class TooLateError(Exception):
    """A number whose turn has passed without it. `first_open` is the lowest still to come."""

    def __init__(self, first_open: int) -> None:
        super().__init__(f"its turn has passed, the next number is {first_open}")
        self.first_open = first_open


class SequenceQueue(Generic[T]):
    """Numbered work becomes ready when everything before it is ready, gone or refused.

    Work without a number is ready at once, behind what is ready already. A number may be used
    once; asking the table of requests comes first. Not thread-safe; it lives on one event loop.

    `first` is the first number to come, or None when any number may be the first.
    """

    def __init__(self, first: int | None) -> None:
        self._next = first
        self._ready: deque[T] = deque()
        self._waiting: dict[int, tuple[float, T]] = {}
        self._refused: set[int] = set()

    def __len__(self) -> int:
        """How much work is ready or waiting."""
        return len(self._ready) + len(self._waiting)

    @property
    def missing(self) -> int | None:
        """The number that others wait for, if any do."""
        return self._next if self._waiting else None

    @property
    def waiting_since(self) -> float:
        """When the first of those that wait for `missing` came, in the clock of `offer`."""
        return min(since for since, _ in self._waiting.values())

    def offer(self, seq_id: int | None, work: T, *, now: float) -> None:
        """Add work.

        Raises:
            TooLateError: the number lies behind the one to come next.
        """
        if seq_id is None:
            self._ready.append(work)
            return
        if self._next is None:
            self._next = seq_id
        if seq_id < self._next:
            raise TooLateError(self._next)
        self._refused.discard(seq_id)
        self._waiting[seq_id] = (now, work)
        self._advance()

    def refuse(self, seq_id: int) -> None:
        """Don't wait for this number: whoever sent it was told at once that it won't be done.

        It can still be used as long as nothing after it came.
        """
        if self._next is not None and seq_id >= self._next and seq_id not in self._waiting:
            self._refused.add(seq_id)
            self._advance()

    def take(self) -> T | None:
        """The next piece of work that is ready."""
        return self._ready.popleft() if self._ready else None

    def give_up(self) -> list[T]:
        """Stop waiting for `missing`: take out all that waited, and go on after it."""
        abandoned = [self._waiting[seq_id][1] for seq_id in sorted(self._waiting)]
        if self._waiting:
            self._next = max(self._waiting) + 1
            self._waiting.clear()
            self._refused.clear()
        return abandoned

    def _advance(self) -> None:
        """Move what is next from waiting to ready; skip refused numbers only for later work."""
        while self._next is not None and self._waiting:
            if self._next in self._waiting:
                self._ready.append(self._waiting.pop(self._next)[1])
            elif self._next in self._refused:
                self._refused.discard(self._next)
            else:
                return
            self._next += 1
