"""Request headers are limited in size and time, with both of uvicorn's parsers."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tinker_ext.embedded import http_protocol
from tinker_ext.embedded.http_protocol import MAX_HEAD_BYTES, BoundedHeads

HEAD_SECONDS = 0.3
REQUEST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"


class OverH11(BoundedHeads, H11Protocol):
    """The protocol if httptools is not installed."""


class OverHttptools(BoundedHeads, HttpToolsProtocol):
    """The protocol if httptools is installed."""


async def echo(scope: Any, receive: Any, send: Any) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(params=[OverH11, OverHttptools])
def protocol(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> type[asyncio.Protocol]:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", HEAD_SECONDS)
    protocol_class: type[asyncio.Protocol] = request.param
    return protocol_class


@asynccontextmanager
async def connected(
    protocol: type[asyncio.Protocol],
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect to a server that echoes each body."""
    config = uvicorn.Config(echo, http=protocol, lifespan="off", ws="none", log_config=None)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        try:
            yield reader, writer
        finally:
            writer.close()
            server.should_exit = True
            await serving


async def response(reader: asyncio.StreamReader, body: bytes) -> bytes:
    return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n" + body), 10)


async def closed_after(reader: asyncio.StreamReader) -> float:
    """Seconds until the server closes the connection without a response."""
    started = time.monotonic()
    assert await asyncio.wait_for(reader.read(), 10) == b""
    return time.monotonic() - started


async def test_connection_without_a_request_is_closed(protocol: type[asyncio.Protocol]) -> None:
    async with connected(protocol) as (reader, _):
        assert await closed_after(reader) >= HEAD_SECONDS / 2


async def test_slow_headers_close_the_connection(protocol: type[asyncio.Protocol]) -> None:
    async with connected(protocol) as (reader, writer):

        async def trickle() -> None:
            writer.write(b"GET / HTTP/1.1\r\n")
            while True:
                writer.write(b"a: b\r\n")
                await asyncio.sleep(HEAD_SECONDS / 10)

        trickling = asyncio.create_task(trickle())
        try:
            assert await closed_after(reader) < 20 * HEAD_SECONDS
        finally:
            trickling.cancel()


async def test_limits_apply_to_later_requests_of_a_connection(
    protocol: type[asyncio.Protocol],
) -> None:
    async with connected(protocol) as (reader, writer):
        writer.write(REQUEST)
        assert b"200 OK" in await response(reader, b"{}")
        await asyncio.sleep(2 * HEAD_SECONDS)  # an idle connection stays open
        writer.write(REQUEST)
        assert b"200 OK" in await response(reader, b"{}")
        writer.write(REQUEST[:20])
        assert await closed_after(reader) >= HEAD_SECONDS / 2


async def test_slow_body_is_accepted(protocol: type[asyncio.Protocol]) -> None:
    async with connected(protocol) as (reader, writer):
        writer.write(REQUEST[:-1])
        await asyncio.sleep(2 * HEAD_SECONDS)
        writer.write(REQUEST[-1:])
        assert b"200 OK" in await response(reader, b"{}")


async def test_endless_header_is_rejected(protocol: type[asyncio.Protocol]) -> None:
    async with connected(protocol) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\na: ")
        sent_bytes = 0
        status = asyncio.create_task(reader.readline())
        while not status.done() and sent_bytes < 100 * MAX_HEAD_BYTES:
            writer.write(b"b" * 4096)
            sent_bytes += 4096
            await asyncio.sleep(0)
        assert (await asyncio.wait_for(status, 10)).split()[1] in (b"400", b"431")
        assert sent_bytes < 100 * MAX_HEAD_BYTES


@pytest.mark.parametrize("start", [b"1;", b"1\r\nx\r\n0\r\na: "], ids=["extension", "trailer"])
async def test_endless_chunk_extension_or_trailer_closes_the_connection(
    protocol: type[asyncio.Protocol], start: bytes
) -> None:
    async with connected(protocol) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(start)
        closed = asyncio.create_task(reader.read())
        sent_bytes = 0
        while not closed.done() and sent_bytes < 100 * MAX_HEAD_BYTES:
            with suppress(ConnectionError):
                writer.write(b"b" * 4096)
                await writer.drain()
            sent_bytes += 4096
        await asyncio.wait([closed], timeout=10)
        closed.exception()  # the connection may have been reset
        assert sent_bytes < 100 * MAX_HEAD_BYTES


async def test_chunked_body_is_accepted(protocol: type[asyncio.Protocol]) -> None:
    async with connected(protocol) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(b"1\r\nx\r\n" * MAX_HEAD_BYTES + b"0\r\n\r\n")
        assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
        assert await asyncio.wait_for(reader.readexactly(MAX_HEAD_BYTES), 10)


async def test_large_body_does_not_count_as_headers(protocol: type[asyncio.Protocol]) -> None:
    body = b"x" * (4 * MAX_HEAD_BYTES)
    head = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with connected(protocol) as (reader, writer):
        for _ in range(2):
            writer.write(head + body)
            assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            assert await asyncio.wait_for(reader.readexactly(len(body)), 10) == body
