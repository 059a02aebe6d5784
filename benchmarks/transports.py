"""The CPU time of one request with each transport, against a minimal server in another process.

    python benchmarks/transports.py [ROUNDS]

The transports take turns. On a shared machine only the ratios are reliable.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import sys
import time
from collections import defaultdict
from typing import TYPE_CHECKING

import httpx

from tinker_ext.config import ClientConfig
from tinker_ext.config.parsers import HTTP_TRANSPORTS
from tinker_ext.transport.connections import build_transport
from tinker_ext.transport.response import read_body_bytes

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

REQUESTS, IN_FLIGHT, ROUNDS = 600, 64, 5
BODY = b"x" * 700
CONTENT = b'{"request_id": "12345"}'
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(CONTENT),
    CONTENT,
)


class Responder(asyncio.Protocol):
    """Responds to each request, without looking at it."""

    received = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if data.endswith(BODY):
            self.transport.write(RESPONSE)


def serve(port: Connection) -> None:
    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Responder, "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


async def send_many(transport: httpx.AsyncBaseTransport, url: str) -> None:
    left = iter(range(REQUESTS))
    timeout = httpx.Timeout(60.0).as_dict()

    async def work() -> None:
        for _ in left:
            request = httpx.Request("POST", url, content=BODY, extensions={"timeout": timeout})
            response = await transport.handle_async_request(request)
            assert await read_body_bytes(response, 1 << 20) == CONTENT
            await response.aclose()

    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))


async def measure(url: str, rounds: int) -> None:
    transports = {
        name: build_transport(ClientConfig.resolve(api_key="tml-benchmark", http_transport=name))
        for name in HTTP_TRANSPORTS
    }
    figures: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds + 1):  # The first is a warm-up.
        for name, transport in transports.items():
            before = time.process_time()
            await send_many(transport, url)
            if number:
                figures[name].append((time.process_time() - before) / REQUESTS * 1000)
    for name, values in figures.items():
        print(f"{name:10}{statistics.median(values):6.2f} ms per request")
    for transport in transports.values():
        await transport.aclose()


def main() -> None:
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,))
    server.start()
    try:
        rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
        asyncio.run(measure(f"http://127.0.0.1:{ours.recv()}/a", rounds))
    finally:
        server.kill()
        server.join()


if __name__ == "__main__":
    main()
