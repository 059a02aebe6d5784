"""aiohttp's pool of connections, made as safe as httpcore's."""

from __future__ import annotations

import os
import select
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError

if TYPE_CHECKING:
    import ssl

    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

# Seconds that a connection is kept without use; httpx's own default.
KEPT = 5.0
#: Bytes of the headers of a response, all together and each alone; as many as httpcore takes.
MAX_HEADER_BYTES = 100 * 1024


class ResponseProtocol(ResponseHandler):
    """Bounds a response's headers, and lets no connection be used again that got data after one.

    aiohttp sets `_payload` when it has a response's headers.
    """

    _header_bytes = 0

    def set_response_params(self, **params: Any) -> None:
        self._payload, self._header_bytes = None, 0
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        if self._payload is None:
            if self._header_bytes > MAX_HEADER_BYTES:
                self.set_exception(HttpProcessingError(message="the headers are too long"))
                self.abort()
                return
            self._header_bytes += len(data)
        elif data and self._payload.is_eof():
            self.force_close()
        super().data_received(data)


class FreshConnector(aiohttp.TCPConnector):
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
        self._factory = partial(ResponseProtocol, loop=self._loop)  # type: ignore[assignment]
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
            if not protocol.should_close and not _is_readable(protocol):
                return connection
            connection.close()

    def __del__(self, *given: Any) -> None:
        # In a fork they are the parent's: closing them here would stop them there.
        if self._process == os.getpid():
            super().__del__(*given)


def _is_readable(protocol: ResponseHandler) -> bool:
    """Whether something waits to be read, were it only the end."""
    assert protocol.transport is not None
    sock = protocol.transport.get_extra_info("socket")
    if not hasattr(select, "poll"):
        return bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
