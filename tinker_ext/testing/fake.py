"""A server in memory, a client that uses it, and simulated time."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any

import httpx

from tinker_ext.clients.service import ServiceClient
from tinker_ext.config import ClientConfig, hide_values
from tinker_ext.runtime.core import ClientCore
from tinker_ext.runtime.results.poller import QueueStateObserver, SessionObserver
from tinker_ext.testing.faults import Fault
from tinker_ext.testing.messages import API, Received, Reply
from tinker_ext.testing.replies import Replies, decode_body
from tinker_ext.timeouts import REAL_CLOCK, Clock

BASE_URL = "http://fake.invalid"


class FakeServer(Replies, httpx.AsyncBaseTransport):
    """Responds to API requests in memory, in place of the network."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Records the request and responds to it; called by httpx."""
        received = Received(
            path=request.url.path.removeprefix(API),
            method=request.method,
            headers=dict(request.headers),
            body=decode_body(await request.aread()),
            query=dict(request.url.params),
        )
        reply = self.decide(received)
        if reply is None:
            reply = self.default_reply(received)
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, Fault):
            raise TypeError("FakeServer cannot produce faults; use FaultServer")
        return await _respond(reply if isinstance(reply, Reply) else reply(received))


def make_client(
    server: httpx.AsyncBaseTransport | None = None,
    *,
    queue_state_observer: QueueStateObserver | None = None,
    session_observer: SessionObserver | None = None,
    clock: Clock = REAL_CLOCK,
    release: Callable[[], None] = lambda: None,
    **config: Any,
) -> ServiceClient:
    """Create a client of a server in memory or, without `server`, of the one at `base_url`.

    `config` takes the arguments of `ServiceClient`. `clock` replaces the client's clock
    (`SimulatedTime.clock`), and `release` is called when the client is closed.
    """
    config = hide_values({"api_key": "tml-test", "base_url": BASE_URL, **config})
    resolved = ClientConfig.resolve(**config)
    core = ClientCore(
        resolved,
        lambda: resolved.base_url,
        release,
        transport=server,
        queue_state_observer=queue_state_observer,
        session_observer=session_observer,
        clock=clock,
    )
    return ServiceClient.from_core(core)


async def _respond(reply: Reply) -> httpx.Response:
    if reply.delay:
        await asyncio.sleep(reply.delay)
    return httpx.Response(reply.status, headers=reply.all_headers(), content=reply.content())


class SimulatedTime:
    """Skips and records the pauses between attempts and polls.

    Pass its `clock` to `make_client`. Sockets, heartbeats and futures use real time.

    Attributes:
        slept: the pauses in seconds, in order.
        on_sleep: called with the seconds of each pause; a test can change the server there.
    """

    def __init__(self, seed: int = 0) -> None:
        self._skipped = self._suspended = 0.0
        self._random = random.Random(seed)
        self.slept: list[float] = []
        self.on_sleep: Callable[[float], None] = lambda seconds: None
        self.clock = Clock(
            now=lambda: time.monotonic() + self._skipped,
            wall=lambda: time.time() + self._skipped,
            sleep=self._sleep,
            jitter=self._random.random,
            suspended=lambda: self._suspended,
        )

    @property
    def passed(self) -> float:
        """Seconds skipped so far."""
        return self._skipped

    def pass_by(self, seconds: float) -> None:
        """Advance the time without a pause of the client."""
        self._skipped += seconds

    def suspend(self, seconds: float) -> None:
        """Advance the time as if the process was suspended, as on a sleeping laptop."""
        self._skipped += seconds
        self._suspended += seconds

    async def _sleep(self, seconds: float) -> None:
        self._skipped += max(0.0, seconds)
        self.slept.append(seconds)
        self.on_sleep(seconds)
        await asyncio.sleep(0)
