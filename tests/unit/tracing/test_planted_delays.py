"""The summary must find planted delays of each category within ten percent."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from tests.builders import PARAMS, PROMPT
from tinker_ext import tracing
from tinker_ext.testing import FakeServer, Reply, make_client
from tinker_ext.timeouts import Clock
from tinker_ext.trace_report.recordings import read_recording
from tinker_ext.trace_report.summary import Category, Summary, summarize

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

# Seconds.
QUEUE, COMPUTE, NETWORK, PAUSE, OWN = 0.3, 0.8, 0.1, 1.0, 0.5
TOLERANCE = 0.1


class Slow(FakeServer):
    """A server behind a slow network that queues and computes, and records its actual delays."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.planted: defaultdict[Category, float] = defaultdict(float)
        self._scale = scale
        self._accepted: dict[str, float] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        poll = request.url.path.endswith("retrieve_future")
        request_delay = await self._sleep(NETWORK / 2 * self._scale)
        if poll:
            await self._hold((await request.aread()).decode())
        response = await super().handle_async_request(request)
        response_delay = await self._sleep(NETWORK / 2 * self._scale)
        # The network delay of polls overlaps with the computation, and heartbeats are not awaited.
        if request.url.path.endswith("asample"):
            self.planted[Category.NETWORK] += request_delay + response_delay
        return response

    async def _hold(self, body: str) -> None:
        """Hold a poll until the state changes, as servers do."""
        request_id = body.split('"')[3]
        polls = sum(call.body["request_id"] == request_id for call in self.calls("retrieve_future"))
        # Accepted before the response was sent and the first poll arrived.
        began = self._accepted.setdefault(request_id, time.monotonic() - NETWORK * self._scale)
        first = len(self._accepted) == 1
        queue = QUEUE * self._scale if first else 0.0
        if first and polls == 0:
            self.respond("retrieve_future", Reply(408, {"queue_state": "paused_capacity"}))
        elif first and polls == 1:
            await self._sleep(began + queue - time.monotonic())
            self.respond("retrieve_future", Reply(408, {"queue_state": "active"}))
            self.planted[Category.QUEUE] += time.monotonic() - began
            self._accepted[request_id] = time.monotonic() - queue
        else:
            until = began + queue + COMPUTE * self._scale
            await self._sleep(until - time.monotonic())
            self.planted[Category.COMPUTE] += time.monotonic() - began - queue

    async def _sleep(self, seconds: float) -> float:
        started = time.monotonic()
        await asyncio.sleep(max(0.0, seconds))
        return time.monotonic() - started


def rate_limited(scale: float) -> Reply:
    return Reply(429, None, {"Retry-After": str(PAUSE * scale)})


def run(path: Path, scale: float) -> tuple[dict[Category, float], Summary]:
    """The planted seconds and the summary of the recording."""
    server = Slow(scale)
    # Without jitter, the client polls again immediately and notices changes in time.
    with make_client(server, clock=Clock(jitter=lambda: 0.0)) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        server.planted.clear()
        tracing.record_to(path)
        server.respond("asample", rate_limited(scale))
        sampler.sample(PROMPT, 1, PARAMS).result(60)
        started = time.monotonic()
        time.sleep(OWN * scale)
        server.planted[Category.OWN] += time.monotonic() - started
        sampler.sample(PROMPT, 1, PARAMS).result(60)
        tracing.stop_recording()
    server.planted[Category.PAUSE] = PAUSE * scale
    return server.planted, summarize(read_recording(path))


def misses(planted: dict[Category, float], summary: Summary) -> dict[Category, tuple[float, float]]:
    """Categories that are off by more than the tolerance: planted and reported seconds."""
    return {
        category: (seconds, summary.seconds[category])
        for category, seconds in planted.items()
        if abs(summary.seconds[category] - seconds) > TOLERANCE * seconds
    }


def test_summary_finds_each_planted_delay(tmp_path: Path) -> None:
    # A busy machine adds delays; longer planted delays are less affected.
    for scale in (1, 3, 9):
        planted, summary = run(tmp_path / f"{scale}.jsonl", scale)
        missed = misses(planted, summary)
        if not missed:
            break
    assert not missed
    assert set(planted) == {
        Category.QUEUE,
        Category.COMPUTE,
        Category.NETWORK,
        Category.PAUSE,
        Category.OWN,
    }
    assert summary.total == sum(summary.seconds.values())
    assert summary.queue_reasons == {"paused_capacity": 1}


def test_verdict_names_largest_category(tmp_path: Path) -> None:
    _, summary = run(tmp_path / "run.jsonl", 0.2)
    assert "went to computation on the server." in summary.verdict
    assert [
        (operation.name, operation.count, operation.retries) for operation in summary.operations
    ] == [("sample", 2, 1)]
