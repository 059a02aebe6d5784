"""Many requests in flight: limited, all completed, at constant cost per request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import tinker_ext as tinker
from tests.builders import PARAMS, PROMPT, announce
from tests.wire.counting import Counting
from tinker_ext.testing import FakeServer, FaultServer, Received, Reply, make_client
from tinker_ext.transport.connections import ShardedTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


def test_four_hundred_samples_stay_within_the_limit() -> None:
    server = Counting("/asample")
    with make_client(server, max_samples_in_flight=50) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        futures = [sampler.sample(PROMPT, 1, PARAMS) for _ in range(400)]
        assert all(future.result(60).sequences for future in futures)
    assert server.most == 50
    assert sorted(call.body["seq_id"] for call in server.calls("asample")) == list(range(400))


@pytest.mark.parametrize("flags", [{}, {"sample_dispatch": 1000}])
def test_submissions_stay_within_the_server_byte_limit(flags: dict[str, Any]) -> None:
    """A prompt of 10 tokens counts as 100 bytes; submitted samples count as zero."""
    server = Counting("/asample", hold=0.02)
    announce(server, **{f"{name}_bytes_semaphore_size": size for name, size in flags.items()})
    waiting = {"type": "try_again", "request_id": "x", "queue_state": "active"}
    server.respond("retrieve_future", *[Reply(200, waiting)] * 40)
    with make_client(server) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        prompt = tinker.ModelInput.from_ints(list(range(10)))
        params = tinker.SamplingParams(max_tokens=1)
        futures = [sampler.sample(prompt, 1, params) for _ in range(40)]
        assert all(future.result(60).sequences for future in futures)
    # The limit allows ten at a time; without it all forty are sent at once.
    assert (server.most <= 10) == bool(flags)


def test_four_hundred_samples_need_at_most_forty_batched_polls() -> None:
    """On sockets; the server completes forty at a time, and holds each poll for 50 ms."""
    reported = 0

    def report_forty(received: Received) -> Reply:
        nonlocal reported
        listed = server.default_reply(received).body["completions"][:40]
        cursor = received.body["prev_cursor"] + len(listed)
        reported += len(listed)
        return Reply(200, {"completions": listed, "cursor": cursor}, delay=0.05)

    with FaultServer() as server:
        announce(server, sample_use_retrieve_futures=True)
        server.respond_always("retrieve_futures", report_forty)
        with make_client(base_url=server.url) as service:
            sampler = service.create_sampling_client(base_model="fake/model")
            futures = [sampler.sample(PROMPT, 1, PARAMS) for _ in range(400)]
            assert all(future.result(120).sequences for future in futures)
        batches, polls = server.calls("retrieve_futures"), server.calls("retrieve_future")
    fetched = [item for call in batches for item in call.body["retrieved_request_ids"]]
    assert reported == len(polls) == len(set(fetched)) == 400
    assert len(batches) <= 40
    assert len(fetched) < 800, "each is acknowledged until a response confirms it, not forever"


async def test_shard_is_released_when_the_body_is_closed() -> None:
    shards: list[httpx.MockTransport] = []

    async def body() -> AsyncIterator[bytes]:
        yield b"x"

    def make_shard() -> httpx.AsyncBaseTransport:
        shards.append(httpx.MockTransport(lambda request: httpx.Response(200, content=body())))
        return shards[-1]

    pool = ShardedTransport(make_shard, per_shard=2)
    request = httpx.Request("GET", "http://fake.invalid/")
    open_ones = [await pool.handle_async_request(request) for _ in range(5)]
    assert (len(shards), pool.in_flight) == (3, 5)
    for response in open_ones:
        await response.aread()
        await response.aclose()
        await response.aclose()
    assert pool.in_flight == 0
    for _ in range(4):
        await (await pool.handle_async_request(request)).aclose()
    assert len(shards) == 3
    await pool.aclose()


async def test_shard_is_released_after_a_failure() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no")

    pool = ShardedTransport(lambda: httpx.MockTransport(fail), per_shard=1)
    for _ in range(3):
        with pytest.raises(httpx.ConnectError):
            await pool.handle_async_request(httpx.Request("GET", "http://fake.invalid/"))
    assert pool.in_flight == 0


class Stuck(httpx.AsyncBaseTransport):
    """Never responds, or never finishes closing its response."""

    def __init__(self, *, responds: bool) -> None:
        self.responds = responds
        self.reached, self.closed = asyncio.Event(), asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not self.responds:
            await self._wait()
        return httpx.Response(200, stream=StuckStream(self._wait))

    async def _wait(self) -> None:
        self.reached.set()
        await asyncio.sleep(60)

    async def aclose(self) -> None:
        self.closed.set()


class StuckStream(httpx.AsyncByteStream):
    def __init__(self, close: Callable[[], Awaitable[None]]) -> None:
        self._close = close

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"x"

    async def aclose(self) -> None:
        await self._close()


@pytest.mark.parametrize("responds", [False, True], ids=["in the request", "in the close"])
async def test_shard_of_a_cancelled_request_is_closed_and_not_reused(
    responds: bool,
) -> None:
    shards: list[Stuck] = []

    def make_shard() -> httpx.AsyncBaseTransport:
        shards.append(Stuck(responds=responds))
        return shards[-1]

    async def send(pool: ShardedTransport) -> None:
        request = httpx.Request("GET", "http://fake.invalid/")
        await (await pool.handle_async_request(request)).aclose()

    pool = ShardedTransport(make_shard, per_shard=2)
    first, second = asyncio.create_task(send(pool)), asyncio.create_task(send(pool))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.wait([first])
    third = asyncio.create_task(send(pool))
    await asyncio.sleep(0.01)
    assert len(shards) == 2, "the third request uses a new shard"
    assert not shards[0].closed.is_set(), "the second request still uses it"
    second.cancel()
    await asyncio.wait_for(shards[0].closed.wait(), 5)
    third.cancel()
    await asyncio.wait([second, third])
    await pool.aclose()
    assert shards[1].closed.is_set()
    assert pool.in_flight == 0


def test_sample_request_body_and_headers() -> None:
    server = FakeServer()
    server.respond("asample", lambda _: Reply(200, {"request_id": 7}))
    server.results["7"] = {
        "sequences": [{"stop_reason": "new", "tokens": [5], "logprobs": None}],
        "prompt_logprobs": [None, -0.5],
    }
    with make_client(server) as service:
        sampler = service.create_sampling_client(model_path="tinker://run/sampler_weights/a")
        prompt = tinker.ModelInput.from_ints([1, 2])
        params = tinker.SamplingParams(max_tokens=3, temperature=0.0, stop=["\n"], seed=1)
        response = sampler.sample(prompt, 1, params, include_prompt_logprobs=True).result(10)
        logprobs = sampler.compute_logprobs(prompt).result(10)
    body = server.calls("asample")[0].body
    assert body["prompt"] == {"chunks": [{"tokens": [1, 2], "type": "encoded_text"}]}
    assert body["sampling_params"] == {
        "max_tokens": 3,
        "temperature": 0.0,
        "stop": ["\n"],
        "seed": 1,
        "top_k": -1,
        "top_p": 1.0,
    }
    assert body["prompt_logprobs"] is True
    assert response.sequences[0].stop_reason == "new"
    assert response.prompt_logprobs == [None, -0.5]
    assert logprobs == [None, -1.0]
