"""Asks the server to cancel samples that the caller has given up."""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import islice

from tinker_api import models

from tinker_ext.errors import TinkerError
from tinker_ext.runtime.concurrency import tasks
from tinker_ext.runtime.connection.connection import Connection
from tinker_ext.tracing import log
from tinker_ext.transport import operations

# Seconds that closing a client waits for queued cancellations; ours. Samples that are not cancelled
# by then end on the server when the heartbeats stop.
CLOSE_TIMEOUT = 1.0


class CancellationSender:
    """Sends cancellations in the background, in batches. On the event loop only.

    Failed cancellations are logged and not raised.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._queue: deque[str] = deque()
        self._sending: asyncio.Task[None] | None = None

    def add(self, request_id: str) -> None:
        """Queue the cancellation of a request, if the server has cancellation enabled."""
        if not self._enabled:
            return
        self._queue.append(request_id)
        if self._sending is None or self._sending.done():
            self._sending = tasks.create_detached_task(self._send())

    @property
    def _enabled(self) -> bool:
        protocol = self._connection.protocol
        return protocol.dynamic.sample_cancel_enabled and protocol.supports("cancel_future")

    async def _send(self) -> None:
        while self._queue and self._enabled:
            batch_size = max(1, self._connection.protocol.dynamic.sample_cancel_max_batch_size)
            batch = list(islice(self._queue, batch_size))
            for _ in batch:
                self._queue.popleft()
            await asyncio.gather(*map(self._cancel, batch))
        self._queue.clear()

    async def _cancel(self, request_id: str) -> None:
        try:
            body = models.CancelFutureRequest(request_id=request_id)
            await self._connection.call(operations.cancel_future(body=body))
        except TinkerError as error:
            log.debug("request %s was not cancelled: %s", request_id, error)

    async def close(self) -> None:
        """Send queued cancellations for at most `CLOSE_TIMEOUT` seconds."""
        if self._sending is None:
            return
        await asyncio.wait({self._sending}, timeout=CLOSE_TIMEOUT)
        await tasks.cancel_and_wait(self._sending)
