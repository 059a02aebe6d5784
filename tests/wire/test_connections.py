"""When each transport opens, reuses and closes connections, as the server sees it."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import subprocess
import sys
import threading
import time
import warnings
from contextlib import suppress

import httpx
import pytest

import tinker_ext as tinker
from tests.processes import bare_environment, in_a_fork
from tests.waiting import comes_true
from tests.wire.raw_server import Peer, RawServer
from tests.wire.transports import Polite, client_of
from tinker_ext.testing import FaultServer
from tinker_ext.transport import http11
from tinker_ext.transport.http11 import Http11Transport


async def test_idle_connection_is_reused(http_transport: str) -> None:
    with RawServer(Polite()) as server:
        async with client_of(http_transport, server.url) as http:
            for _ in range(3):
                await http.request("GET", "/a")
        assert server.connections == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_connection_closed_by_the_server_is_not_reused(
    http_transport: str, method: str
) -> None:
    """Even if the event loop has not processed the close yet."""

    def once(peer: Peer) -> None:
        peer.request()
        peer.respond()

    with RawServer(once) as server:
        async with client_of(http_transport, server.url) as http:
            for number in range(1, 4):
                await http.request(method, "/a")
                assert server.connections == number
                while server.open:
                    time.sleep(0.001)  # noqa: ASYNC251 - blocks the loop on purpose


async def test_connection_with_unsolicited_data_is_not_reused(http_transport: str) -> None:
    was_read, surplus_sent = threading.Semaphore(0), threading.Semaphore(0)

    def respond_twice(peer: Peer) -> None:
        peer.request()
        peer.respond()
        was_read.acquire(timeout=10)
        peer.respond(b'"of another request"')
        surplus_sent.release()
        peer.request()

    with RawServer(respond_twice) as server:
        async with client_of(http_transport, server.url) as http:
            for _ in range(3):
                assert (await http.request("GET", "/a")).content == b"{}"
                was_read.release()
                assert await asyncio.to_thread(surplus_sent.acquire, timeout=10)


async def test_failed_get_is_not_repeated(http_transport: str) -> None:
    heads = []

    def close_the_second(peer: Peer) -> None:
        heads.append(peer.request())
        peer.respond()
        heads.append(peer.request())

    with RawServer(close_the_second) as server:
        async with client_of(http_transport, server.url) as http:
            await http.request("GET", "/a")
            with pytest.raises(tinker.APIConnectionError, match="protocol fault"):
                await http.request("GET", "/a")
    assert len(heads) == 2
    assert server.connections == 1


async def test_cancelled_request_closes_its_connection(http_transport: str) -> None:
    def hold(peer: Peer) -> None:
        peer.request()
        peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}")
        peer.request()

    with RawServer(hold) as server:
        async with client_of(http_transport, server.url) as http:
            task = asyncio.ensure_future(http.request("GET", "/a"))
            assert await asyncio.to_thread(comes_true, lambda: server.open == 1)
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(comes_true, lambda: server.open == 0)


@pytest.mark.parametrize("word", [b"", b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"])
async def test_upload_that_stalls_times_out_and_closes_its_socket(
    http_transport: str, word: bytes
) -> None:
    def stop_reading(peer: Peer) -> None:
        peer.sock.recv(1)
        peer.say(word)
        peer.gone.wait(20)

    with RawServer(stop_reading) as server:
        async with client_of(http_transport, server.url, timeout=0.1) as http:
            before = sockets()
            with pytest.raises(tinker.APIError):
                await http.request("POST", "/a", content=b"x" * 30_000_000)
            expected = before + 1  # The server's socket. One of an earlier test may close late.
            assert await asyncio.to_thread(comes_true, lambda: sockets() <= expected)


def sockets() -> int:
    """The number of open sockets of this process."""
    result = []
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # The descriptor of the listing itself.
            result.append(os.readlink(f"/proc/self/fd/{name}"))
    return sum(link.startswith("socket:") for link in result)


async def test_concurrent_requests_are_limited() -> None:
    most = 0

    def slow(peer: Peer) -> None:
        nonlocal most
        while peer.request():
            most = max(most, server.open)
            peer.gone.wait(0.01)
            peer.respond()

    def request(pool: float) -> httpx.Request:
        limits = httpx.Timeout(20.0, pool=pool).as_dict()
        return httpx.Request("GET", f"{server.url}/a", extensions={"timeout": limits})

    async def get() -> int:
        response = await transport.handle_async_request(request(20.0))
        await response.aread()
        await response.aclose()
        return response.status_code

    with RawServer(slow) as server:
        transport = Http11Transport(max_requests=3)
        assert set(await asyncio.gather(*[get() for _ in range(20)])) == {200}
        assert most == server.connections == 3
        held = [await transport.handle_async_request(request(20.0)) for _ in range(3)]
        with pytest.raises(httpx.PoolTimeout):
            await transport.handle_async_request(request(0.01))
        cancelled = asyncio.create_task(transport.handle_async_request(request(20.0)))
        waiting = asyncio.create_task(get())
        await asyncio.sleep(0)
        cancelled.cancel()
        await held[0].aclose()
        await held[0].aclose()
        assert await waiting == 200
        assert await get() == 200
        held[0] = await transport.handle_async_request(request(20.0))
        # Cancelled just after it was given a slot.
        cancelled = asyncio.create_task(transport.handle_async_request(request(20.0)))
        await asyncio.sleep(0)
        await held[1].aclose()
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert await get() == 200
        await transport.aclose()
        with pytest.raises(httpx.ConnectError):
            await get()


async def test_transport_dropped_in_a_fork_keeps_working_in_the_parent(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http11, "KEEPALIVE_TIMEOUT", 600.0)  # A fork may take long.

    async def get() -> None:
        response = await transports[0].handle_async_request(httpx.Request("GET", server.url))
        await response.aread()
        await response.aclose()

    def drop_it() -> str:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # An error would end the finalizer before it logs.
            transports.clear()
            gc.collect()
        return f"{[record.message for record in caplog.records if record.levelno > logging.DEBUG]}"

    with RawServer(Polite()) as server:
        transports = [Http11Transport()]
        await get()
        assert in_a_fork(drop_it) == "[]"
        await asyncio.wait_for(get(), 10)
        assert server.connections == 1
        await transports[0].aclose()


PROGRAM = """
import sys, tinker_ext as t
from tinker_ext.testing import make_client

def work(service, model="fake/model"):
    sampler = service.create_sampling_client(base_model=model)
    prompt, params = t.ModelInput.from_ints([1]), t.SamplingParams(max_tokens=1)
    for future in [sampler.sample(prompt, 1, params) for _ in range(10)]:
        future.result(60)

def client(**more):
    return make_client(base_url=sys.argv[1], **more)

with client() as closed:
    work(closed)
work(client())
left_open = client()
work(left_open)
with t.ServiceClient(base_url="embedded") as embedded:
    work(embedded, "embedded/tiny")
"""


def test_program_exits_without_warnings() -> None:
    """Clients are closed, dropped and left open."""
    with FaultServer() as server:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", PROGRAM, server.url],
            capture_output=True,
            env=bare_environment(),
            timeout=100,
        )
        assert comes_true(lambda: not server.connections_open)
    assert (done.returncode, done.stderr.decode()) == (0, "")
