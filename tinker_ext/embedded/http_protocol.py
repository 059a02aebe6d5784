"""uvicorn's HTTP/1.1 connection with limits on the size and duration of a request's headers.

httptools, which uvicorn uses if it is installed, limits neither; h11 limits the size only. Without
limits a client could make the server collect headers indefinitely.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from tinker_ext.embedded.request_body import MAX_BODY_BYTES

# Bytes of a request line and headers: the default of h11.
MAX_HEAD_BYTES = 64 * 1024

# Seconds from the first byte of a request, or from connecting, to the end of its headers.
HEAD_SECONDS = 30.0

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class BoundedHeads(asyncio.Protocol):
    """Closes a connection if the next request's headers are too slow or too large.

    A mixin for uvicorn's classes. Once the headers are complete, the application limits the body
    (`request_body`); uvicorn closes connections that are idle after a response
    (`timeout_keep_alive`).
    """

    # Set by uvicorn: the current or last request, and the connection.
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
        if handling and over_h11:  # h11 itself limits everything but bodies
            self._head_bytes = 0
            return
        # A response may be sent before the body has ended; the rest of the body is discarded.
        discarding = over_h11 and request is not None and request.more_body
        limit = MAX_BODY_BYTES if discarding else MAX_HEAD_BYTES
        if self._head_bytes > limit and not self.transport.is_closing():
            if not handling:
                self.transport.write(_TOO_LARGE)
            self.transport.close()
        elif not handling and self._timer is None:
            self._start_timer()

    def on_body(self, body: bytes) -> None:
        """Called by httptools for each chunk of a body, which does not count as headers."""
        self._head_bytes = 0
        super().on_body(body)  # type: ignore[misc]  # defined by uvicorn's class

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


# uvicorn chooses the class at import time, which a type checker can't follow.
class BoundedProtocol(BoundedHeads, AutoHTTPProtocol):  # type: ignore[valid-type, misc]
    """HTTP/1.1 with httptools if it is installed, else with h11."""
