"""Turns: requests reach the server in the order the user made them."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tinker_ext import tracing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class TurnQueue:
    """Tickets taken at call time, served in order on the event loop.

    A ticket that is given back, used or not, lets the next one go: a request that failed, was
    cancelled or never started holds nobody up. Serving one is constant work, however many wait.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._issued = 0
        # The rest is touched on the event loop only.
        self._serving = 0
        self._returned: set[int] = set()
        self._waiting: dict[int, asyncio.Future[None]] = {}

    def take(self) -> int:
        """The next ticket; from any thread."""
        with self._lock:
            ticket = self._issued
            self._issued += 1
            return ticket

    @asynccontextmanager
    async def turn(self, ticket: int) -> AsyncIterator[None]:
        """Wait for the ticket's turn; leaving the block gives it back."""
        try:
            if ticket > self._serving:
                waiter = self._waiting[ticket] = asyncio.get_running_loop().create_future()
                with tracing.stage(tracing.Stage.TURN):
                    await waiter
            yield
        finally:
            self.give_back(ticket)

    def give_back(self, ticket: int) -> None:
        """Let the next one go; giving a ticket back twice is harmless. On the event loop only."""
        if ticket < self._serving:
            return
        self._waiting.pop(ticket, None)
        self._returned.add(ticket)
        while self._serving in self._returned:
            self._returned.discard(self._serving)
            self._serving += 1
        waiter = self._waiting.pop(self._serving, None)
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
