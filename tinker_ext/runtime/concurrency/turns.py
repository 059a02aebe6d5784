"""Turns: requests are submitted in the order of the user's calls."""

from __future__ import annotations

import asyncio
import threading
from contextlib import AbstractAsyncContextManager

from tinker_ext import tracing


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

    def turn(self, ticket: int) -> AbstractAsyncContextManager[None]:
        """Wait for the ticket's turn; leaving the block returns the ticket."""
        return _Turn(self, ticket)

    async def wait(self, ticket: int) -> None:
        """Wait for the ticket's turn; a wait that fails returns the ticket."""
        if ticket <= self._serving:
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


class _Turn(AbstractAsyncContextManager[None]):
    def __init__(self, turns: TurnQueue, ticket: int) -> None:
        self._turns = turns
        self._ticket = ticket

    async def __aenter__(self) -> None:
        await self._turns.wait(self._ticket)

    async def __aexit__(self, *_: object) -> None:
        self._turns.give_back(self._ticket)
