"""A server in memory, and a client of it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx

from tinker_ext.clients.service import ServiceClient
from tinker_ext.config import ClientConfig, unshown
from tinker_ext.runtime.concurrency.clock import REAL_CLOCK, Clock
from tinker_ext.runtime.core import ClientCore
from tinker_ext.testing.faults import Fault
from tinker_ext.testing.messages import Received, Reply
from tinker_ext.testing.replies import Replies

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinker_ext.runtime.results.queue_log import QueueStateObserver, SessionObserver

BASE_URL = "http://fake.invalid"
_API = "/api/v1/"


class FakeServer(Replies, httpx.AsyncBaseTransport):
    """Answers the API from memory, in place of the network."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        content = await request.aread()
        received = Received(
            path=request.url.path.removeprefix(_API),
            method=request.method,
            headers=dict(request.headers),
            body=_body(request, content),
            query=dict(request.url.params),
        )
        answer = self.decide(received)
        if answer is None:
            answer = self.default_reply(received)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Fault):
            raise TypeError("faults happen on sockets: use a FaultServer")
        return await _respond(answer if isinstance(answer, Reply) else answer(received))


def make_client(
    server: httpx.AsyncBaseTransport | None = None,
    *,
    queue_state_observer: QueueStateObserver | None = None,
    session_observer: SessionObserver | None = None,
    clock: Clock = REAL_CLOCK,
    release: Callable[[], None] = lambda: None,
    **config: Any,
) -> ServiceClient:
    """A client of a server in memory, or without `server` of that at `base_url`.

    `config` is as for `ServiceClient`. `clock` is its time (`SimulatedTime.clock`), `release` is
    called when it is closed.
    """
    config = unshown({"api_key": "tml-test", "base_url": BASE_URL, **config})
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
    return ServiceClient.over(core)


async def _respond(reply: Reply) -> httpx.Response:
    if reply.delay:
        await asyncio.sleep(reply.delay)
    return httpx.Response(reply.status, headers=reply.all_headers(), content=reply.content())


def _body(request: httpx.Request, content: bytes) -> Any:
    """JSON decoded; any other body as the bytes it is."""
    if not content or "json" not in request.headers.get("content-type", ""):
        return content or None
    return json.loads(content)
