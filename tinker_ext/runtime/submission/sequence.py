"""The order of a model's requests: turns, and sequence numbers without gaps, never used twice.

A server executes a model's requests in the order of their `seq_id`. If a number is skipped, the
server waits for it forever or rejects all later requests ("Sequence conflict: expected 1, got 3").
If a number is used twice, the server responds with the result of the first request. If an error
names the number that the server expects, numbering continues from there.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from tinker_ext import tracing
from tinker_ext.errors import APIStatusError, SessionLostError
from tinker_ext.protocol.error_responses import is_reusable
from tinker_ext.runtime.concurrency import tasks
from tinker_ext.timeouts import Sendable, current_progress

T = TypeVar("T")

# As in releases 0.4.1 to 0.38.0.
FIRST = 1


class SequenceNumbers:
    """Assigns sequence numbers to requests, and takes back those of rejected requests.

    Only one operation may use it at a time, within its turn. `keep` receives each task that sends a
    request of a batch, because the task may outlive its caller: cancelling the caller does not
    interrupt it, or it would be unknown whether the number was used.
    """

    def __init__(self, keep: Callable[[asyncio.Task[Any]], None], first: int = FIRST) -> None:
        self._keep = keep
        self.next = first
        # Unused numbers below `next`, in order; they are assigned first.
        self._free: list[int] = []
        #: How often numbering was rewound.
        self.epoch = 0

    async def send(self, send: Callable[[int], Awaitable[T]], request: Sendable | None = None) -> T:
        """Send a request under the next number.

        If the call is cancelled after the first attempt began, it ends for the caller, and its task
        ends with the request: without a response, it is unknown whether the number was used.
        """
        [seq_id], epoch = self._take(1), self.epoch
        progress = current_progress.get()
        if progress is not None:
            progress.sending = request
        try:
            value = await send(seq_id)
        except BaseException as error:
            if _is_unused(request, error):
                self._give_back({seq_id}, epoch)
            raise
        finally:
            if progress is not None:
                progress.sending = None
        if progress is not None and progress.ended:
            raise asyncio.CancelledError
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
                if not _is_unused(None if requests is None else requests[index], _error(task))
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


def _error(task: asyncio.Task[Any]) -> BaseException | None:
    return task.exception() if task.done() and not task.cancelled() else None


def _is_unused(request: Sendable | None, error: BaseException | None) -> bool:
    """Whether the number of a request is free: it was not sent, or the server did not count it.

    `error` is that of the request, None if it has none or is not known yet.
    """
    if request is not None and not request.sent:
        return True
    if isinstance(error, SessionLostError):
        error = error.__cause__  # The response that does not know the model.
    return isinstance(error, APIStatusError) and is_reusable(error.status_code)


class TurnQueue:
    """Issues tickets at call time and serves them in order on the event loop.

    Returning a ticket, used or not, starts the next turn, so that a request that failed, was
    cancelled or never started does not block later ones. Serving a ticket takes constant time.

    Attributes:
        serving: the ticket whose turn it is.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._issued = 0
        # Accessed on the event loop only.
        self.serving = 0
        self._returned: set[int] = set()
        self._waiting: dict[int, asyncio.Future[None]] = {}

    def take(self) -> int:
        """The next ticket; from any thread."""
        with self._lock:
            ticket = self._issued
            self._issued += 1
            return ticket

    async def wait(self, ticket: int) -> None:
        """Wait for the ticket's turn; a wait that fails returns the ticket."""
        if ticket <= self.serving:
            return
        waiter = self._waiting[ticket] = asyncio.get_running_loop().create_future()
        try:
            with tracing.stage(tracing.Stage.TURN):
                await waiter
        except BaseException:
            self.give_back(ticket)
            raise

    def give_back(self, ticket: int) -> None:
        """Return a ticket; a second time has no effect. On the event loop only."""
        if ticket < self.serving:
            return
        self._waiting.pop(ticket, None)
        self._returned.add(ticket)
        while self.serving in self._returned:
            self._returned.discard(self.serving)
            self.serving += 1
        waiter = self._waiting.pop(self.serving, None)
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
