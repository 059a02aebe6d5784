"""An aiohttp connection pool with the safety checks of httpcore's."""

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

# Seconds for which an idle connection is kept; httpx's default.
KEEPALIVE_TIMEOUT = 5.0
#: Maximum bytes of a response's headers, in total and of each; httpcore's limit.
MAX_HEADER_BYTES = 100 * 1024


class ResponseProtocol(ResponseHandler):
    """Limits the size of response headers, and closes connections with data after a response.

    aiohttp sets `_payload` once it has parsed the headers.
    """

    _header_bytes = 0

    def set_response_params(self, **params: Any) -> None:
        self._payload, self._header_bytes = None, 0
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        if self._payload is None:
            if self._header_bytes > MAX_HEADER_BYTES:
                self.set_exception(HttpProcessingError(message="the response headers are too long"))
                self.abort()
                return
            self._header_bytes += len(data)
        elif data and self._payload.is_eof():
            self.force_close()
        super().data_received(data)


class FreshConnector(aiohttp.TCPConnector):
    """An unlimited pool that reuses a connection only if there is nothing to read on it.

    A server closes a connection that was idle for long, and aiohttp notices when its loop next
    reads. A request sent before that would be lost, so the socket itself is checked.
    """

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        super().__init__(
            ssl=tls or False,
            limit=0,
            keepalive_timeout=KEEPALIVE_TIMEOUT,
            resolver=aiohttp.ThreadedResolver(),  # Even if aiodns is installed.
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

    def __del__(self, *args: Any) -> None:
        # After a fork the connections belong to the parent; closing them here would break them.
        if self._process == os.getpid():
            super().__del__(*args)


def _is_readable(protocol: ResponseHandler) -> bool:
    """Whether there is data, or the end of the stream, to read."""
    assert protocol.transport is not None
    sock = protocol.transport.get_extra_info("socket")
    if not hasattr(select, "poll"):
        return bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
