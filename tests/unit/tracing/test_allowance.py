"""What is told of operations beyond those that are told in detail."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import pytest

import tinker_ext as tinker
from tests.unit.tracing.sdk import Sdk, known
from tinker_ext.testing import FakeServer, Reply, make_client
from tinker_ext.tracing import stop_recording, token_bucket

if TYPE_CHECKING:
    from pathlib import Path

PROMPT = tinker.ModelInput.from_ints([1, 2, 3])
PARAMS = tinker.SamplingParams(max_tokens=4)


@pytest.fixture(autouse=True)
def _spent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left to be told in detail."""
    monkeypatch.setattr(token_bucket.in_detail, "_left", 0.0)
    monkeypatch.setattr(token_bucket.in_detail, "_per_second", 0.0)
    monkeypatch.setenv("TINKER_EXT_TRACE_DETAIL", "0")


def test_some_at_once_and_then_some_a_second() -> None:
    of = token_bucket.TokenBucket(at_once=3, per_second=2)
    assert [of.take(1e9) for _ in range(4)] == [True, True, True, False]
    assert [of.take(1e9 + 0.5), of.take(1e9 + 0.5)] == [True, False]
    assert not of.take(1e9 + 0.9)
    assert of.take(1e9 + 1.0)
    assert [of.take(2e9) for _ in range(4)] == [True, True, True, False]


def test_all_of_them_where_that_is_asked_for(sdk: Sdk) -> None:
    with make_client(FakeServer(), trace_detail=math.inf) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        for _ in range(3):
            sampler.sample(PROMPT, 1, PARAMS).result(30)
    assert len(sdk.named("POST /api/v1/asample")) == 3


def test_an_operation_is_told_with_what_went_wrong_in_it(sdk: Sdk) -> None:
    server = FakeServer()
    server.respond("asample", Reply(503))
    server.respond("retrieve_future", Reply(408, {"queue_state": "paused_capacity"}))
    with make_client(server) as service:
        service.create_sampling_client(base_model="fake/model").sample(PROMPT, 1, PARAMS).result(30)
    sample = sdk.one("tinker.sample")
    assert sdk.tree(sample) == ["tinker.sample", ["tinker.pause"]]
    [retry, poll] = sample.events
    assert (retry.name, (retry.attributes or {})["error.type"]) == ("tinker.retry", "503")
    assert (poll.name, dict(poll.attributes or {})) == (
        "tinker.poll",
        {"tinker.queue.state": "paused_capacity"},
    )
    told = known(sample)
    assert told["tinker.attempt.count"] == 2
    assert told["tinker.request.id"] == ("request-2",)
    assert told["gen_ai.usage.output_tokens"] == 3
    assert "tinker.dialect.release" not in told
    # Requests carry the operation's span instead of their own.
    assert sample.context is not None
    for sent in [*server.calls("asample"), *server.calls("retrieve_future")]:
        assert sent.headers["traceparent"].split("-")[2] == f"{sample.context.span_id:016x}"


def test_metrics_count_every_stage_and_attempt(sdk: Sdk) -> None:
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


def test_a_recording_has_all_details(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with make_client(FakeServer(), trace_file=path) as service:
        service.create_sampling_client(base_model="fake/model").sample(PROMPT, 1, PARAMS).result(30)
    stop_recording()
    names = {json.loads(line).get("name") for line in path.read_text().splitlines()}
    assert {"tinker.submit", "POST /api/v1/asample", "tinker.server"} <= names
