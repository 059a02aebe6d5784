"""HTTP/1.1 over asyncio: the transport of requests without a proxy.

Does only what the gateway needs: requests with a body of known length, responses streamed once, a
pool of connections. httptools (the parser of uvicorn) parses the responses. It costs a quarter of
httpcore's CPU time per request (`benchmarks/transports.py`). The errors are those of httpx.
"""

from __future__ import annotations

import asyncio
import math
import select
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from contextvars import Context
from typing import Any, TypeAlias, cast

import httptools
import httpx
from attrs import define

from tinker_ext.transport.response import BufferedStream

#: Maximum concurrent requests, each with a connection; ours. Allows for 400 polls that the server
#: holds for a minute, and 400 samples being submitted. Further requests wait for the pool timeout.
MAX_REQUESTS = 1000
# Seconds for which an idle connection is kept; httpx's default.
KEEPALIVE_TIMEOUT = 5.0
#: Maximum bytes of a response's headers; httpcore's limit.
MAX_HEADER_BYTES = 100 * 1024
# Bytes of a body that are returned at a time, that are written at a time, and that are read ahead.
_STEP = 64 * 1024
_WRITE_STEP = 256 * 1024
_READ_AHEAD = 256 * 1024
# Seconds between the attempts to connect to several addresses of a host (RFC 8305, 5).
_HAPPY_EYEBALLS_DELAY = 0.25

_Origin: TypeAlias = tuple[str, bytes, int]
_DEFAULT_PORTS = {"http": 80, "https": 443}
_NO_TIMEOUTS: dict[str, float | None] = {}


class Http11Transport(httpx.AsyncBaseTransport):
    """Sends requests over pooled connections. Created and used on one event loop.

    A request counts as concurrent until its response body is closed.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, max_requests: int = MAX_REQUESTS) -> None:
        if tls is not None:
            tls.set_alpn_protocols(["http/1.1"])
        self._tls = tls
        self._free = max_requests
        self._queue: deque[asyncio.Future[None]] = deque()
        # Stacks: the connection used last is used next.
        self._idle: dict[_Origin, list[_Connection]] = {}
        self._active: set[_Connection] = set()
        self._cleanup: asyncio.TimerHandle | None = None
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        limits: dict[str, float | None] = request.extensions.get("timeout", _NO_TIMEOUTS)
        body = request.stream
        # Joining a single piece copies nothing.
        content = b"".join(body) if isinstance(body, httpx.ByteStream) else await request.aread()
        head = _head(request)
        if self._free:  # Then no request waits.
            self._free -= 1
        else:
            await self._wait_for_slot(limits.get("pool"))
        connection = None
        try:
            connection = await self._connection(request.url, limits.get("connect"))
            self._active.add(connection)
            await connection.exchange(head, content, limits.get("write"), limits.get("read"))
            while not connection.has_head:
                await connection.change()
        except BaseException:
            if connection is not None:
                connection.abort()
                self._active.discard(connection)
            self._give_slot()
            raise
        return httpx.Response(
            connection.status, headers=connection.headers, stream=_Body(self, connection)
        )

    async def aclose(self) -> None:
        self._closed = True
        if self._cleanup is not None:
            self._cleanup.cancel()
        idle = [connection for stack in self._idle.values() for connection in stack]
        self._idle.clear()
        for connection in (*idle, *self._active):
            connection.abort()
        await asyncio.sleep(0)  # Lets the sockets close.

    def release(self, connection: _Connection) -> None:
        """Take back a connection whose response is closed; keep it if it can be used again."""
        self._active.discard(connection)
        if self._queue:
            self._give_slot()
        else:
            self._free += 1
        if not connection.end_response() or self._closed:
            connection.abort()
            return
        loop = asyncio.get_running_loop()
        connection.expires = loop.time() + KEEPALIVE_TIMEOUT
        self._idle.setdefault(connection.origin, []).append(connection)
        if self._cleanup is None:
            self._cleanup = Context().run(loop.call_later, KEEPALIVE_TIMEOUT, self._close_expired)

    async def _wait_for_slot(self, limit: float | None) -> None:
        """Wait for the slot of a request that ends, in order of arrival."""
        waiter = asyncio.get_running_loop().create_future()
        self._queue.append(waiter)
        try:
            async with asyncio.timeout(limit):
                await waiter
        except (TimeoutError, asyncio.CancelledError) as error:
            if waiter.done() and not waiter.cancelled():
                self._give_slot()
            if isinstance(error, asyncio.CancelledError):
                raise
            raise httpx.PoolTimeout(
                "the maximum number of concurrent requests is reached"
            ) from None

    def _give_slot(self) -> None:
        """Pass a slot on to the request that has waited longest."""
        while self._queue:
            waiter = self._queue.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1

    async def _connection(self, url: httpx.URL, limit: float | None) -> _Connection:
        if self._closed:
            raise httpx.ConnectError("the transport is closed")
        if url.scheme not in _DEFAULT_PORTS:
            raise httpx.UnsupportedProtocol("the URL is not valid")
        origin = url.scheme, url.raw_host, url.port or _DEFAULT_PORTS[url.scheme]
        stack = self._idle.get(origin)
        while stack:
            connection = stack.pop()
            if connection.is_fresh():
                return connection
            connection.abort()
        return await self._connect(origin, limit)

    async def _connect(self, origin: _Origin, limit: float | None) -> _Connection:
        scheme, host, port = origin
        tls = self._tls if scheme == "https" else None
        if scheme == "https" and tls is None:
            raise httpx.UnsupportedProtocol("the transport has no TLS context")
        loop, name = asyncio.get_running_loop(), host.decode("ascii")
        try:
            async with asyncio.timeout(limit):
                addresses = await _addresses(name, port)
                single = len(addresses) == 1
                _, connection = await loop.create_connection(
                    lambda: _Connection(origin),
                    addresses[0] if single else name,
                    port,
                    ssl=tls,
                    server_hostname=None if tls is None else name,
                    # A cancelled race leaves its sockets to the garbage collection.
                    happy_eyeballs_delay=None if single else _HAPPY_EYEBALLS_DELAY,
                )
        except TimeoutError:
            raise httpx.ConnectTimeout("connection timed out") from None
        # ValueError: the name can't be encoded; RuntimeError: the interpreter is shutting down.
        except (OSError, ValueError, RuntimeError) as error:
            raise httpx.ConnectError(_described("connection failed", error)) from error
        return connection

    def _close_expired(self) -> None:
        self._cleanup = None
        loop = asyncio.get_running_loop()
        oldest = math.inf
        for origin, stack in list(self._idle.items()):
            remaining = []
            for connection in stack:
                if connection.expires <= loop.time():
                    connection.abort()
                else:
                    remaining.append(connection)
                    oldest = min(oldest, connection.expires)
            if remaining:
                self._idle[origin] = remaining
            else:
                del self._idle[origin]
        if oldest < math.inf:
            self._cleanup = loop.call_at(oldest, self._close_expired)


class _Connection(asyncio.Protocol):
    """One connection, and the response that is being read from it.

    Attributes:
        status, headers: of the response, once its head is read.
        has_head: whether the status and the headers are read.
        complete: whether the response has arrived, or no request is sent yet.
        pieces: of the body, which arrived and are not read yet.
        expires: until when the connection is kept while it is idle, in the time of the loop.
    """

    def __init__(self, origin: _Origin) -> None:
        self.origin = origin
        self.expires = 0.0
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._poll: select.poll | None = None
        self._parser: Any = httptools.HttpResponseParser(self)
        self._changed: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self._lost = self._paused_writing = self._paused_reading = False
        self._timer: asyncio.TimerHandle | None = None
        self.complete = True
        self._begin()

    def _begin(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._header_bytes = 0
        self.has_head = self._surplus = self._keep_alive = False
        self._upload_ended = True
        self._heard = 0.0
        self._read_timeout: float | None = None
        self.pieces: deque[bytes] = deque()
        self._buffered = 0

    # The connection.

    def end_response(self) -> bool:
        """Drop the rest of the response; return whether the connection can be used again.

        It can if the response is complete and the server keeps the connection open.
        """
        self._read_timeout = None
        self.pieces.clear()
        return (
            self.complete
            and self._keep_alive
            and self._upload_ended
            and not self._surplus
            and not self._lost
            and not self._paused_reading  # The caller has not read the whole body.
            and self._error is None
        )

    def is_fresh(self) -> bool:
        """Whether an idle connection can be used.

        A server closes a connection that was idle for long, and asyncio notices when the loop next
        reads. A request sent before that would be lost, so the socket itself is checked.
        """
        transport = self._transport
        assert transport is not None
        if self._surplus or transport.is_closing() or self._loop.time() >= self.expires:
            return False
        sock = transport.get_extra_info("socket")
        if not hasattr(select, "poll"):
            return not select.select([sock], [], [], 0)[0]
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(sock, select.POLLIN)
        return not self._poll.poll(0)

    def abort(self) -> None:
        """Close the socket at once, also if data is still to be sent."""
        self._stop_timer()
        self._parser = None  # It refers to this object.
        if self._transport is not None:
            self._transport.abort()

    # Sending a request, and waiting for the response.

    def exchange(
        self, head: bytes, content: bytes, write: float | None, read: float | None
    ) -> Awaitable[None]:
        """Send a request; return what to await until a part of its response may be there."""
        assert self._transport is not None
        self._begin()
        self.complete = False
        if self._lost:
            raise httpx.RemoteProtocolError("connection closed before a response")
        if len(content) > _STEP:
            return self._upload(head, content, write, read)
        self._transport.write(head + content)
        self._read_timeout = read
        return self.change()

    async def _upload(
        self, head: bytes, content: bytes, write: float | None, read: float | None
    ) -> None:
        """Send a long body, unless the server responds before its end."""
        assert self._transport is not None
        try:
            async with asyncio.timeout(write):
                self._transport.write(head)
                view = memoryview(content)
                for start in range(0, len(view), _WRITE_STEP):
                    self._transport.write(view[start : start + _WRITE_STEP])
                    while self._paused_writing and not self.has_head:
                        await self.change()
                    if self.has_head:
                        self._upload_ended = False
                        break
        except TimeoutError:
            raise httpx.WriteTimeout("the request body was not sent in time") from None
        self._read_timeout = read

    def change(self) -> asyncio.Future[None]:
        """A future that ends when the exchange goes on, fails, or exceeds the read timeout."""
        if self._read_timeout is not None:
            self._heard = self._loop.time()
            due = self._heard + self._read_timeout
            # Most requests find the timer of one before them, which is started again when it fires.
            if self._timer is None or self._timer.when() > due:
                self._start_timer(due)
        self._changed = self._loop.create_future()
        if self._error is not None:
            self._changed.set_exception(self._error)
        return self._changed

    def _wake(self) -> None:
        if self._changed is not None and not self._changed.done():
            # Received pieces are read before the error is raised.
            if self._error is None or self.pieces:
                self._changed.set_result(None)
            else:
                self._changed.set_exception(self._error)

    def _start_timer(self, at: float) -> None:
        self._stop_timer()
        # Without the caller's context, which the loop would keep alive.
        self._timer = Context().run(self._loop.call_at, at, self._check_timeout)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check_timeout(self) -> None:
        self._timer = None
        if self._read_timeout is None:
            return
        due = self._heard + self._read_timeout
        if self._loop.time() < due:
            self._start_timer(due)
        elif self._changed is not None and not self._changed.done():
            self._fail(httpx.ReadTimeout("no data received"))

    def _fail(self, error: Exception) -> None:
        if self._error is None and not self.complete:
            self._error = error
        self._wake()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body of the response."""
        while True:
            while self.pieces:
                chunk = self.pieces.popleft()
                self._buffered -= len(chunk)
                if self._paused_reading and self._buffered <= _READ_AHEAD // 2:
                    self._paused_reading = False
                    cast("asyncio.Transport", self._transport).resume_reading()
                yield chunk
            if self.complete:
                return
            await self.change()

    # Callbacks of asyncio.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        # The write timeout ends when the system has taken the last byte.
        self._transport.set_write_buffer_limits(high=1, low=0)

    def data_received(self, data: bytes) -> None:
        if self.complete or self._parser is None:
            self._surplus = True  # Data between two responses belongs to neither.
            self.abort()
            return
        self._heard = self._loop.time()
        if not self.has_head:
            self._header_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(httpx.RemoteProtocolError("the response is not valid HTTP"))
            self.abort()
            return
        if not self.has_head and self._header_bytes > MAX_HEADER_BYTES:
            self._fail(httpx.RemoteProtocolError("the response headers are too long"))
            self.abort()
        elif self._buffered > _READ_AHEAD and not self._paused_reading:
            self._paused_reading = True
            cast("asyncio.Transport", self._transport).pause_reading()
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = True
        if not self.complete:
            if error is not None:
                # As in httpcore, a ReadError even while a request is sent: the response may have
                # arrived before.
                failure = httpx.ReadError(_described("connection lost", error))
                failure.__cause__ = error
                self._fail(failure)
            elif not self.has_head:
                self._fail(httpx.RemoteProtocolError("connection closed before a response"))
            elif self._ends_with_connection():
                self.complete = True
            else:
                self._fail(httpx.RemoteProtocolError("connection closed within the response"))
        self._parser = None
        self._wake()

    def pause_writing(self) -> None:
        self._paused_writing = True

    def resume_writing(self) -> None:
        self._paused_writing = False
        self._wake()

    # Callbacks of httptools.

    def on_message_begin(self) -> None:
        if self.complete:
            self._surplus = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.complete:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self.complete:
            return
        self.status = self._parser.get_status_code()
        if self.status >= 200:
            self.has_head = True
            self._keep_alive = self._parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        if self.complete:
            return
        self._buffered += len(data)
        if len(data) <= _STEP:
            self.pieces.append(data)
        else:  # A download writes and reports each chunk.
            self.pieces.extend(data[at : at + _STEP] for at in range(0, len(data), _STEP))

    def on_message_complete(self) -> None:
        if self.has_head:
            self.complete = True
        else:  # An interim response, such as 100 Continue.
            self.headers = []

    def _ends_with_connection(self) -> bool:
        """Whether the end of the connection is the end of the body."""
        names = {name.lower() for name, _ in self.headers}
        return names.isdisjoint((b"content-length", b"transfer-encoding"))


@define(eq=False, repr=False)
class _Body(BufferedStream):
    """Streams a response body. Closing it before its end also closes the connection."""

    _transport: Http11Transport
    _connection: _Connection | None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._connection is not None:
            async for chunk in self._connection.chunks():
                yield chunk

    async def read(self) -> bytes:
        connection = self._connection
        if connection is not None and connection.complete and len(connection.pieces) == 1:
            return connection.pieces.popleft()
        return b"".join([chunk async for chunk in self])

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._transport.release(connection)


async def _addresses(name: str, port: int) -> list[str]:
    """The addresses of a host; an address is its own, without a thread."""
    for family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError):
            socket.inet_pton(family, name)
            return [name]
    infos = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in infos))


def _head(request: httpx.Request) -> bytes:
    """The request line and the headers.

    Raises:
        httpx.LocalProtocolError: a header would end early.
    """
    lines = [b"%s %s HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += map(b": ".join, request.headers.raw)
    lines += (b"", b"")
    head = b"\r\n".join(lines)
    ends = len(lines) - 1
    if head.count(b"\n") != ends or head.count(b"\r") != ends or b"\0" in head:
        raise httpx.LocalProtocolError("the request is not valid")
    return head


def _described(message: str, error: Exception) -> str:
    """A message with that of the operating system, if there is one."""
    reason = str(error.strerror or "") if isinstance(error, OSError) and error.errno else ""
    return f"{message}: {reason}" if reason else message
