"""What each transport sends and receives, as the server sees it."""

from __future__ import annotations

import base64
import logging

import httpx
import pytest

import tinker_ext as tinker
from tests.wire.raw_server import Peer, RawServer
from tests.wire.transports import Polite, client_of
from tinker_ext.config.parsers import HTTP_TRANSPORTS


def sent(head: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """The request line, and the headers by name."""
    first, *lines = head.split(b"\r\n")
    pairs = [line.partition(b": ") for line in lines]
    assert len({name.lower() for name, _, _ in pairs}) == len(pairs)
    return first, {name.lower(): value for name, _, value in pairs}


async def test_transports_send_the_same_request() -> None:
    """No header is added, and URLs are unchanged."""
    seen = []
    place = "/a%2Fb/tinker:%2F%2Frun-1%2Fa/~x?sig=a%2Fb%3D%7E&b=1+2%20c&d=%C3%A4&e"
    for transport in HTTP_TRANSPORTS:
        polite = Polite()
        with RawServer(polite) as server:
            async with client_of(transport, server.url, default_headers={"X-Mine": "a b"}) as http:
                await http.request("POST", "/api/v1/x", json={"a": 1})
                await http.request("POST", "/api/v1/x")
                await http.request("POST", "/api/v1/x", content=b"x" * 200_000)
                await http.request("GET", "/api/v1/x", params={"a b": "c/d?", "e": "ä"})
                await http.request("DELETE", place)
            port = str(server.port).encode()
            seen.append([sent(head.replace(port, b"PORT")) for head in polite.heads])
    assert seen[0] == seen[1]
    assert seen[0][4][0] == b"DELETE " + place.encode() + b" HTTP/1.1"
    assert seen[0][0][1][b"x-mine"] == b"a b"


async def test_cookies_are_neither_stored_nor_sent(
    http_transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    polite = Polite(b"Set-Cookie: a=1; Path=/\r\nSet-Cookie: HIDDEN a=HIDDEN; expires=HIDDEN\r\n")
    with RawServer(polite) as server, caplog.at_level(logging.DEBUG):
        async with client_of(http_transport, f"http://localhost:{server.port}") as http:
            for _ in range(2):
                await http.request("GET", "/a")
    assert not [head for head in polite.heads if b"cookie" in head.lower()]
    assert "HIDDEN" not in caplog.text


async def test_long_location_header_is_read(http_transport: str) -> None:
    place = "http://storage/" + "x" * 30_000

    def redirect(peer: Peer) -> None:
        peer.request()
        peer.say(b"HTTP/1.1 302 Go\r\nContent-Length: 0\r\nLocation: ")
        peer.say(place.encode() + b"\r\n\r\n")

    with RawServer(redirect) as server:
        async with client_of(http_transport, server.url) as http:
            response = await http.request("GET", "/a", accepts_redirect=True)
    assert response.headers["location"] == place


async def test_redirect_is_returned(http_transport: str) -> None:
    def redirect(peer: Peer) -> None:
        peer.request()
        peer.say(b"HTTP/1.1 307 Go\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n")
        peer.request()

    with RawServer(redirect) as server:
        async with client_of(http_transport, server.url) as http:
            with pytest.raises(tinker.APIStatusError) as caught:
                await http.request("GET", "/a")
    assert (caught.value.status_code, server.connections) == (307, 1)


async def test_redirect_target_is_requested_without_userinfo(http_transport: str) -> None:
    """The URL is otherwise unchanged."""
    there = Polite()
    with RawServer(there) as storage:
        place = f"http://user:pass@127.0.0.1:{storage.port}/b%2Fc?sig=a%2Fb%3D#part"

        def redirect(peer: Peer) -> None:
            peer.request()
            peer.say(b"HTTP/1.1 307 Go\r\nContent-Length: 0\r\nLocation: ")
            peer.say(place.encode() + b"\r\n\r\n")

        with RawServer(redirect) as server:
            async with client_of(http_transport, server.url) as http:
                await http.request("GET", "/a", follows_redirect=True)
    first, headers = sent(there.heads[0])
    assert first == b"GET /b%2Fc?sig=a%2Fb%3D HTTP/1.1"
    assert set(headers) == {b"host", b"accept"}


async def test_requests_are_sent_through_the_proxy(http_transport: str) -> None:
    polite = Polite()
    with RawServer(polite) as proxy:
        settings = {"proxy": f"http://me:p%40ss@127.0.0.1:{proxy.port}"}
        async with client_of(http_transport, "http://server.invalid", **settings) as http:
            for _ in range(2):
                await http.request("GET", "/a")
    first, headers = sent(polite.heads[1])
    assert first == b"GET http://server.invalid/a HTTP/1.1"
    assert headers[b"host"] == b"server.invalid"
    assert headers[b"proxy-authorization"] == b"Basic " + base64.b64encode(b"me:p@ss")
    assert proxy.connections == 1


@pytest.mark.usefixtures("trusted")
async def test_tls_with_and_without_a_proxy(http_transport: str) -> None:
    protocols = []

    def encrypted(peer: Peer) -> None:
        peer.encrypt()
        Polite()(peer)

    def tunnel(peer: Peer) -> None:
        protocols.append(peer.request().partition(b"\r\n")[0])
        peer.say(b"HTTP/1.1 200 Yes\r\n\r\n")
        encrypted(peer)

    with RawServer(encrypted) as server, RawServer(tunnel) as proxy:
        url = f"https://127.0.0.1:{server.port}"
        async with client_of(http_transport, url) as http:
            await http.request("GET", "/a")
            await http.request("POST", "/a", content=b"x" * 300_000)
        async with client_of(http_transport, url, proxy=proxy.url) as http:
            await http.request("GET", "/a")
        assert server.connections == 1
    assert protocols == [b"CONNECT 127.0.0.1:%d HTTP/1.1" % server.port]


async def test_untrusted_certificate_raises(http_transport: str) -> None:
    with RawServer(lambda peer: peer.encrypt()) as server:
        async with client_of(http_transport, f"https://127.0.0.1:{server.port}") as http:
            with pytest.raises(tinker.APIConnectionError, match="tls fault"):
                await http.request("GET", "/a")


NON_ASCII = {
    "latin-1": b"X-Region: Z\xfcrich",
    "utf-8": "Via: 1.1 Zürich".encode(),
    "neither": b"Server: \x80\xff",
    "request id": b"X-Request-Id: \xfc1",
}


@pytest.mark.parametrize("header", NON_ASCII.values(), ids=NON_ASCII)
@pytest.mark.parametrize("status", [200, 503, 404])
async def test_header_that_is_not_ascii_is_accepted(
    http_transport: str, header: bytes, status: int
) -> None:
    def serve(peer: Peer) -> None:
        while peer.request():
            peer.say(b"HTTP/1.1 %d Gr\xfc\xdfe\r\nContent-Length: 2\r\n" % status)
            peer.say(header + b"\r\n\r\n{}")

    with RawServer(serve) as server:
        async with client_of(http_transport, server.url) as http:
            if status == 200:
                response = await http.request("GET", "/a")
                assert response.content == b"{}"
                name, _, value = header.partition(b": ")
                text = value.decode("utf-8" if b"\xc3" in value else "latin-1")
                assert response.headers[name.decode()] == text
            else:
                with pytest.raises(tinker.APIStatusError) as caught:
                    await http.request("GET", "/a")
                assert caught.value.status_code == status


async def test_redirect_to_an_invalid_url_is_a_response(http_transport: str) -> None:
    def serve(peer: Peer) -> None:
        peer.request()
        peer.say(b"HTTP/1.1 307 Go\r\nContent-Length: 0\r\nLocation: http://[\xfc\r\n\r\n")

    with RawServer(serve) as server:
        async with client_of(http_transport, server.url) as http:
            with pytest.raises(tinker.APIStatusError, match="307"):
                await http.request("GET", "/a", follows_redirect=True)


async def test_redirect_to_a_host_name_that_is_too_long_raises(http_transport: str) -> None:
    def serve(peer: Peer) -> None:
        peer.request()
        location = b"http://" + b"x" * 64 + b".invalid/"
        peer.say(b"HTTP/1.1 307 Go\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n" % location)

    with RawServer(serve) as server:
        async with client_of(http_transport, server.url) as http:
            with pytest.raises(tinker.APIConnectionError):
                await http.request("GET", "/a", follows_redirect=True)


@pytest.mark.parametrize("line", [b"X-%d: " + b"x" * 50_000, b"X-%d: y"], ids=["long", "many"])
async def test_endless_headers_raise(http_transport: str, line: bytes) -> None:
    sent = 0

    def serve(peer: Peer) -> None:
        nonlocal sent
        peer.request()
        peer.say(b"HTTP/1.1 200 OK\r\n")
        for number in range(5_000_000 // len(line)):
            sent += len(line)
            peer.say(line % number + b"\r\n")

    with RawServer(serve) as server:
        async with client_of(http_transport, server.url) as http:
            with pytest.raises(tinker.APIConnectionError, match="protocol fault"):
                await http.request("GET", "/a")
    assert sent < 5_000_000


async def test_switch_to_another_protocol_is_an_error_and_not_logged(
    http_transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    def switch(peer: Peer) -> None:
        peer.request()
        peer.say(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n")

    with RawServer(switch) as server:
        async with client_of(http_transport, server.url) as http:
            with pytest.raises((httpx.RemoteProtocolError, tinker.APIError)):
                await http.request("GET", "/a")
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_offer_of_another_protocol_is_ignored(http_transport: str) -> None:
    """As Apache sends it with each response."""
    offer = b"Upgrade: h2,h2c\r\nConnection: Upgrade, Keep-Alive\r\n"
    with RawServer(Polite(offer)) as server:
        async with client_of(http_transport, server.url) as http:
            for _ in range(2):
                assert (await http.request("GET", "/a")).status_code == 200
