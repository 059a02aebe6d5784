"""uvicorn's HTTP/1.1 connection with a bound on the head of a request: its size and its time.

httptools, which uvicorn uses if it is installed, sets neither; h11 bounds the size only. Without
them a client could have the server collect headers for ever.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from tinker_ext.embedded.request_body import MAX_BODY_BYTES

# Bytes of a request line and headers: what h11 takes by default.
MAX_HEAD_BYTES = 64 * 1024

# Seconds from the first byte of a request, or from connecting, to the end of its headers.
HEAD_SECONDS = 30.0

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class BoundedHeads(asyncio.Protocol):
    """Closes a connection if the next request's headers are too slow or too large.

    To be put before one of uvicorn's classes. From the end of the headers on the application
    bounds the body (`bodies`); uvicorn closes connections that are idle after a response
    (`timeout_keep_alive`).
    """

    # uvicorn's: the request under way or handled last, and the connection.
    cycle: Any
    transport: Any
    loop: asyncio.AbstractEventLoop

    _timer: asyncio.TimerHandle | None = None
    _handled: Any = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        super().data_received(data)
        request = self.cycle
        if request is not self._handled:  # its headers are complete
            self._handled = request
            self._head_bytes = 0
            self._stop_timer()
        handling = request is not None and not request.response_complete
        over_h11 = hasattr(self, "conn")
        if handling and over_h11:  # which bounds all but bodies itself
            self._head_bytes = 0
            return
        # A response may come before the end of the body, which is then read and dropped.
        dropping = over_h11 and request is not None and request.more_body
        bound = MAX_BODY_BYTES if dropping else MAX_HEAD_BYTES
        if self._head_bytes > bound and not self.transport.is_closing():
            if not handling:
                self.transport.write(_TOO_LARGE)
            self.transport.close()
        elif not handling and self._timer is None:
            self._start_timer()

    def on_body(self, body: bytes) -> None:
        """Called by httptools for each piece of a body, so that it is not taken for headers."""
        self._head_bytes = 0
        super().on_body(body)  # type: ignore[misc]  # of uvicorn's class

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


# uvicorn chooses the class when it is imported, which a type checker can't follow.
class BoundedProtocol(BoundedHeads, AutoHTTPProtocol):  # type: ignore[valid-type, misc]
    """HTTP/1.1 over the faster parser that is installed."""
