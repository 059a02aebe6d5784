"""Sequence numbers for a model's requests: in order, without gaps, never used twice.

A server executes a model's requests in the order of their `seq_id`. If a number is skipped, the
server waits for it forever or rejects all later requests ("Sequence conflict: expected 1, got 3").
If a number is used twice, the server responds with the result of the first request. If an error
names the number that the server expects, numbering continues from there.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from tinker_ext.errors import APIStatusError, SessionLostError
from tinker_ext.protocol.error_responses import is_reusable
from tinker_ext.runtime.concurrency import tasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

T = TypeVar("T")

# As in releases 0.4.1 to 0.38.0.
FIRST = 1


class Sendable(Protocol):
    """A request that knows whether an attempt to send it has begun."""

    @property
    def sent(self) -> bool: ...


class SequenceNumbers:
    """Assigns sequence numbers to requests, and takes back those of rejected requests.

    Only one operation may use it at a time, within its turn. `keep` receives each task that sends a
    request, because the task may outlive its caller: cancelling the caller does not interrupt it,
    or it would be unknown whether the number was used.
    """

    def __init__(self, keep: Callable[[asyncio.Task[Any]], None], first: int = FIRST) -> None:
        self._keep = keep
        self.next = first
        # Unused numbers below `next`, in order; they are assigned first.
        self._free: list[int] = []
        #: How often numbering was rewound.
        self.epoch = 0

    async def send(self, send: Callable[[int], Awaitable[T]], request: Sendable | None = None) -> T:
        """Send a request under the next number."""
        [value] = await self.send_batch([send], [request])
        return value

    async def send_batch(
        self,
        sends: Sequence[Callable[[int], Awaitable[T]]],
        requests: Sequence[Sendable | None] | None = None,
    ) -> list[T]:
        """Send requests under consecutive numbers in parallel, the first one last.

        `requests` are those that `sends` send. If one of them failed before it was sent, because it
        could not be built, its number is free.

        The server starts with the first, so it then has all of them (0.38.0 does the same). If any
        other request fails, the first one is not sent.
        """
        numbers, epoch = self._take(len(sends)), self.epoch
        sending: dict[int, asyncio.Task[T]] = {}

        async def send_all(indices: Sequence[int]) -> None:
            for index in indices:
                sending[index] = self._start(sends[index], numbers[index])
            if indices:
                await asyncio.wait([sending[index] for index in indices])

        try:
            await send_all(range(1, len(sends)))
            if not any(map(tasks.has_failed, sending.values())):
                await send_all([0])
        finally:
            used = {
                numbers[index]
                for index, task in sending.items()
                if requests is None or (request := requests[index]) is None or request.sent
                if not _was_rejected(task)
            }
            self._give_back(set(numbers) - used, epoch)
        for task in sending.values():
            task.result()  # Raises the first error.
        return [sending[index].result() for index in range(len(sends))]

    def rewind(self, expected: int, epoch: int) -> None:
        """Number the next request `expected`, as the server demands in an error.

        `epoch` is that of the failed request; errors of requests from an earlier epoch are ignored.
        """
        if epoch == self.epoch and expected < self.next:
            self.next = expected
            self._free = []
            self.epoch += 1

    def _start(self, send: Callable[[int], Awaitable[T]], seq_id: int) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(_run(send, seq_id))
        self._keep(task)
        return task

    def _take(self, count: int) -> list[int]:
        numbers, self._free = self._free[:count], self._free[count:]
        new = count - len(numbers)
        numbers += range(self.next, self.next + new)
        self.next += new
        return numbers

    def _give_back(self, numbers: set[int], epoch: int) -> None:
        if epoch != self.epoch:
            return
        self._free = sorted({*self._free, *numbers})
        while self._free and self._free[-1] == self.next - 1:
            self.next = self._free.pop()


async def _run(send: Callable[[int], Awaitable[T]], seq_id: int) -> T:
    return await send(seq_id)


def _was_rejected(sending: asyncio.Future[T]) -> bool:
    """Whether the server rejected the request and therefore did not count its number."""
    if not sending.done() or sending.cancelled():
        return False
    error = sending.exception()
    if isinstance(error, SessionLostError):
        error = error.__cause__  # The response that does not know the model.
    return isinstance(error, APIStatusError) and is_reusable(error.status_code)
