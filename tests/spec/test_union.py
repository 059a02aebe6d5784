"""The union accepts the requests of all releases, and records their contradictions."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import jsonschema_rs
import pytest
from tinker_api import models
from tinker_api.retry_table import RETRY

from codegen.documents import load_yaml
from codegen.emit.evidence import evidence, marked
from codegen.openapi import reachable
from codegen.paths import EVIDENCE, OVERLAY, RELEASES, SPECIFICATION, TRAFFIC
from codegen.releases.merging import merge
from codegen.releases.union import union
from codegen.server_differences import load_server_differences

Json = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> Json:
    return load_yaml(SPECIFICATION)


def objects(*forms: Json) -> Json:
    names = ["0.4.1", "0.25.0", "0.38.0"][: len(forms)]
    return merge(
        {name: {"type": "object", **form} for name, form in zip(names, forms, strict=True)}
    )


STRING: Json = {"type": "string"}
NUMBER: Json = {"type": "number"}


def test_field_is_required_if_all_releases_require_it() -> None:
    result = objects(
        {"properties": {"a": STRING, "b": STRING}, "required": ["a", "b"]},
        {"properties": {"a": STRING, "c": NUMBER}, "required": ["a", "c"]},
    )
    assert result["required"] == ["a"]
    assert result["properties"]["b"]["x-until"] == "0.4.1"
    assert result["properties"]["c"]["x-since"] == "0.25.0"
    assert result["properties"]["b"]["x-conflict"]["forms"] == {
        "0.4.1": "required",
        "0.25.0": "unknown",
    }


def test_default_of_a_newer_field_is_not_sent_automatically() -> None:
    result = objects({"properties": {}}, {"properties": {"a": {**NUMBER, "default": 1}}})
    assert result["properties"]["a"] == {**NUMBER, "x-default": 1, "x-since": "0.25.0"}


@pytest.mark.parametrize(
    ("old", "new", "both"),
    [
        (STRING, {"anyOf": [STRING, {"type": "null"}]}, {"anyOf": [STRING, {"type": "null"}]}),
        (
            {"type": "object", "additionalProperties": NUMBER},
            {"type": "object", "additionalProperties": {"anyOf": [NUMBER, STRING]}},
            {"type": "object", "additionalProperties": {"anyOf": [NUMBER, STRING]}},
        ),
        (
            {"type": "array", "items": {"$ref": "#/a"}},
            {"type": "array", "items": {"$ref": "#/b"}},
            {"type": "array", "items": {"anyOf": [{"$ref": "#/a"}, {"$ref": "#/b"}]}},
        ),
    ],
)
def test_two_forms_merge_into_the_wider_one(old: Json, new: Json, both: Json) -> None:
    assert merge({"0.4.1": old, "0.38.0": new}) == both


def test_incompatible_forms_are_a_conflict() -> None:
    result = merge({"0.4.1": STRING, "0.38.0": NUMBER})
    assert result["anyOf"] == [STRING, NUMBER]
    assert "0.38.0" in result["x-conflict"]["forms"]


def test_every_contract_is_part_of_the_union(document: Json) -> None:
    for path in RELEASES.glob("*.yaml"):
        contract = load_yaml(path)
        for place, item in contract["paths"].items():
            for method, operation in item.items():
                ours = document["paths"][place][method]
                assert ours["operationId"] == operation["operationId"]
                assert ours["tags"] == operation["tags"]
                for kind in operation.get("requestBody", {}).get("content", {}):
                    assert kind in ours["requestBody"]["content"]
        for name, schema in contract["components"]["schemas"].items():
            ours = document["components"]["schemas"][name]
            assert schema.get("properties", {}).keys() <= ours.get("properties", {}).keys(), name


def test_union_of_one_release_is_its_contract() -> None:
    contract = load_yaml(RELEASES / "0.4.1.yaml")
    both = union({"0.4.1": contract})
    assert both["paths"] == {path: both["paths"][path] for path in contract["paths"]}
    assert json.dumps(both["components"]["schemas"]["Datum"]["properties"]) == json.dumps(
        contract["components"]["schemas"]["Datum"]["properties"]
    )


def test_requests_of_the_first_release_are_unchanged() -> None:
    step = models.OptimStepRequest(adam_params=models.AdamParams(), model_id="m", seq_id=1)
    assert step.to_dict() == {
        "adam_params": {"learning_rate": 0.0001, "beta1": 0.9, "beta2": 0.95, "eps": 1e-12},
        "model_id": "m",
        "seq_id": 1,
        "type": "optim_step",
    }
    saved = models.SaveWeightsForSamplerRequest(model_id="m", path="a")
    assert saved.to_dict() == {"model_id": "m", "path": "a", "type": "save_weights_for_sampler"}
    created = models.CreateModelRequest(session_id="s", model_seq_id=0, base_model="b")
    assert created.to_dict().keys() == {"session_id", "model_seq_id", "base_model", "type"}


def test_requests_of_both_clients_are_valid(document: Json) -> None:
    def accepts(name: str, value: Json) -> bool:
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        return jsonschema_rs.Draft202012Validator(schema).is_valid(value)

    old = {"data": "AA==", "format": "png", "height": 1, "width": 1, "tokens": 1}
    new = {"data": "AA==", "format": "png", "expected_tokens": 1, "type": "image"}
    for chunk in (old, new):
        assert accepts("ModelInput", {"chunks": [chunk]})
    assert accepts("LoadWeightsRequest", {"model_id": "m", "path": "p", "seq_id": 1})
    assert accepts("LoadWeightsRequest", {"session_id": "s", "path": "p", "optimizer": True})


def test_responses_of_an_unknown_type_are_kept() -> None:
    event = {
        "bucket_start": "2026-01-01T00:00:00Z",
        "bucket_end": "2026-01-01T01:00:00Z",
        "event_info": {"type": "something_new", "amount": 3},
    }
    read = models.BillingUsageEvent.from_dict(event)
    assert isinstance(read.event_info, models.OtherObject)
    assert read.event_info["amount"] == 3
    event["event_info"] = {"type": "sampling_sample", "token_count": 3}
    known = models.BillingUsageEvent.from_dict(event)
    assert isinstance(known.event_info, models.SamplingSampleBillingEvent)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ValidationErrorResponse", {"detail": "Invalid protobuf request: unknown loss"}),
        ("ValidationErrorResponse", {"detail": [{"loc": ["body"], "msg": "x", "type": "missing"}]}),
        ("Checkpoint", {"time": None}),
        ("Checkpoint", {"time": "2026-11-30T17:57:31.123456"}),
        ("TrainingRun", {"last_request_time": "2026-11-30T17:57:31.123456"}),
        ("CreateSamplingSessionResponse", {"request_id": "f-1", "model_id": "m"}),
    ],
)
def test_forms_that_servers_of_other_projects_send_are_valid(
    document: Json, name: str, value: Json
) -> None:
    """`make traffic ONLY=all` found them."""
    schema = {**document["components"]["schemas"][name], "components": document["components"]}
    required = set(schema.pop("required", ())) & value.keys()
    validator = jsonschema_rs.Draft202012Validator(
        {**schema, "required": sorted(required)}, validate_formats=True
    )
    assert list(validator.iter_errors(value)) == []
    assert not validator.is_valid(dict.fromkeys(value, 1))


def test_server_error_may_be_text(document: Json) -> None:
    content = document["components"]["responses"]["ServerError"]["content"]
    assert list(content) == ["application/json", "text/plain"]


def test_each_conflict_has_a_resolution(document: Json) -> None:
    result = dict(marked(document, "x-conflict"))
    assert len(result) >= 10
    assert all(conflict["resolution"] and conflict["forms"] for conflict in result.values())
    assert "ImageChunk" in result


def test_no_request_type_has_a_default_that_old_servers_reject(document: Json) -> None:
    schemas = document["components"]["schemas"]
    for name in reachable(document, schemas, "requestBody"):
        for field, value in schemas[name].get("properties", {}).items():
            assert not ("x-since" in value and "default" in value), (name, field)


def test_evidence_report_is_up_to_date(document: Json) -> None:
    traffic = json.loads(TRAFFIC.read_text()) if TRAFFIC.exists() else None
    text = EVIDENCE.read_text(encoding="utf-8")
    differences = load_server_differences()
    assert text == evidence(document, load_yaml(OVERLAY), traffic, differences)
    for subject in (
        *("StopReasonKnown", "RequestErrorCategoryKnown", "LossFnTypeKnown", "Metrics"),
        *("ForwardBackwardOutput.loss_fn_output_type", "ImageChunk", "ImageAssetPointerChunk"),
        *("SampleRequest.prompt_logprobs", "RetryAfter", "ModelData.tokenizer_id"),
    ):
        assert f"\n### {subject}\n" in text


def test_most_operations_are_confirmed_by_traffic() -> None:
    traffic = json.loads(TRAFFIC.read_text())
    for path in RELEASES.glob("*.yaml"):
        assert path.stem in traffic["releases"], f"{path.stem}: `make interop traffic` records it"
        seen = traffic["releases"][path.stem]
        assert len(seen["confirmed"]) >= 0.9 * seen["operations"], path.stem


def test_the_retry_table_has_every_operation(document: Json) -> None:
    marks = {
        operation["operationId"]: operation["x-retry"]
        for item in document["paths"].values()
        for operation in item.values()
    }
    assert marks == RETRY
    assert {RETRY["asample"], RETRY["get_info"], RETRY["session_heartbeat"]} == {
        *("sequenced", "safe", "never")
    }


def test_package_includes_each_contract_and_its_tolerant_form() -> None:
    package = resources.files("tinker_api")
    for path in RELEASES.glob("*.yaml"):
        name = f"{path.stem}.json"
        contract = json.loads((package / "releases" / name).read_text(encoding="utf-8"))
        assert contract == load_yaml(path)
        reading = json.loads((package / "readings" / name).read_text(encoding="utf-8"))
        assert reading["paths"].keys() == contract["paths"].keys()
        assert "2XX" in reading["paths"]["/api/v1/asample"]["post"]["responses"]
