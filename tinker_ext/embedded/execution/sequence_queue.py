"""The order of one model's requests: by sequence number, none before its predecessors."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class TooLateError(Exception):
    """A sequence number was passed over. `next_seq_id` is the lowest that can still be used."""

    def __init__(self, next_seq_id: int) -> None:
        super().__init__(f"its turn has passed, the next number is {next_seq_id}")
        self.next_seq_id = next_seq_id


class SequenceQueue(Generic[T]):
    """Releases numbered requests in order.

    A request becomes ready when all lower numbers are ready, taken or skipped. A request without a
    number is ready at once, behind those that are already ready. The caller detects repeated
    numbers, in the table of requests. Not thread-safe; used on one event loop.

    `first` is the first expected number, or None if the first request may have any number.
    """

    def __init__(self, first: int | None) -> None:
        self._next = first
        self._ready: deque[T] = deque()
        self._waiting: dict[int, tuple[float, T]] = {}
        self._skipped: set[int] = set()

    def __len__(self) -> int:
        """The number of ready and waiting requests."""
        return len(self._ready) + len(self._waiting)

    @property
    def missing(self) -> int | None:
        """The number that waiting requests depend on, or None if none is waiting."""
        return self._next if self._waiting else None

    @property
    def waiting_since(self) -> float:
        """When the first waiting request was added, in the clock of `add`."""
        return min(since for since, _ in self._waiting.values())

    def add(self, seq_id: int | None, request: T, *, now: float) -> None:
        """Add a request.

        Raises:
            TooLateError: the number is lower than the next expected one.
        """
        if seq_id is None:
            self._ready.append(request)
            return
        if self._next is None:
            self._next = seq_id
        if seq_id < self._next:
            raise TooLateError(self._next)
        self._skipped.discard(seq_id)
        self._waiting[seq_id] = (now, request)
        self._advance()

    def skip(self, seq_id: int) -> None:
        """Don't wait for this number, because its request was rejected.

        The number can still be used until a request with a higher number is added.
        """
        if self._next is not None and seq_id >= self._next and seq_id not in self._waiting:
            self._skipped.add(seq_id)
            self._advance()

    def take(self) -> T | None:
        """Remove and return the next ready request, or None."""
        return self._ready.popleft() if self._ready else None

    def give_up(self) -> list[T]:
        """Stop waiting for `missing`: remove all waiting requests and continue after them."""
        abandoned = [self._waiting[seq_id][1] for seq_id in sorted(self._waiting)]
        if self._waiting:
            self._next = max(self._waiting) + 1
            self._waiting.clear()
            self._skipped.clear()
        return abandoned

    def _advance(self) -> None:
        """Move consecutive requests from waiting to ready; skip a number only before a request."""
        while self._next is not None and self._waiting:
            if self._next in self._waiting:
                self._ready.append(self._waiting.pop(self._next)[1])
            elif self._next in self._skipped:
                self._skipped.discard(self._next)
            else:
                return
            self._next += 1
