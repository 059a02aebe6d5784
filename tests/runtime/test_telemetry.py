"""Telemetry: its content, its bounds, and how to disable it."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import httpx
import pytest
from tinker_api import models

import tinker_ext as tinker
from tinker_ext.errors import RateLimitError
from tinker_ext.runtime.session import EVENT_BATCH, EVENT_DATA, QUEUE_LIMIT, Telemetry
from tinker_ext.testing import FakeServer, Reply, make_client

PROMPT = tinker.ModelInput.from_ints([1234554321])
PARAMS = tinker.SamplingParams(max_tokens=4, stop=["hidden stop"])
COMMON = {"event", "event_id", "event_session_index", "severity", "timestamp"}


def events(server: FakeServer) -> list[dict[str, Any]]:
    return [event for call in server.calls("send_telemetry") for event in call.body["events"]]


def run(server: FakeServer, **config: Any) -> None:
    """Run a successful sample, one that fails by a user error, one by a server error."""
    config = {"default_headers": {"X-Mine": "hidden header"}, "api_key": "tml-hidden", **config}
    with make_client(server, retry_window=0.2, **config) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        sampler.sample(PROMPT, 1, PARAMS).result(30)
        server.respond("asample", Reply(422, {"detail": "hidden words"}))
        with pytest.raises(tinker.UnprocessableEntityError):
            sampler.sample(PROMPT, 1, PARAMS).result(30)
        server.respond("asample", *[Reply(500, {"detail": "hidden words"})] * 50)
        with pytest.raises(tinker.InternalServerError):
            sampler.sample(PROMPT, 1, PARAMS).result(30)


def test_session_and_failures_are_reported_as_by_the_official_client() -> None:
    server = FakeServer()
    run(server)
    [call] = server.calls("send_telemetry")
    assert set(call.body) == {"events", "platform", "sdk_version", "session_id"}
    assert call.body["session_id"] == "session-1"
    sent = events(server)
    assert [item["event"] for item in sent] == [
        "SESSION_START",
        "GENERIC_EVENT",
        "UNHANDLED_EXCEPTION",
        "SESSION_END",
    ]
    assert [item["event_session_index"] for item in sent] == [0, 1, 2, 3]
    assert [item["severity"] for item in sent] == ["INFO", "WARNING", "ERROR", "INFO"]
    assert sent[1]["event_name"] == "user_error"
    assert sent[1]["event_data"] == {
        "error_type": "UnprocessableEntityError",
        "operation": "sample",
        "status_code": 422,
    }
    assert sent[2]["error_type"] == "InternalServerError"
    assert sent[2]["error_message"] == "sample: HTTP 500"
    assert sent[3]["duration"].startswith("0:00:0")


def test_events_contain_only_listed_fields() -> None:
    server = FakeServer()
    run(server)
    assert len(events(server)) == 4
    for event in events(server):
        extra = {"event_name", "event_data", "error_type", "error_message", "duration"}
        assert set(event) <= COMMON | extra
        assert set(event.get("event_data", ())) <= EVENT_DATA
    bodies = json.dumps([call.body for call in server.calls("send_telemetry")])
    assert "hidden" not in bodies
    assert "1234554321" not in bodies


@pytest.mark.parametrize("off", ["argument", "variable"])
def test_telemetry_can_be_disabled(monkeypatch: pytest.MonkeyPatch, off: str) -> None:
    if off == "variable":
        monkeypatch.setenv("TINKER_TELEMETRY", "0")
    server = FakeServer()
    run(server, **({"telemetry": False} if off == "argument" else {}))
    assert server.calls("asample")
    assert not server.calls("send_telemetry")


def test_no_telemetry_without_a_session() -> None:
    server = FakeServer()
    with make_client(server) as service:
        service.get_server_capabilities()
    assert not server.calls("send_telemetry")


@pytest.mark.parametrize("outcome", [Reply(500), Reply(404), httpx.ConnectError("no")])
def test_events_that_cannot_be_sent_are_dropped(outcome: Any) -> None:
    server = FakeServer()
    server.respond("send_telemetry", outcome)
    started = time.monotonic()
    run(server)
    assert len(server.calls("send_telemetry")) == 1
    assert time.monotonic() - started < 10


def test_close_does_not_wait_for_an_unresponsive_telemetry_endpoint() -> None:
    server = FakeServer()
    server.respond("send_telemetry", Reply(200, {}, delay=60))
    service = make_client(server)
    service.create_sampling_client(base_model="fake/model")
    started = time.monotonic()
    service.close()
    assert time.monotonic() - started < 10


async def test_event_queue_is_bounded_and_sent_in_batches() -> None:
    requests: list[models.TelemetrySendRequest] = []

    async def send(body: models.TelemetrySendRequest) -> None:
        requests.append(body)

    telemetry = Telemetry(send, enabled=True)
    telemetry.session_started("session-1")
    for _ in range(QUEUE_LIMIT + 50):
        telemetry.call_failed("sample", RateLimitError("", status_code=429))
    await telemetry.close()
    assert sum(len(body.events) for body in requests) == QUEUE_LIMIT
    assert max(len(body.events) for body in requests) == EVENT_BATCH
    telemetry.call_failed("sample", RateLimitError("", status_code=429))
    await telemetry.close()
    assert len(requests) == QUEUE_LIMIT // EVENT_BATCH


async def test_events_are_sent_periodically() -> None:
    requests: list[models.TelemetrySendRequest] = []
    arrived = asyncio.Event()

    async def send(body: models.TelemetrySendRequest) -> None:
        requests.append(body)
        arrived.set()

    telemetry = Telemetry(send, enabled=True, interval=0.01)
    telemetry.session_started("session-1")
    await arrived.wait()
    assert [event.event for event in requests[0].events] == ["SESSION_START"]
    await telemetry.close()
    assert [event.event for event in requests[1].events] == ["SESSION_END"]
