"""Large response bodies: how many are read at once, and how much of one an error keeps."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

import tinker_ext as tinker
from tests.builders import PARAMS, PROMPT
from tests.waiting import comes_true
from tests.wire.raw_server import Peer, RawServer
from tests.wire.transports import Probe, client_of
from tinker_ext.config import ClientConfig
from tinker_ext.runtime.connection.client_limits import Budget, ClientLimits
from tinker_ext.testing import FaultServer, Received, Reply, make_client
from tinker_ext.transport import response as responses
from tinker_ext.transport.connections import build_gateway
from tinker_ext.transport.gateway import MAX_ERROR_BYTES
from tinker_ext.transport.json_decoding import decode_in_slices
from tinker_ext.transport.response import LARGE, UNRESERVED

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT = 4 * UNRESERVED
BODY = b"[%s]" % (b" " * (2 * UNRESERVED))


@pytest.mark.parametrize("chunked", [False, True])
async def test_concurrent_reads_of_large_bodies_are_limited(
    http_transport: str, chunked: bool
) -> None:
    """A body of unknown size counts as the maximum size."""
    may_end = threading.Event()
    half = len(BODY) * 3 // 4

    def serve(peer: Peer) -> None:
        peer.request()
        head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
        peer.say(head + (b"" if chunked else b"Content-Length: %d\r\n" % len(BODY)) + b"\r\n")
        peer.say(BODY[:half])
        may_end.wait(20)
        peer.say(BODY[half:])

    budget = Budget(2 * (LIMIT if chunked else len(BODY)))
    config = ClientConfig.resolve(
        api_key="tml-test", http_transport=http_transport, max_response_bytes=LIMIT
    )
    with RawServer(serve) as server:
        gateway = build_gateway(config, server.url, reserve=budget.reserve)
        http = Probe(gateway)
        reading = [asyncio.create_task(http.request("GET", "/a")) for _ in range(5)]
        assert await asyncio.to_thread(comes_true, lambda: budget.used == budget.limit)
        await asyncio.sleep(0.1)
        assert budget.used == budget.limit
        may_end.set()
        assert [len((await task).content) for task in reading] == [len(BODY)] * 5
        await gateway.close()
    assert budget.used == 0


def test_client_has_a_budget_for_large_bodies() -> None:
    config = ClientConfig.resolve(api_key="tml-test", max_response_bytes=1000)
    assert ClientLimits(config).body_bytes.limit == 4000


async def test_error_with_a_huge_body_keeps_its_beginning(http_transport: str) -> None:
    def serve(peer: Peer) -> None:
        peer.request()
        body = b'{"detail": "full", "x": "%s"}' % (b"y" * MAX_ERROR_BYTES)
        peer.say(b"HTTP/1.1 422 No\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with RawServer(serve) as server:
        async with client_of(http_transport, server.url) as http:
            with pytest.raises(tinker.UnprocessableEntityError, match="full") as caught:
                await http.request("GET", "/a")
    assert len(str(caught.value)) < 1000


def connect(server: FaultServer, http_transport: str) -> tinker.ServiceClient:
    return make_client(base_url=server.url, http_transport=http_transport)


@pytest.mark.parametrize("size", [LARGE // 2, 2 * LARGE])
def test_large_json_is_parsed_in_slices_outside_the_event_loop(
    http_transport: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []

    def recorded(content: bytes, loads: Callable[[bytes], Any]) -> Any:
        threads.append(threading.current_thread().name)
        return decode_in_slices(content, loads)

    monkeypatch.setattr(responses, "decode_in_slices", recorded)
    body = {"supported_models": [{"model_name": "fake/model"}], "unknown": "x" * size}
    with FaultServer() as server, connect(server, http_transport) as service:
        server.respond_always("get_server_capabilities", Reply(200, body))
        capabilities = service.get_server_capabilities()
    assert [model.model_name for model in capabilities.supported_models] == ["fake/model"]
    assert [name.startswith("asyncio_") for name in threads] == [True] * (size > LARGE)


def test_large_result_is_parsed_in_slices(
    http_transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def recorded(content: bytes, loads: Callable[[bytes], Any]) -> Any:
        sizes.append(len(content))
        return decode_in_slices(content, loads)

    def large(received: Received) -> Reply:
        return Reply(200, {**server.default_reply(received).body, "unknown": "x" * LARGE})

    monkeypatch.setattr(responses, "decode_in_slices", recorded)
    with FaultServer() as server, connect(server, http_transport) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        server.respond_always("retrieve_future", large)
        assert sampler.sample(PROMPT, 1, PARAMS).result(30).sequences
    assert [size > LARGE for size in sizes] == [True]


def test_large_body_that_is_not_json_is_a_validation_error(http_transport: str) -> None:
    body = b'{"supported_models": [' + b"1, " * (LARGE // 2)
    with FaultServer() as server, connect(server, http_transport) as service:
        json_type = {"Content-Type": "application/json"}
        server.respond_always("get_server_capabilities", Reply(200, body, json_type))
        with pytest.raises(tinker.APIResponseValidationError, match="not JSON"):
            service.get_server_capabilities()
