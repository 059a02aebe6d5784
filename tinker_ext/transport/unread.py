"""Detects unread data on a pooled connection.

Bytes that follow a complete response would be parsed as the response to the next request. httpcore
checks the socket before it reuses a connection, which detects bytes that arrive later. Bytes that
arrived together with the response are no longer in the socket.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

#: The attributes in which httpcore and anyio hold a wrapped connection or stream.
_CONNECTION, _STREAM = "_connection", "transport_stream"


async def close_if_unread(transport: httpx.AsyncBaseTransport) -> None:
    """Closes idle connections with unread data of an httpcore pool; ignores other transports."""
    pool = getattr(transport, "_pool", None)
    for connection in () if pool is None else pool.connections:
        if connection.is_idle() and _has_unread(connection):
            await connection.aclose()


def _has_unread(connection: Any) -> bool:
    """Whether any buffer between the socket and httpcore holds data.

    The buffers are private attributes of httpcore and anyio. If they can't be found, the connection
    counts as having data: another version of either then costs connections, never a wrong response.
    """
    try:
        while hasattr(connection, _CONNECTION):  # A tunnel, or a connection opened on first use.
            connection = connection._connection
        if connection._h11_state.trailing_data[0]:
            return True
        stream = connection._network_stream._stream
        while hasattr(stream, _STREAM):
            if _has_decrypted(stream._ssl_object):
                return True
            stream = stream.transport_stream
        return bool(stream._protocol.read_queue)
    except AttributeError:
        return True


def _has_decrypted(tls: ssl.SSLObject) -> bool:
    """Whether TLS holds unread data or an unread end of stream. Consumes one byte of it."""
    try:
        tls.read(1)
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError:
        return True
    return True
