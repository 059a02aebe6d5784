"""Limits of queues and bodies: excess requests are rejected without affecting others."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
import zstandard
from starlette.responses import Response

from tests.unit.embedded.conftest import Api, OpenApi
from tinker_ext.embedded import request_body
from tinker_ext.embedded.execution import sampling, scheduler
from tinker_ext.embedded.execution.scheduler import Model
from tinker_ext.embedded.routes import HANDLERS
from tinker_ext.embedded.routes.call import Call


async def test_full_queue_returns_429_except_for_the_missing_seq_id(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "MAX_QUEUED", 2)
    await api.new_model()
    waiting = [await api.submit("forward_backward", **api.batch(number)) for number in (2, 3)]
    rejected = await api.post("forward_backward", **api.batch(4))
    assert rejected.status_code == 429
    assert rejected.headers["retry-after"] == "1"
    again = await api.post("forward_backward", **api.batch(3))
    assert again.json()["request_id"] == waiting[1], "a repeated seq_id needs no space"

    await api.submit("forward_backward", **api.batch(1))  # the missing number is always accepted
    for request in waiting:
        assert "loss_fn_outputs" in await api.result(request)
    assert "loss_fn_outputs" in await api.forward_backward(4), "the rejected seq_id can be used"


async def test_queued_bytes_limit_returns_429(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "MAX_QUEUED_BYTES", 100)
    await api.new_model()
    release = threading.Event()

    def held(model: Model) -> object:
        release.wait(30)
        return {}

    request_id = api.backend.models.submit(api.model_id, "held", 1, held, size=101)
    assert (await api.post("forward_backward", **api.batch(2))).status_code == 429
    release.set()
    assert await api.result(request_id) == {}
    assert "loss_fn_outputs" in await api.forward_backward(2)


async def test_full_sampling_queue_returns_429(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "MAX_QUEUED", 0)
    body = api.sample_body(base_model="embedded/tiny")
    rejected = await api.post("asample", **body)
    assert rejected.status_code == 429
    assert rejected.headers["retry-after"] == "1"
    monkeypatch.undo()
    assert "sequences" in await api.done("asample", **body)


async def test_body_above_size_limit_returns_413(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "MAX_BODY_BYTES", 100)
    response = await api.http.post("/archives", content=b"x")
    assert response.status_code == 404
    with pytest.raises(AssertionError, match=r"413 is not documented: .*exceeds 100 bytes"):
        await api.post("get_info", model_id="x" * 100)


async def test_total_body_budget_returns_429_and_is_released(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_body, "MAX_BODIES_BYTES", 10_000)
    other = api.backend.body_budget.reservation()
    other.take(9_990)
    rejected = await api.post("get_info", model_id="x" * 100)
    assert (rejected.status_code, rejected.headers["retry-after"]) == (429, "1")
    with other:
        pass
    for _ in range(200):  # every request releases its reservation, rejected or not
        assert (await api.post("get_info", model_id="x" * 100)).status_code == 404
        assert (await api.post("create_session", tags=7)).status_code == 422


async def test_size_limit_applies_to_decompressed_body(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_body, "MAX_BODY_BYTES", 3_000_000)
    api.http.event_hooks = {}
    headers = {"Content-Type": "application/json", "Content-Encoding": "zstd"}
    for size, status in ((2_000_000, 422), (4_000_000, 413), (1_000_000_000, 413)):
        compressed = zstandard.ZstdCompressor().compress(b" " * size)
        response = await api.http.post("/api/v1/get_info", content=compressed, headers=headers)
        assert response.status_code == status
    await api.new_session()


async def test_slow_body_returns_408(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "BODY_SECONDS", 0.2)
    api.http.event_hooks = {}

    async def trickle() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.02)

    headers = {"Content-Type": "application/json"}
    response = await asyncio.wait_for(
        api.http.post("/api/v1/get_info", content=trickle(), headers=headers), 10
    )
    assert response.status_code == 408


@pytest.mark.parametrize("depth", [500, 900, 5_000])
async def test_deeply_nested_body_returns_422(api: Api, depth: int) -> None:
    for opening, closing in ((b"[", b"]"), (b'{"tags":', b"}")):
        body = opening * depth + b"1" + closing * depth
        response = await api.http.post(
            "/api/v1/create_session", content=body, headers={"Content-Type": "application/json"}
        )
        assert response.status_code == 422


async def test_large_body_decoded_in_thread_gives_same_result(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tinker_ext.embedded.routes import training

    await api.new_model()
    small = await api.forward_backward(1)
    monkeypatch.setattr(training, "LARGE_BODY", 0)
    assert await api.forward_backward(2) == small
    assert (await api.forward_backward(3, data=[{**api.datum(), "model_input": {"chunks": []}}]))[
        "category"
    ] == "user"


async def test_internal_error_returns_500_and_is_logged(
    open_api: OpenApi, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(call: Call) -> Response:
        raise ZeroDivisionError("by hand")

    monkeypatch.setitem(HANDLERS, "get_server_capabilities", broken)
    async with open_api() as api:
        with pytest.raises(AssertionError, match="500 is not documented"):
            await api.get("get_server_capabilities")
    assert "GET /api/v1/get_server_capabilities failed" in caplog.text
    assert "by hand" in caplog.text


async def test_unknown_path_and_method_return_json_errors(api: Api) -> None:
    unknown = await api.http.post("/api/v1/client/nothing", json={})
    assert (unknown.status_code, unknown.json()) == (404, {"detail": "Not Found"})
    method = await api.http.get("/api/v1/asample")
    assert (method.status_code, method.json()) == (405, {"detail": "Method Not Allowed"})
    assert method.headers["allow"] == "POST"
