"""Both transports report the same errors for the same faults, so that retries are the same."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

import tinker_ext as tinker
from tests.wire.raw_server import Peer, RawServer
from tests.wire.transports import client_of

if TYPE_CHECKING:
    from collections.abc import Callable

# Seconds: the timeout under test, and a wait that exceeds it.
SHORT, LONG = 0.2, 20.0
# More bytes than any socket buffer holds.
LARGE = b"x" * 30_000_000


async def error_of(
    transport: str, url: str, body: bytes = b"{}", *, timeout: float = LONG, **more: Any
) -> tinker.APIConnectionError:
    """The error of a request."""
    async with client_of(transport, url, timeout=timeout, **more) as http:
        with pytest.raises(tinker.APIConnectionError) as caught:
            await http.request("POST", "/api", content=body)
    return caught.value


def after_the_request(do: Callable[[Peer], object]) -> Callable[[Peer], None]:
    def act(peer: Peer) -> None:
        if peer.request():
            do(peer)

    return act


HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"


def half_then_reset(peer: Peer) -> None:
    peer.say(HALF)
    peer.gone.wait(0.1)  # A reset discards unread data.
    peer.reset()


INTERRUPTIONS: dict[str, tuple[Callable[[Peer], object], str]] = {
    "closed before the response": (lambda peer: None, "protocol"),
    "reset before the response": (lambda peer: peer.reset(), "read"),
    "closed in the head": (lambda peer: peer.say(b"HTTP/1.1 200 O"), "protocol"),
    "half of the body": (lambda peer: peer.say(HALF), "protocol"),
    "half of the chunks": (lambda peer: peer.say(CHUNKED), "protocol"),
    "reset in the body": (half_then_reset, "read"),
    "no HTTP": (lambda peer: peer.say(b"SSH-2.0-OpenSSH_9.6\r\n"), "protocol"),
    "nonsense among the chunks": (lambda peer: peer.say(CHUNKED + b"zz\r\n{}\r\n"), "protocol"),
}


@pytest.mark.parametrize(("do", "fault"), INTERRUPTIONS.values(), ids=INTERRUPTIONS)
async def test_interrupted_response(
    http_transport: str, do: Callable[[Peer], object], fault: str
) -> None:
    with RawServer(after_the_request(do)) as server:
        error = await error_of(http_transport, server.url)
    assert (type(error), error.fault) == (tinker.APIConnectionError, fault)
    assert server.connections == 1, "the transport does not retry"


async def test_reset_during_upload(http_transport: str) -> None:
    def act(peer: Peer) -> None:
        peer.sock.recv(1)
        peer.reset()

    with RawServer(act) as server:
        error = await error_of(http_transport, server.url, LARGE)
    assert (type(error), error.fault) == (tinker.APIConnectionError, "read")


def half_of_it(peer: Peer) -> None:
    peer.say(HALF)
    peer.gone.wait(LONG)


STALLS: dict[str, tuple[Callable[[Peer], object], bytes]] = {
    "nothing is read": (lambda peer: peer.gone.wait(LONG), LARGE),
    "nothing is sent": (after_the_request(lambda peer: peer.gone.wait(LONG)), b"{}"),
    "after half of the body": (after_the_request(half_of_it), b"{}"),
}


@pytest.mark.parametrize(("act", "body"), STALLS.values(), ids=STALLS)
async def test_stalled_exchange_times_out(
    http_transport: str, act: Callable[[Peer], None], body: bytes
) -> None:
    with RawServer(act) as server:
        error = await error_of(http_transport, server.url, body, timeout=SHORT)
    assert (type(error), error.fault) == (tinker.APITimeoutError, "timeout")
    assert "no complete response" not in str(error), "each read and write has its own limit"


async def test_connection_refused(http_transport: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with RawServer(lambda peer: None) as server:
        refused = await error_of(http_transport, f"http://127.0.0.1:{port}")
        unknown = await error_of(http_transport, "http://server.invalid")
        # The server closes during the handshake.
        no_tls = await error_of(http_transport, f"https://127.0.0.1:{server.port}")
    for error in (refused, unknown, no_tls):
        assert (type(error), error.fault) == (tinker.APIConnectionError, "connect")


async def test_connection_timeout(http_transport: str) -> None:
    """A full accept queue drops further connections silently (listen(2))."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        address = full.getsockname()
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        url = f"http://127.0.0.1:{address[1]}"
        error = await error_of(http_transport, url, connect_timeout=SHORT)
    assert (type(error), error.fault) == (tinker.APITimeoutError, "connect")


async def test_proxy_that_rejects(http_transport: str) -> None:
    def act(peer: Peer) -> None:
        peer.request()
        peer.say(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with RawServer(act) as proxy:
        error = await error_of(http_transport, "https://server.invalid", proxy=proxy.url)
    assert (type(error), error.fault) == (tinker.APIConnectionError, "proxy")


async def test_early_error_response_is_read_during_upload(http_transport: str) -> None:
    def act(peer: Peer) -> None:
        peer.sock.recv(65536)
        peer.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nmuch")
        peer.sock.shutdown(socket.SHUT_WR)
        while peer.sock.recv(1 << 20):
            pass

    with RawServer(act) as server:
        async with client_of(http_transport, server.url) as http:
            with pytest.raises(tinker.APIStatusError) as caught:
                await http.request("POST", "/api", content=LARGE)
    assert caught.value.status_code == 413
