"""A server in memory, for tests of code that uses this client: yours and our own.

    server = FakeServer()
    server.answer("optim_step", Reply(503), Reply(200, {"request_id": "7"}))
    with make_client(server) as service:
        ...
    assert [call.body["seq_id"] for call in server.calls("forward_backward")] == [1, 2, 3]

The fake answers every operation at once with made-up numbers of the right shape; what it is told
to answer comes first, in order. It keeps every request it got. Nothing listens and nothing is sent.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import httpx
from attrs import field, frozen

from tinker_ext.clients.service import ServiceClient
from tinker_ext.config import ClientConfig
from tinker_ext.runtime.clock import REAL_CLOCK, Clock
from tinker_ext.runtime.core import ClientCore

if TYPE_CHECKING:
    from tinker_ext.runtime.queue_log import QueueStateObserver, SessionObserver

BASE_URL = "http://fake.invalid"
_API = "/api/v1/"


@frozen
class Reply:
    """One answer: a status with a JSON body (or text, or bytes), after `delay` seconds."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(factory=dict)
    delay: float = 0.0


@frozen
class Received:
    """One request the server got: the operation's path below /api/v1/, headers, decoded body."""

    path: str
    method: str
    headers: Mapping[str, str]
    body: Any
    query: Mapping[str, str]


Answer = Reply | Exception | Callable[[Received], Reply]


class FakeServer(httpx.AsyncBaseTransport):
    """Answers the API from memory. Operations go by the first part of their path: "asample"."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.results: dict[str, Any] = {}
        self._scripted: dict[str, deque[Answer]] = defaultdict(deque)
        self._ids = itertools.count(1)

    def answer(self, operation: str, *answers: Answer) -> None:
        """Give these answers to the next requests of an operation.

        An exception (an `httpx.ConnectError`, say) is raised in place of an answer.
        """
        self._scripted[operation].extend(answers)

    def calls(self, operation: str) -> list[Received]:
        """The requests of an operation, in the order they came."""
        return [one for one in self.received if one.path.split("/")[0] == operation]

    def submitted(self, result: Any) -> Reply:
        """The answer of a submission whose future has `result` as its result."""
        request_id = f"request-{next(self._ids)}"
        self.results[request_id] = result
        return Reply(200, {"request_id": request_id})

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        content = await request.aread()
        received = Received(
            path=request.url.path.removeprefix(_API),
            method=request.method,
            headers=dict(request.headers),
            body=json.loads(content) if content else None,
            query=dict(request.url.params),
        )
        self.received.append(received)
        scripted = self._scripted[received.path.split("/")[0]]
        answer = scripted.popleft() if scripted else self._usual(received)
        if isinstance(answer, Exception):
            raise answer
        return await _respond(answer if isinstance(answer, Reply) else answer(received))

    def _usual(self, received: Received) -> Reply:
        body = received.body or {}
        match received.path:
            case "create_session":
                return Reply(200, {"session_id": "session-1"})
            case "session_heartbeat" | "telemetry":
                return Reply(200, {})
            case "create_sampling_session":
                return Reply(200, {"sampling_session_id": f"sampling-{next(self._ids)}"})
            case "get_server_capabilities":
                return Reply(200, {"supported_models": [{"model_name": "fake/model"}]})
            case "get_info":
                model = {"model_name": "fake/model"}
                return Reply(200, {"model_id": body["model_id"], "model_data": model})
            case "retrieve_future":
                return self._retrieve(body["request_id"])
            case _:
                return self.submitted(_result(received.path, body))

    def _retrieve(self, request_id: str) -> Reply:
        if request_id not in self.results:
            return Reply(404, {"detail": f"no such request: {request_id}"})
        return Reply(200, self.results[request_id])


def make_client(
    server: httpx.AsyncBaseTransport,
    *,
    queue_state_observer: QueueStateObserver | None = None,
    session_observer: SessionObserver | None = None,
    clock: Clock = REAL_CLOCK,
    **config: Any,
) -> ServiceClient:
    """A client of a server in memory; `config` as for `ServiceClient`."""
    settings = {"api_key": "tml-test", "base_url": BASE_URL, **config}
    core = ClientCore(
        ClientConfig.resolve(**settings),
        lambda: BASE_URL,
        transport=server,
        queue_state_observer=queue_state_observer,
        session_observer=session_observer,
        clock=clock,
    )
    return ServiceClient.over(core)


async def _respond(reply: Reply) -> httpx.Response:
    if reply.delay:
        await asyncio.sleep(reply.delay)
    body = reply.body
    content: dict[str, Any]
    if isinstance(body, str | bytes):
        content = {"content": body}
    else:
        content = {"json": body} if body is not None else {}
    return httpx.Response(reply.status, headers=dict(reply.headers), **content)


def _result(operation: str, body: Any) -> Any:
    """What the future of an operation ends in."""
    match operation:
        case "create_model":
            return {"model_id": f"{body['session_id']}:train:{body['model_seq_id']}"}
        case "forward" | "forward_backward":
            data = body.get("forward_input") or body["forward_backward_input"]
            return _loss(data["data"])
        case "optim_step":
            return {"metrics": {}}
        case "save_weights":
            return {"path": f"tinker://{body['model_id']}/weights/{body['path']}"}
        case "save_weights_for_sampler":
            if body.get("path") is None:
                return {"sampling_session_id": f"sampling-of-{body['sampling_session_seq_id']}"}
            return {"path": f"tinker://{body['model_id']}/sampler_weights/{body['path']}"}
        case "load_weights":
            return {"path": body["path"]}
        case "asample":
            one = {"stop_reason": "length", "tokens": [1, 2, 3], "logprobs": [-1.0, -1.0, -1.0]}
            return {"sequences": [one] * body["num_samples"]}
    return {}


def _loss(data: list[Any]) -> Any:
    """One logprob of -1 for each target."""
    sizes = [len(datum["loss_fn_inputs"]["target_tokens"]["data"]) for datum in data]
    return {
        "loss_fn_output_type": "logprobs",
        "loss_fn_outputs": [
            {"logprobs": {"data": [-1.0] * size, "dtype": "float32", "shape": [size]}}
            for size in sizes
        ],
        "metrics": {"loss:sum": float(sum(sizes))},
    }
