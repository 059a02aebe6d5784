"""Delays are planted on each side, and the summary must find each, within a tenth."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from typing import TYPE_CHECKING

import tinker_ext as tinker
from tinker_ext import tracing
from tinker_ext.runtime.concurrency.clock import Clock
from tinker_ext.testing import FakeServer, Reply, make_client
from tinker_ext.trace_report.recordings import read_recording
from tinker_ext.trace_report.summary import Summary, summarize
from tinker_ext.trace_report.timeline import Category

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

PROMPT = tinker.ModelInput.from_ints([1, 2, 3])
PARAMS = tinker.SamplingParams(max_tokens=4)
# Seconds.
QUEUE, COMPUTE, NETWORK, PAUSE, OWN = 0.3, 0.8, 0.1, 1.0, 0.5
TOLERANCE = 0.1


class Slow(FakeServer):
    """A server behind a slow network that queues and computes; it notes what it really took."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.planted: defaultdict[Category, float] = defaultdict(float)
        self._scale = scale
        self._accepted: dict[str, float] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        poll = request.url.path.endswith("retrieve_future")
        there = await self._sleep(NETWORK / 2 * self._scale)
        if poll:
            await self._hold((await request.aread()).decode())
        response = await super().handle_async_request(request)
        back = await self._sleep(NETWORK / 2 * self._scale)
        # The way of a poll passes while the server works; heartbeats nobody waits for.
        if request.url.path.endswith("asample"):
            self.planted[Category.NETWORK] += there + back
        return response

    async def _hold(self, body: str) -> None:
        """As servers do: a poll waits until there is something new."""
        request_id = body.split('"')[3]
        polls = sum(call.body["request_id"] == request_id for call in self.calls("retrieve_future"))
        # Accepted before the answer came back and the first poll came here.
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


def refused(scale: float) -> Reply:
    return Reply(429, None, {"Retry-After": str(PAUSE * scale)})


def run(path: Path, scale: float) -> tuple[dict[Category, float], Summary]:
    """What was planted, in seconds, and what the summary says of it."""
    server = Slow(scale)
    # Without jitter the client asks again as soon as it may, so it hears in time what is new.
    with make_client(server, clock=Clock(jitter=lambda: 0.0)) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        server.planted.clear()
        tracing.record_to(path)
        server.respond("asample", refused(scale))
        sampler.sample(PROMPT, 1, PARAMS).result(60)
        started = time.monotonic()
        time.sleep(OWN * scale)
        server.planted[Category.OWN] += time.monotonic() - started
        sampler.sample(PROMPT, 1, PARAMS).result(60)
        tracing.stop_recording()
    server.planted[Category.PAUSE] = PAUSE * scale
    return server.planted, summarize(read_recording(path))


def misses(planted: dict[Category, float], found: Summary) -> dict[Category, tuple[float, float]]:
    """Where the summary is more than a tenth off: the seconds planted and found."""
    return {
        where: (seconds, found.seconds[where])
        for where, seconds in planted.items()
        if abs(found.seconds[where] - seconds) > TOLERANCE * seconds
    }


def test_each_delay_is_found_where_it_was_planted(tmp_path: Path) -> None:
    # A machine with too much to do adds delays of its own; longer ones stand out from those.
    for scale in (1, 3, 9):
        planted, result = run(tmp_path / f"{scale}.jsonl", scale)
        missed = misses(planted, result)
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
    assert result.total == sum(result.seconds.values())
    assert result.queue_reasons == {"paused_capacity": 1}


def test_the_verdict_names_the_largest(tmp_path: Path) -> None:
    _, result = run(tmp_path / "run.jsonl", 0.2)
    assert "went to the server's work on your requests." in result.verdict
    assert [
        (operation.name, operation.count, operation.retries) for operation in result.operations
    ] == [("sample", 2, 1)]
