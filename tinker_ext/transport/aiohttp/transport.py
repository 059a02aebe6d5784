"""httpx's requests over aiohttp: the same behaviour for less of the processor.

`benchmarks/transports.py` has figures.

Made by hand and not with `httpx-aiohttp`, whose 0.2.0 reports a lost answer as a connection that
was not made, lets errors of aiohttp through, has no limit for writing, adds headers, sends a GET
twice and rewrites a signed address.
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
from tinker_ext.transport.aiohttp.faults import KNOWN, BodyWriteTimeoutError, as_httpx

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Mapping

    from aiohttp.abc import AbstractStreamWriter

#: Requests at a time, each with a connection; ours. 400 polls may be held for a minute each, beside
#: 400 samples being submitted; who comes later waits for a place, as long as `timeout` says.
MOST = 1000
# Bytes of a body handed down at a time. What is no longer needs no limit for writing either, it
# goes into the socket's buffer.
_STEP = 64 * 1024
# aiohttp would add these where they are missing.
_NOT_ADDED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends httpx's requests through one session of aiohttp. Made and used on one event loop.

    A request's place is given back when the body of the response is closed.
    """

    def __init__(
        self, tls: ssl.SSLContext | None = None, proxy: str | None = None, most: int = MOST
    ) -> None:
        if tls is not None:
            tls.set_alpn_protocols(["http/1.1"])  # As httpcore does.
        self._session = aiohttp.ClientSession(
            connector=FreshConnector(tls),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_NOT_ADDED,
            auto_decompress=False,  # Ours to do, within bounds.
            proxy=proxy,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            middlewares=(_once,),
        )
        self._through_proxy = proxy is not None
        self._places = asyncio.Semaphore(most)
        _sessions.add(self._session)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        limits = {
            name: None if seconds is None or math.isinf(seconds) else seconds
            for name, seconds in request.extensions.get("timeout", {}).items()
        }
        await self._take_place(limits.get("pool"))
        try:
            answer = await self._exchange(request, limits)
        except BaseException:
            self._places.release()
            raise
        return httpx.Response(
            answer.status,
            headers=list(answer.raw_headers),
            stream=_Body(answer, self._places.release),
        )

    async def aclose(self) -> None:
        await self._session.close()
        await asyncio.sleep(0)  # In which sockets close that were given up just before.

    async def _take_place(self, limit: float | None) -> None:
        try:
            async with asyncio.timeout(limit if self._places.locked() else None):
                await self._places.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout("all connections are in use") from None

    async def _exchange(
        self, request: httpx.Request, limits: Mapping[str, float | None]
    ) -> aiohttp.ClientResponse:
        if self._session.closed:
            raise httpx.ConnectError("the connections were closed")
        content = await request.aread()
        upload = _Upload(content, limits.get("write")) if len(content) > _STEP else content
        connect, read = limits.get("connect"), limits.get("read")
        try:
            return await self._session.request(
                request.method,
                _address(request.url),
                data=upload or None,
                headers=[
                    (name.decode("ascii"), value.decode("latin-1"))
                    for name, value in request.headers.raw
                ],
                allow_redirects=False,
                timeout=_limits(connect, read, self._through_proxy),
            )
        except KNOWN as error:
            raise as_httpx(error) from error


async def _once(
    request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Send a request and name its fault here, where aiohttp would otherwise repeat a GET."""
    if request.method == "DELETE" and request.headers.get("Content-Length") == "0":
        del request.headers["Content-Length"]  # Added by aiohttp.
    try:
        return await send(request)
    except KNOWN as error:
        raise as_httpx(error) from error


@lru_cache
def _limits(connect: float | None, read: float | None, proxied: bool) -> aiohttp.ClientTimeout:
    """Seconds. With a proxy each of its two connections has its own limit, and so its answer."""
    whole = None if proxied else connect
    return aiohttp.ClientTimeout(connect=whole, sock_connect=connect, sock_read=read)


def _address(url: httpx.URL) -> URL:
    """Where to, to the letter: a signed address is another one when it is written differently."""
    address = URL(str(url), encoded=True)
    # httpcore leaves a user and password out, aiohttp would make a header of them.
    return address.with_user(None) if url.userinfo else address


class _Upload(aiohttp.Payload):
    """A long body, sent piece by piece, all within `limit` seconds."""

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
            # It would not close before the server has taken in what was written to it.
            if transport is not None:
                transport.abort()
            if isinstance(error, TimeoutError):
                raise BodyWriteTimeoutError from None
            raise


class _Body(httpx.AsyncByteStream):
    """The body of an answer as it comes. Closed before its end, it takes the connection with it."""

    def __init__(self, answer: aiohttp.ClientResponse, release: Callable[[], None]) -> None:
        self._answer = answer
        self._protocol = answer.connection.protocol if answer.connection else None
        self._release: Callable[[], None] | None = release

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._answer.content.iter_any():
                yield part
        except KNOWN as error:
            raise as_httpx(error, self._protocol) from error

    async def aclose(self) -> None:
        release, self._release = self._release, None
        if release is not None:
            self._answer.close()
            release()
            await self._answer.wait_for_close()  # For what is still being sent.


_sessions: WeakSet[aiohttp.ClientSession] = WeakSet()


def _leave_to_the_parent() -> None:
    """After a fork: sessions are the parent's, and no warning is due that nobody closed them."""
    for session in list(_sessions):
        session.detach()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_the_parent)
