"""Operations beyond the limit of those traced in detail."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import pytest

from tests.builders import PARAMS, PROMPT
from tests.unit.tracing.sdk import Sdk, attributes_of
from tinker_ext.testing import FakeServer, Reply, make_client
from tinker_ext.tracing import operations, stop_recording

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _empty_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    """No operation is traced in detail."""
    monkeypatch.setattr(operations.detail_bucket, "_tokens", 0.0)
    monkeypatch.setattr(operations.detail_bucket, "_per_second", 0.0)
    monkeypatch.setenv("TINKER_EXT_TRACE_DETAIL", "0")


def test_token_bucket_allows_burst_then_refills_at_rate() -> None:
    bucket = operations.TokenBucket(capacity=3, per_second=2)
    assert [bucket.take(1e9) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(1e9 + 0.5), bucket.take(1e9 + 0.5)] == [True, False]
    assert not bucket.take(1e9 + 0.9)
    assert bucket.take(1e9 + 1.0)
    assert [bucket.take(2e9) for _ in range(4)] == [True, True, True, False]


def test_infinite_trace_detail_traces_every_operation_in_detail(sdk: Sdk) -> None:
    with make_client(FakeServer(), trace_detail=math.inf) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        for _ in range(3):
            sampler.sample(PROMPT, 1, PARAMS).result(30)
    assert len(sdk.named("POST /api/v1/asample")) == 3


def test_operation_without_detail_has_retry_and_poll_events(sdk: Sdk) -> None:
    server = FakeServer()
    server.respond("asample", Reply(503))
    server.respond("retrieve_future", Reply(408, {"queue_state": "paused_capacity"}))
    with make_client(server) as service:
        service.create_sampling_client(base_model="fake/model").sample(PROMPT, 1, PARAMS).result(30)
    sample = sdk.single("tinker.sample")
    assert sdk.tree(sample) == ["tinker.sample", ["tinker.pause"]]
    [retry, poll] = sample.events
    assert (retry.name, (retry.attributes or {})["error.type"]) == ("tinker.retry", "503")
    assert (poll.name, dict(poll.attributes or {})) == (
        "tinker.poll",
        {"tinker.queue.state": "paused_capacity"},
    )
    attributes = attributes_of(sample)
    assert attributes["tinker.attempt.count"] == 2
    assert attributes["tinker.request.id"] == ("request-2",)
    assert attributes["gen_ai.usage.output_tokens"] == 3
    assert "tinker.dialect.release" not in attributes
    # Requests propagate the span of the operation, because they have none.
    assert sample.context is not None
    for request in [*server.calls("asample"), *server.calls("retrieve_future")]:
        assert request.headers["traceparent"].split("-")[2] == f"{sample.context.span_id:016x}"


def test_metrics_include_stages_and_attempts_without_detail(sdk: Sdk) -> None:
    with make_client(FakeServer()) as service:
        service.create_sampling_client(base_model="fake/model").sample(PROMPT, 1, PARAMS).result(30)
    points = sdk.points()
    stages = {
        (point.attributes or {})["tinker.stage"] for point in points["tinker.client.stage.duration"]
    }
    assert {"submit", "server"} <= stages
    paths = {
        (point.attributes or {}).get("url.template")
        for point in points["http.client.request.duration"]
    }
    assert {"/api/v1/asample", "/api/v1/retrieve_future"} <= paths


def test_recording_has_details_beyond_limit(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with make_client(FakeServer(), trace_file=path) as service:
        service.create_sampling_client(base_model="fake/model").sample(PROMPT, 1, PARAMS).result(30)
    stop_recording()
    names = {json.loads(line).get("name") for line in path.read_text().splitlines()}
    assert {"tinker.submit", "POST /api/v1/asample", "tinker.server"} <= names
