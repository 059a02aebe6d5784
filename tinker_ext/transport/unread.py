"""Finds data on a pooled connection that no request has asked for.

After a response is complete, bytes that are left over would be parsed as the response to the next
request. httpcore looks at the socket before it uses a connection again, which finds bytes that
arrive later. Bytes that arrive together with the response have left the socket already.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

#: What httpcore and anyio call a wrapped connection or stream.
_CONNECTION, _STREAM = "_connection", "transport_stream"


async def close_if_unread(transport: httpx.AsyncBaseTransport) -> None:
    """Close the idle connections of an httpcore pool that hold data; other transports have none."""
    pool = getattr(transport, "_pool", None)
    for connection in () if pool is None else pool.connections:
        if connection.is_idle() and _has_unread(connection):
            await connection.aclose()


def _has_unread(connection: Any) -> bool:
    """Whether data is left in any of the buffers between the socket and httpcore.

    httpcore and anyio keep their buffers private. A connection whose buffers can't be found counts
    as having data, so that another version of either costs connections and never a wrong response.
    """
    try:
        while hasattr(connection, _CONNECTION):  # A tunnel, or one that is made on first use.
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
    """Whether TLS has received data, or the end, that was not read. Consumes a byte of it."""
    try:
        tls.read(1)
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError:
        return True
    return True
