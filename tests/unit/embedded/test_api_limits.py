"""Bounds: what is too much is refused with the way out, and nothing else suffers."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest
import zstandard

from tinker_ext.embedded import request_body
from tinker_ext.embedded.execution import models, sampling
from tinker_ext.embedded.routes import HANDLERS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.responses import Response

    from tests.unit.embedded.conftest import Api, OpenApi
    from tinker_ext.embedded.execution.model import Model
    from tinker_ext.embedded.routes.call import Call


async def test_a_full_queue_asks_to_come_back(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "MAX_QUEUED", 2)
    await api.new_model()
    waiting = [await api.submit("forward_backward", **api.batch(number)) for number in (2, 3)]
    refused = await api.post("forward_backward", **api.batch(4))
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "1"
    again = await api.post("forward_backward", **api.batch(3))
    assert again.json()["request_id"] == waiting[1], "a repeat is no new work"

    await api.submit("forward_backward", **api.batch(1))  # what the others wait for
    for request in waiting:
        assert "loss_fn_outputs" in await api.result(request)
    assert "loss_fn_outputs" in await api.forward_backward(4), "it was not used up"


async def test_queued_bodies_have_a_bound(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "MAX_QUEUED_BYTES", 100)
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


async def test_too_many_samples_ask_to_come_back(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "MAX_QUEUED", 0)
    body = api.sample_body(base_model="embedded/tiny")
    refused = await api.post("asample", **body)
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "1"
    monkeypatch.undo()
    assert "sequences" in await api.done("asample", **body)


async def test_a_body_has_a_bound(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "MAX_BODY_BYTES", 100)
    response = await api.http.post("/archives", content=b"x")
    assert response.status_code == 404
    with pytest.raises(AssertionError, match=r"413 is not documented: .*100 bytes at most"):
        await api.post("get_info", model_id="x" * 100)


async def test_bodies_of_all_requests_have_a_bound_together(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_body, "MAX_BODIES_BYTES", 10_000)
    other = api.backend.bodies.reservation()
    other.take(9_990)
    refused = await api.post("get_info", model_id="x" * 100)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    with other:
        pass
    for _ in range(200):  # each gives back what it took, refused or not
        assert (await api.post("get_info", model_id="x" * 100)).status_code == 404
        assert (await api.post("create_session", tags=7)).status_code == 422


async def test_compressed_body_counts_decompressed(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_body, "MAX_BODY_BYTES", 3_000_000)
    api.http.event_hooks = {}
    headers = {"Content-Type": "application/json", "Content-Encoding": "zstd"}
    for size, status in ((2_000_000, 422), (4_000_000, 413), (1_000_000_000, 413)):
        packed = zstandard.ZstdCompressor().compress(b" " * size)
        response = await api.http.post("/api/v1/get_info", content=packed, headers=headers)
        assert response.status_code == status
    await api.new_session()


async def test_body_that_trickles_in_is_cut_off(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
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
async def test_deeply_nested_body_is_unprocessable(api: Api, depth: int) -> None:
    for opening, closing in ((b"[", b"]"), (b'{"tags":', b"}")):
        body = opening * depth + b"1" + closing * depth
        response = await api.http.post(
            "/api/v1/create_session", content=body, headers={"Content-Type": "application/json"}
        )
        assert response.status_code == 422


async def test_a_large_body_is_taken_the_same_way(
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


async def test_a_mistake_of_ours_is_a_500_in_the_same_shape(
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


async def test_other_paths_and_methods_answer_in_the_same_shape(api: Api) -> None:
    unknown = await api.http.post("/api/v1/client/nothing", json={})
    assert (unknown.status_code, unknown.json()) == (404, {"detail": "Not Found"})
    method = await api.http.get("/api/v1/asample")
    assert (method.status_code, method.json()) == (405, {"detail": "Method Not Allowed"})
    assert method.headers["allow"] == "POST"
