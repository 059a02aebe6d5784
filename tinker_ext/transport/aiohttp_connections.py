"""aiohttp's pool of connections, made as safe as httpcore's."""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import aiohttp

if TYPE_CHECKING:
    import ssl

    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

# Seconds that a connection is kept without use; httpx's own default.
KEPT = 5.0


class Connections(aiohttp.TCPConnector):
    """Connections as many as asked for; none is used again on which the server has said anything.

    A server closes a connection when it has been idle for long, and aiohttp hears of that when its
    loop comes to read it. A request in between would be lost, so the socket itself is asked.
    """

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        super().__init__(
            ssl=tls or False,
            limit=0,
            keepalive_timeout=KEPT,
            resolver=aiohttp.ThreadedResolver(),  # The system's own, whatever is installed.
        )
        self._process = os.getpid()
        self._used: WeakSet[ResponseHandler] = WeakSet()

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            assert protocol is not None
            if protocol not in self._used:
                self._used.add(protocol)
                return connection
            if not protocol.should_close and not _has_news(protocol):
                return connection
            connection.close()

    def __del__(self, *given: Any) -> None:
        # In a fork they are the parent's: closing them here would stop them there.
        if self._process == os.getpid():
            super().__del__(*given)


def _has_news(protocol: ResponseHandler) -> bool:
    """Whether something waits to be read, were it only the end."""
    assert protocol.transport is not None
    sock = protocol.transport.get_extra_info("socket")
    if not hasattr(select, "poll"):
        return bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
