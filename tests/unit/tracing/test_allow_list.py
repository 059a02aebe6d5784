"""Spans and metrics contain only attributes of the allow-list in `tracing.names`, no secrets."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

import tinker_ext as tinker
from tests.unit.tracing.sdk import Sdk
from tinker_ext import tracing
from tinker_ext.testing import FakeServer, Reply, SimulatedTime, make_client
from tinker_ext.tracing.names import ATTRIBUTES

KEY = "tml-hidden-key-0123456789"
PROMPT = tinker.ModelInput.from_ints([1234554321, 1234554322, 1234554323])
PARAMS = tinker.SamplingParams(max_tokens=4, stop=["hidden stop"])
DATUM = tinker.Datum(
    model_input=PROMPT,
    loss_fn_inputs={
        "target_tokens": [1234554321, 1234554322, 1234554323],
        "weights": [1.0, 1.0, 1.0],
    },
)
DOCUMENT = Path(__file__).parents[3] / "docs" / "observability.md"


def run_all_calls(server: FakeServer, **config: Any) -> None:
    """Run calls with each kind of response, retry and failure."""
    server.respond(
        "asample",
        Reply(
            429, {"detail": "hidden words"}, {"Retry-After": "0.01", "X-Hidden": "hidden header"}
        ),
        httpx.ReadError("hidden fault"),
    )
    server.respond("retrieve_future", Reply(408, {"queue_state": "paused_capacity"}), Reply(503))
    server.respond("save_weights", Reply(400, {"detail": f"hidden words {KEY}"}))
    config = {"default_headers": {"X-Mine": "hidden header"}, "api_key": KEY, **config}
    with make_client(
        server, clock=SimulatedTime().clock, user_metadata={"a": "hidden metadata"}, **config
    ) as service:
        training = service.create_lora_training_client("fake/model", rank=4)
        with tinker.step(1):
            training.forward_backward([DATUM] * 200, "cross_entropy").result(30)
            training.optim_step(tinker.AdamParams()).result(30)
        with pytest.raises(tinker.BadRequestError):
            training.save_state("name").result(30)
        sampler = training.save_weights_and_get_sampling_client()
        sampler.sample(PROMPT, 1, PARAMS).result(30)
        training.get_info()
        service.create_rest_client().list_training_runs()


def keys(spans: list[dict[str, Any]]) -> set[str]:
    mappings = [span["attributes"] for span in spans]
    mappings += [event["attributes"] for span in spans for event in span.get("events", ())]
    return {name for attributes in mappings for name in attributes}


def no_secret(text: str) -> bool:
    return not re.search(r"hidden|12345543\d\d|X-Mine|x-api-key", text, re.IGNORECASE)


def test_span_attributes_are_in_allow_list(sdk: Sdk) -> None:
    run_all_calls(FakeServer())
    spans = [json.loads(span.to_json()) for span in sdk.spans]
    assert len(spans) > 30
    assert keys(spans) <= set(ATTRIBUTES)
    # A traceback or message of a failed span would be an event.
    assert all(no_secret(json.dumps(span)) for span in spans)
    descriptions = {span["status"].get("description") for span in spans}
    assert descriptions <= {None, "BadRequestError", "APIConnectionError"}


def test_recorded_attributes_are_in_allow_list(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    run_all_calls(FakeServer(), trace_file=path)
    tracing.stop_recording()
    text = path.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert keys([line for line in lines if line["kind"] == "span"]) <= set(ATTRIBUTES)
    assert no_secret(text)


def test_metric_attributes_are_in_allow_list(sdk: Sdk) -> None:
    run_all_calls(FakeServer())
    points = [
        point
        for name, data in sdk.points().items()
        for point in data
        if name.startswith(("tinker.", "gen_ai.", "http.client."))
    ]
    assert points
    assert {name for point in points for name in point.attributes or {}} <= set(ATTRIBUTES)
    assert all(no_secret(str(dict(point.attributes or {}))) for point in points)


def test_documentation_has_allow_list_as_table() -> None:
    rows = dict(re.findall(r"^\| `([a-z_.]+)` \| (.+) \|$", DOCUMENT.read_text(), re.MULTILINE))
    assert {name: rows.get(name) for name in ATTRIBUTES} == dict(ATTRIBUTES)
