"""Sends httpx requests over aiohttp: the same behaviour for less CPU time.

`make benchmark` measures the difference.

Does not use `httpx-aiohttp`: version 0.2.0 reports a lost response as a failed connection, leaks
aiohttp errors, has no write timeout, adds headers, sends a GET twice and rewrites signed URLs.
"""

from __future__ import annotations

import asyncio
import math
import os
from functools import lru_cache
from typing import TYPE_CHECKING
from weakref import WeakSet

import aiohttp
import httpx
from yarl import URL

from tinker_ext.transport.aiohttp.connections import MAX_HEADER_BYTES, FreshConnector
from tinker_ext.transport.aiohttp.faults import CONVERTED, BodyWriteTimeoutError, as_httpx

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Mapping

    from aiohttp.abc import AbstractStreamWriter

#: Maximum concurrent requests, each with a connection; ours. Allows for 400 polls that the server
#: holds for a minute, and 400 samples being submitted. Further requests wait for the pool timeout.
MAX_REQUESTS = 1000
# Bytes of a body written at a time. A shorter body fits into the socket's buffer, so it needs no
# write timeout.
_STEP = 64 * 1024
# Headers that aiohttp adds by default.
_SKIPPED_HEADERS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends httpx requests through one aiohttp session. Created and used on one event loop.

    A request counts as concurrent until its response body is closed.
    """

    def __init__(
        self,
        tls: ssl.SSLContext | None = None,
        proxy: str | None = None,
        max_requests: int = MAX_REQUESTS,
    ) -> None:
        if tls is not None:
            tls.set_alpn_protocols(["http/1.1"])  # As httpcore does.
        self._session = aiohttp.ClientSession(
            connector=FreshConnector(tls),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_SKIPPED_HEADERS,
            auto_decompress=False,  # `body_limits` decompresses up to a limit.
            proxy=proxy,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            middlewares=(_send_once,),
        )
        self._through_proxy = proxy is not None
        self._slots = asyncio.Semaphore(max_requests)
        _sessions.add(self._session)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        limits = {
            name: None if seconds is None or math.isinf(seconds) else seconds
            for name, seconds in request.extensions.get("timeout", {}).items()
        }
        await self._acquire_slot(limits.get("pool"))
        try:
            response = await self._exchange(request, limits)
        except BaseException:
            self._slots.release()
            raise
        return httpx.Response(
            response.status,
            headers=list(response.raw_headers),
            stream=_Body(response, self._slots.release),
        )

    async def aclose(self) -> None:
        await self._session.close()
        await asyncio.sleep(0)  # Lets sockets close that were aborted just before.

    async def _acquire_slot(self, limit: float | None) -> None:
        try:
            async with asyncio.timeout(limit if self._slots.locked() else None):
                await self._slots.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout(
                "the maximum number of concurrent requests is reached"
            ) from None

    async def _exchange(
        self, request: httpx.Request, limits: Mapping[str, float | None]
    ) -> aiohttp.ClientResponse:
        if self._session.closed:
            raise httpx.ConnectError("the transport is closed")
        content = await request.aread()
        upload = _Upload(content, limits.get("write")) if len(content) > _STEP else content
        connect, read = limits.get("connect"), limits.get("read")
        try:
            return await self._session.request(
                request.method,
                _url(request.url),
                data=upload or None,
                headers=[
                    (name.decode("ascii"), value.decode("latin-1"))
                    for name, value in request.headers.raw
                ],
                allow_redirects=False,
                timeout=_limits(connect, read, self._through_proxy),
            )
        except CONVERTED as error:
            raise as_httpx(error) from error


async def _send_once(
    request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Sends a request and converts its errors here; aiohttp would otherwise repeat a failed GET."""
    if request.method == "DELETE" and request.headers.get("Content-Length") == "0":
        del request.headers["Content-Length"]  # Added by aiohttp.
    try:
        return await send(request)
    except CONVERTED as error:
        raise as_httpx(error) from error


@lru_cache
def _limits(connect: float | None, read: float | None, proxied: bool) -> aiohttp.ClientTimeout:
    """The timeouts in seconds. With a proxy, the limit applies to each step of connecting."""
    total = None if proxied else connect
    return aiohttp.ClientTimeout(connect=total, sock_connect=connect, sock_read=read)


def _url(url: httpx.URL) -> URL:
    """The URL, encoded exactly as it was: a signature is not valid for another encoding."""
    exact = URL(str(url), encoded=True)
    # httpcore ignores a user and password; aiohttp would send them in a header.
    return exact.with_user(None) if url.userinfo else exact


class _Upload(aiohttp.Payload):
    """A long body, sent in chunks within `limit` seconds in total."""

    def __init__(self, content: bytes, limit: float | None) -> None:
        super().__init__(content)
        self._size = len(content)
        self._limit = limit

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        content: bytes = self._value
        return content.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        await self.write_with_length(writer, None)

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        content, transport = memoryview(self._value), writer.transport
        try:
            async with asyncio.timeout(self._limit):
                for start in range(0, len(content), _STEP):
                    await writer.write(content[start : start + _STEP])
                await writer.drain()
        except BaseException as error:
            # Closing would wait until the server has received the data already written.
            if transport is not None:
                transport.abort()
            if isinstance(error, TimeoutError):
                raise BodyWriteTimeoutError from None
            raise


class _Body(httpx.AsyncByteStream):
    """Streams a response body. Closing it before its end also closes the connection."""

    def __init__(self, response: aiohttp.ClientResponse, release: Callable[[], None]) -> None:
        self._response = response
        self._protocol = response.connection.protocol if response.connection else None
        self._release: Callable[[], None] | None = release

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except CONVERTED as error:
            raise as_httpx(error, self._protocol) from error

    async def aclose(self) -> None:
        release, self._release = self._release, None
        if release is not None:
            self._response.close()
            release()
            await self._response.wait_for_close()  # The request may still be being sent.


_sessions: WeakSet[aiohttp.ClientSession] = WeakSet()


def _detach_sessions() -> None:
    """After a fork: the sessions are the parent's, so aiohttp must not report them as unclosed."""
    for session in list(_sessions):
        session.detach()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_detach_sessions)
