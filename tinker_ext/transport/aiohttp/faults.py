"""What went wrong below, in httpx's words, so that nothing above knows which transport is in use.

Only kinds are passed on, with words of our own: aiohttp's have addresses in them, and an address
may be signed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import httpx

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler


class BodyWriteTimeoutError(TimeoutError):
    """The server did not take in a request's body in its time."""


# The first that fits. As httpcore has it, a connection that breaks while a request is being sent
# is one that could not be read from: the answer may have come before.
_KINDS: tuple[tuple[type[Exception], type[httpx.TransportError], str], ...] = (
    (BodyWriteTimeoutError, httpx.WriteTimeout, "the request was not taken in"),
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout, "no connection was made"),
    (aiohttp.ClientConnectorError, httpx.ConnectError, "no connection was made"),
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol, "the address can't be used"),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError, "what came is no HTTP"),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError, "closed without an answer"),
    (aiohttp.ClientPayloadError, httpx.RemoteProtocolError, "closed in the middle of the answer"),
    (TimeoutError, httpx.ReadTimeout, "nothing came"),
    (OSError, httpx.ReadError, "the connection broke"),
    (aiohttp.ClientError, httpx.ReadError, "the connection was given up"),
    # Such as a header that can't be written.
    (ValueError, httpx.LocalProtocolError, "the request can't be sent"),
)
#: All that `as_httpx` knows.
KNOWN = (aiohttp.ClientError, OSError, ValueError)


def as_httpx(error: Exception, protocol: ResponseHandler | None = None) -> httpx.TransportError:
    """The error that httpcore's transport would have raised.

    `protocol` is that of the connection, if it broke while a body was read: a reset and a body that
    merely ends too soon are told apart by what it met.
    """
    if isinstance(error, aiohttp.ClientPayloadError) and protocol is not None:
        met = protocol.exception()
        error = met if isinstance(met, OSError) else error
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return httpx.ProxyError(str(error.status))
    kind, words = next((kind, words) for known, kind, words in _KINDS if isinstance(error, known))
    return kind(f"{words}: {reason}" if (reason := _reason(error)) else words)


def _reason(error: Exception) -> str:
    """The system's words, where it has some."""
    if isinstance(error, aiohttp.ClientConnectorError):
        error = error.os_error
    return str(error.strerror or "") if isinstance(error, OSError) and error.errno else ""
