"""Turns: requests are submitted in the order of the user's calls."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tinker_ext import tracing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class TurnQueue:
    """Issues tickets at call time and serves them in order on the event loop.

    Returning a ticket, used or not, starts the next turn, so that a request that failed, was
    cancelled or never started does not block later ones. Serving a ticket takes constant time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._issued = 0
        # Accessed on the event loop only.
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
        """Wait for the ticket's turn; leaving the block returns the ticket."""
        try:
            if ticket > self._serving:
                waiter = self._waiting[ticket] = asyncio.get_running_loop().create_future()
                with tracing.stage(tracing.Stage.TURN):
                    await waiter
            yield
        finally:
            self.give_back(ticket)

    def give_back(self, ticket: int) -> None:
        """Return a ticket; a second time has no effect. On the event loop only."""
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
