"""Converts aiohttp's errors to httpx's, so that callers need not know the transport.

The messages are our own, because aiohttp's contain URLs, which may be signed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import httpx

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler


class BodyWriteTimeoutError(TimeoutError):
    """The request body was not sent within the write timeout."""


# The first match applies. As in httpcore, a connection that fails while a request is sent is a
# ReadError: the response may have arrived before.
_KINDS: tuple[tuple[type[Exception], type[httpx.TransportError], str], ...] = (
    (BodyWriteTimeoutError, httpx.WriteTimeout, "the request body was not sent in time"),
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout, "connection timed out"),
    (aiohttp.ClientConnectorError, httpx.ConnectError, "connection failed"),
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol, "the URL is not valid"),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError, "the response is not valid HTTP"),
    (
        aiohttp.ServerDisconnectedError,
        httpx.RemoteProtocolError,
        "connection closed before a response",
    ),
    (
        aiohttp.ClientPayloadError,
        httpx.RemoteProtocolError,
        "connection closed within the response",
    ),
    (TimeoutError, httpx.ReadTimeout, "no data received"),
    (OSError, httpx.ReadError, "connection lost"),
    (aiohttp.ClientError, httpx.ReadError, "connection aborted"),
    # For example, an invalid header.
    (ValueError, httpx.LocalProtocolError, "the request is not valid"),
)
#: The errors that `as_httpx` converts.
CONVERTED = (aiohttp.ClientError, OSError, ValueError)


def as_httpx(error: Exception, protocol: ResponseHandler | None = None) -> httpx.TransportError:
    """The error that httpcore's transport would raise.

    `protocol` is the connection's protocol, if it failed while a body was read. Its exception
    distinguishes a reset connection from a truncated body.
    """
    if isinstance(error, aiohttp.ClientPayloadError) and protocol is not None:
        cause = protocol.exception()
        error = cause if isinstance(cause, OSError) else error
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return httpx.ProxyError(str(error.status))
    kind, message = next(
        (kind, message) for known, kind, message in _KINDS if isinstance(error, known)
    )
    return kind(f"{message}: {reason}" if (reason := _reason(error)) else message)


def _reason(error: Exception) -> str:
    """The operating system's message, if there is one."""
    if isinstance(error, aiohttp.ClientConnectorError):
        error = error.os_error
    return str(error.strerror or "") if isinstance(error, OSError) and error.errno else ""
