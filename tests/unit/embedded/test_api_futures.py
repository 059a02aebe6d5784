"""Results: long polling, eviction, restarts."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import MutableMapping
from typing import Any

import orjson

from tests.unit.embedded.conftest import Api, OpenApi
from tinker_ext.embedded.execution.scheduler import Model


class Held:
    """A request that runs until `release` is set."""

    def __init__(self, api: Api, seq_id: int = 1) -> None:
        self.started, self.release = threading.Event(), threading.Event()
        self.request_id = api.backend.models.submit(api.model_id, "held", seq_id, self._run)

    def _run(self, model: Model) -> dict[str, str]:
        self.started.set()
        assert self.release.wait(30)
        return {"was": "held"}


async def test_poll_of_running_request_times_out_with_try_again(open_api: OpenApi) -> None:
    async with open_api(poll_seconds=0.2) as api:
        await api.new_model()
        held = Held(api)
        started = time.perf_counter()
        response = await api.post("retrieve_future", request_id=held.request_id)
        assert 0.2 <= time.perf_counter() - started < 5
        assert response.json() == {
            "type": "try_again",
            "request_id": held.request_id,
            "queue_state": "active",
        }
        held.release.set()
        assert await api.result(held.request_id) == {"was": "held"}


async def test_all_polls_respond_at_once_when_the_request_completes(api: Api) -> None:
    await api.new_model()
    held = Held(api)
    polls = [asyncio.ensure_future(api.result(held.request_id)) for _ in range(5)]
    await asyncio.sleep(0.1)
    assert not any(poll.done() for poll in polls)
    started = time.perf_counter()
    held.release.set()
    assert await asyncio.gather(*polls) == [{"was": "held"}] * 5
    assert time.perf_counter() - started < 2, "not when the poll times out"


async def test_poll_ends_when_the_client_disconnects(api: Api) -> None:
    await api.new_model()
    held = Held(api)
    disconnected = asyncio.Event()
    body = orjson.dumps({"request_id": held.request_id})
    messages = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        if messages:
            return messages.pop()
        await disconnected.wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/v1/retrieve_future",
        "query_string": b"",
        "headers": [
            (b"host", b"localhost"),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ],
    }
    call = asyncio.ensure_future(api.app(scope, receive, send))
    await asyncio.sleep(0.1)
    assert not call.done()
    disconnected.set()
    await asyncio.wait_for(call, 2)
    held.release.set()
    assert await api.result(held.request_id) == {"was": "held"}, "the request continues"


async def test_unknown_request_id_returns_404(api: Api) -> None:
    for request_id in ("", "nonsense", "a:b:c", "x:train:0:1"):
        response = await api.post("retrieve_future", request_id=request_id)
        assert response.status_code == 404
        assert response.json() == {"detail": f"there is no request {request_id!r} on this server"}


async def test_evicted_sample_result_returns_410(api: Api) -> None:
    session = await api.new_session()
    body = {"session_id": session, "sampling_session_seq_id": 0, "base_model": "embedded/tiny"}
    sampler = (await api.post("create_sampling_session", **body)).json()["sampling_session_id"]
    request = await api.submit("asample", seq_id=0, **api.sample_body(sampling_session_id=sampler))
    await api.result(request)
    api.backend.results.finish("huge", b" " * (256 * 1024 * 1024))
    response = await api.post("retrieve_future", request_id=request)
    assert response.status_code == 410
    assert "is no longer stored" in response.json()["detail"]


async def test_small_training_result_is_read_from_the_table_after_eviction(api: Api) -> None:
    await api.new_model()
    request = await api.submit("forward_backward", **api.batch(1))
    response = await api.result(request)
    api.backend.results.finish("huge", b" " * (256 * 1024 * 1024))
    assert await api.result(request) == response


async def test_internal_error_fails_with_category_server(api: Api) -> None:
    await api.new_model()

    def broken(model: Model) -> object:
        raise ZeroDivisionError("by hand")

    request = api.backend.models.submit(api.model_id, "broken", 1, broken)
    assert await api.result(request) == {
        "error": "broken failed in the server: ZeroDivisionError: by hand",
        "category": "server",
    }
    assert "loss_fn_outputs" in await api.forward_backward(2)


async def test_shutdown_stores_the_running_request_and_fails_queued_ones(open_api: OpenApi) -> None:
    async with open_api() as api:
        await api.new_model()
        held = Held(api)
        queued = await api.submit("forward_backward", **api.batch(2))
        await asyncio.to_thread(held.started.wait, 30)
        threading.Timer(0.3, held.release.set).start()
    async with open_api() as api:
        assert await api.result(held.request_id) == {"was": "held"}
        assert "interrupted by a restart" in (await api.result(queued))["error"]
