"""Tells the server which samples nobody waits for any more, where it wants to know."""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from tinker_ext.errors import TinkerError
from tinker_ext.runtime.concurrency import tasks
from tinker_ext.tracing import log

if TYPE_CHECKING:
    from tinker_ext.runtime.connection.connection import Connection

# Seconds that a client which ends still takes to tell; ours. What is not told then, the server
# learns from the end of the heartbeats.
CLOSE_TIMEOUT = 1.0


class CancellationSender:
    """Sends what it is given in the background, not too much at once. On the event loop only.

    It is a courtesy: what fails is logged and no more.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: deque[str] = deque()
        self._sending: asyncio.Task[None] | None = None

    def add(self, request_id: str) -> None:
        """Have the server stop working on a request, if it does such things."""
        if not self._wanted:
            return
        self._waiting.append(request_id)
        if self._sending is None or self._sending.done():
            self._sending = tasks.create_detached_task(self._send())

    @property
    def _wanted(self) -> bool:
        dialect = self._connection.dialect
        return dialect.dynamic.sample_cancel_enabled and dialect.supports("cancel_future")

    async def _send(self) -> None:
        while self._waiting and self._wanted:
            most = max(1, self._connection.dialect.dynamic.sample_cancel_max_batch_size)
            batch = list(islice(self._waiting, most))
            for _ in batch:
                self._waiting.popleft()
            await asyncio.gather(*map(self._cancel, batch))
        self._waiting.clear()

    async def _cancel(self, request_id: str) -> None:
        try:
            await self._connection.call(
                "cancel_future", lambda gateway: gateway.cancel_future(request_id)
            )
        except TinkerError as error:
            log.debug("request %s was not cancelled: %s", request_id, error)

    async def close(self) -> None:
        """Send what waits, for `LAST_WORD` seconds at most."""
        if self._sending is None:
            return
        await asyncio.wait({self._sending}, timeout=CLOSE_TIMEOUT)
        await tasks.cancel_and_wait(self._sending)
