"""Numbers for the requests of a model, in order and without gaps, none used for two different ones.

A server works through a model's requests by `seq_id`. A number that was never used makes it wait
for ever, or refuse all that follows ("Sequence conflict: expected 1, got 3"); a number used twice
is answered from the first request. Where the server tells which number it waits for, numbering
goes on from there.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from tinker_ext.errors import APIStatusError
from tinker_ext.protocol.seq_ids import is_reusable
from tinker_ext.runtime.concurrency import tasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

T = TypeVar("T")

# As releases 0.4.1 to 0.38.0 start.
FIRST = 1


class SequenceNumbers:
    """Gives numbers to requests in order, and takes back those that were refused.

    To be used within a turn, so that no two operations ask at once. `keep` is given each task that
    sends, which may outlive its caller: sending is not interrupted when the caller is cancelled,
    because nobody would then know whether the number was used.
    """

    def __init__(self, keep: Callable[[asyncio.Task[Any]], None], first: int = FIRST) -> None:
        self._keep = keep
        self.next = first
        # Smaller ones that nothing was sent under, in order; they are used first.
        self._free: list[int] = []
        #: Counts the times that numbering went back.
        self.epoch = 0

    async def number(self, send: Callable[[int], Awaitable[T]]) -> T:
        """Send a request under the next number."""
        [found] = await self.send_batch([send])
        return found

    async def send_batch(self, sends: Sequence[Callable[[int], Awaitable[T]]]) -> list[T]:
        """Send requests under numbers that follow each other, side by side; the first one last.

        A server works through them from the first on, so it then has them all at once (0.38.0). If
        one of the others fails, the first is not sent.
        """
        numbers, epoch = self._take(len(sends)), self.epoch
        sending: dict[int, asyncio.Task[T]] = {}

        async def all_of(these: Sequence[int]) -> None:
            for at in these:
                sending[at] = self._started(sends[at], numbers[at])
            if these:
                await asyncio.wait([sending[at] for at in these])

        try:
            await all_of(range(1, len(sends)))
            if not any(map(tasks.has_failed, sending.values())):
                await all_of([0])
        finally:
            kept = {numbers[at] for at, task in sending.items() if not _was_refused(task)}
            self._give_back(set(numbers) - kept, epoch)
        for task in sending.values():
            task.result()  # What failed, if something did.
        return [sending[at].result() for at in range(len(sends))]

    def rewind(self, expected: int, epoch: int) -> None:
        """Number the next request `expected`, as the server asked of one of that `era`.

        What it says of requests of an earlier era is old news.
        """
        if epoch == self.epoch and expected < self.next:
            self.next = expected
            self._free = []
            self.epoch += 1

    def _started(self, send: Callable[[int], Awaitable[T]], seq_id: int) -> asyncio.Task[T]:
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


def _was_refused(sending: asyncio.Future[T]) -> bool:
    """Whether the server itself said no, so that it has not counted the number."""
    if not sending.done() or sending.cancelled():
        return False
    error = sending.exception()
    return isinstance(error, APIStatusError) and is_reusable(error.status_code)
