"""Limits the work one client has in flight: by the user's settings, or the server's flags."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tinker_ext import tracing
from tinker_ext.config import ClientConfig
from tinker_ext.protocol.server_protocol import Flags
from tinker_ext.rules import limits

# Concurrent polls; each uses a socket. Ours, the number of samples that 0.4.1 dispatches at once. A
# server holds a poll for less than a minute, and waiting polls are served in order, so the oldest
# requests are polled first.
POLLS = 400
# Response bodies of the maximum size that one client reads at the same time; ours.
LARGEST_BODIES = 4


class Budget(limits.Budget):
    """Admits requests in order of arrival while their sizes fit. On the event loop only.

    The caller chooses the unit: bytes, or requests of size 1. A request larger than the budget is
    admitted when nothing else is in flight.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def reserve(self, size: int) -> AsyncIterator[None]:
        """Wait until `size` fits, and hold it for the block."""
        if not self.take_now(size):
            await self.take(size)
        try:
            yield
        finally:
            self.give(size)

    def resize(self, limit: int) -> None:
        """Change the limit; requests already admitted keep their share."""
        self.limit = limit
        self.admit_waiting()

    async def take(self, size: int) -> None:
        """Take `size` as soon as it fits; to be given back with `give`.

        Most requests need not wait: `take_now` takes `size` if it fits and no request waits.
        """
        waiter = asyncio.get_running_loop().create_future()
        self._queue.append((size, waiter))
        self.admit_waiting()
        if waiter.done():
            return
        try:
            with tracing.stage(tracing.Stage.BUDGET):
                await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.give(size)  # Admitted and cancelled at the same time.
            else:
                self.admit_waiting()  # It may have held up a smaller request.
            raise

    def admit_waiting(self) -> None:
        # Lazily, so that each call looks only at the requests it admits and one more.
        waiting = (size for size, waiter in self._queue if not waiter.done())
        admitted = limits.admit(self, waiting)
        while admitted or (self._queue and self._queue[0][1].done()):
            _, waiter = self._queue.popleft()
            if not waiter.done():
                waiter.set_result(None)
                admitted -= 1
        self.waiting = len(self._queue)


class ClientLimits:
    """The budgets of one client.

    Attributes:
        samples: samples between submission and result.
        sample_bytes: estimated bytes of samples that are being submitted.
        training_bytes: bytes of training requests that are being submitted.
        polls: concurrent polls.
        result_bytes: bytes of results that are being fetched after their size was announced.
        body_bytes: bytes of large response bodies that are being read.
    """

    def __init__(self, config: ClientConfig) -> None:
        self._config = config
        assumed = Flags()
        self.samples = Budget(config.max_samples_in_flight)
        self.sample_bytes = Budget(assumed.sample_dispatch_bytes_semaphore_size)
        self.training_bytes = Budget(config.max_training_bytes_in_flight)
        self.polls = Budget(POLLS)
        self.result_bytes = Budget(assumed.inflight_response_bytes_semaphore_size)
        self.body_bytes = Budget(LARGEST_BODIES * config.max_response_bytes)

    def apply_server_flags(self, flags: Flags) -> None:
        """Apply the server's limits, except those that the user has set."""
        self.sample_bytes.resize(flags.sample_dispatch_bytes_semaphore_size)
        self.result_bytes.resize(flags.inflight_response_bytes_semaphore_size)
        if self._config.is_default("max_training_bytes_in_flight"):
            self.training_bytes.resize(flags.fwdbwd_dispatch_bytes_semaphore_size)
        if self._config.is_default("max_samples_in_flight"):
            self.samples.resize(flags.sample_max_concurrent_requests)
