"""Data after the end of a response is never parsed as the response to the next request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

import tinker_ext as tinker
from tests.waiting import comes_true
from tests.wire.raw_server import Peer, RawServer
from tests.wire.transports import client_of

SURPLUS = b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"surplus"'
#: Bytes that a read of asyncio may return, and a read of httpcore does not (64 KiB).
LONG = 200_000


def respond(body: bytes, surplus: bytes) -> Callable[[Peer], None]:
    """Responds to each request and sends `surplus` in the same segment."""

    def serve(peer: Peer) -> None:
        while peer.request():
            head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
            peer.say(head + body + surplus)

    return serve


def encrypted(serve: Callable[[Peer], None]) -> Callable[[Peer], None]:
    def encrypt_and_serve(peer: Peer) -> None:
        peer.encrypt()
        serve(peer)

    return encrypt_and_serve


@pytest.mark.parametrize("surplus", [SURPLUS, SURPLUS * 3])
@pytest.mark.parametrize("body", [b"{}", b"[%s]" % (b" " * LONG)], ids=["short", "long"])
async def test_surplus_in_the_same_segment_closes_the_connection(
    http_transport: str, body: bytes, surplus: bytes
) -> None:
    with RawServer(respond(body, surplus)) as server:
        async with client_of(http_transport, server.url) as http:
            for number in range(1, 4):
                assert (await http.request("GET", "/a")).content == body
                assert server.connections == number


@pytest.mark.parametrize("surplus", [b"garbage", b"\0", b"HTTP/1.1 whatever\r\n\r\n"])
async def test_surplus_that_is_not_http_closes_the_connection(
    http_transport: str, surplus: bytes
) -> None:
    """aiohttp's parser then loses the response as well."""
    with RawServer(respond(b"{}", surplus)) as server:
        async with client_of(http_transport, server.url) as http:
            for number in range(1, 4):
                if http_transport == "aiohttp":
                    with pytest.raises(tinker.APIConnectionError, match="protocol fault"):
                        await http.request("GET", "/a")
                    # One more probes a server that never responded for TLS.
                    assert server.connections == number + (number > 1)
                else:
                    assert (await http.request("GET", "/a")).content == b"{}"
                    assert server.connections == number


async def test_partial_surplus_response_is_dropped(http_transport: str) -> None:
    """aiohttp's parser does not report a partial response, so it is replaced."""
    with RawServer(respond(b"{}", b"HTTP/1.1 20")) as server:
        async with client_of(http_transport, server.url) as http:
            for number in range(1, 4):
                assert (await http.request("GET", "/a")).content == b"{}"
                assert server.connections == (1 if http_transport == "aiohttp" else number)


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("body", [b"{}", b"[%s]" % (b" " * LONG)], ids=["short", "long"])
async def test_surplus_over_tls_closes_the_connection(http_transport: str, body: bytes) -> None:
    with RawServer(encrypted(respond(body, SURPLUS))) as server:
        async with client_of(http_transport, f"https://127.0.0.1:{server.port}") as http:
            for number in range(1, 4):
                assert (await http.request("GET", "/a")).content == body
                assert server.connections == number


@pytest.mark.usefixtures("trusted")
async def test_tls_connection_without_surplus_is_reused(http_transport: str) -> None:
    with RawServer(encrypted(respond(b"[%s]" % (b" " * LONG), b""))) as server:
        async with client_of(http_transport, f"https://127.0.0.1:{server.port}") as http:
            for _ in range(3):
                await http.request("GET", "/a")
        assert server.connections == 1


async def test_partial_surplus_response_while_idle_closes_the_connection(
    http_transport: str,
) -> None:
    """Sent in two parts; the second alone would be parsed as a response."""
    all_sent = asyncio.Event()
    loop = asyncio.get_running_loop()

    def serve(peer: Peer) -> None:
        peer.request()
        peer.respond()
        peer.gone.wait(0.05)
        peer.say(b"HTTP/1.1 200 OK\r\nX-Part: ")
        loop.call_soon_threadsafe(all_sent.set)
        peer.request()

    with RawServer(serve) as server:
        async with client_of(http_transport, server.url) as http:
            for number in range(1, 4):
                all_sent.clear()
                assert (await http.request("GET", "/a")).content == b"{}"
                assert server.connections == number
                await all_sent.wait()
                await asyncio.sleep(0.05)


async def test_surplus_after_an_empty_response_closes_the_connection(http_transport: str) -> None:
    def serve(peer: Peer) -> None:
        while peer.request():
            peer.say(b"HTTP/1.1 204 No Content\r\n\r\n" + SURPLUS)

    with RawServer(serve) as server:
        async with client_of(http_transport, server.url) as http:
            for number in range(1, 4):
                assert (await http.request("GET", "/a")).content == b""
                assert server.connections == number


async def test_surplus_after_an_error_closes_the_connection(http_transport: str) -> None:
    def serve(peer: Peer) -> None:
        while peer.request():
            peer.say(b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n" + SURPLUS)

    with RawServer(serve) as server:
        async with client_of(http_transport, server.url) as http:
            for number in range(1, 4):
                with pytest.raises(tinker.InternalServerError):
                    await http.request("GET", "/a")
                assert await asyncio.to_thread(comes_true, lambda: server.open == 0)
                assert server.connections == number


async def test_interim_response_is_not_surplus(http_transport: str) -> None:
    def serve(peer: Peer) -> None:
        while peer.request():
            peer.say(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
            peer.gone.wait(0.05)
            peer.respond()

    with RawServer(serve) as server:
        async with client_of(http_transport, server.url) as http:
            for _ in range(3):
                assert (await http.request("GET", "/a")).content == b"{}"
