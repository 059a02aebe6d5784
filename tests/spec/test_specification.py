"""The specification is valid, complete for its release, and documented."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import resources
from typing import Any

import jsonschema_rs
import pytest
from openapi_spec_validator import validate

from codegen.documents import load_yaml
from codegen.lock import locked_wheel
from codegen.paths import RELEASES, SPECIFICATION
from codegen.wheel.wheels import Wheel

Json = dict[str, Any]

CHECKPOINT = (
    "/api/v1/training_runs/{training_run_id}/checkpoints/{checkpoint_kind}/{checkpoint_name}"
)

# Every operation of release 0.4.1: method, path, operation id, tag, body, response.
# fmt: off
OPERATIONS = [
    ("get", "/api/v1/get_server_capabilities", "get_server_capabilities", "service", None,
     "GetServerCapabilitiesResponse"),
    ("get", "/api/v1/healthz", "get_health", "service", None, "HealthResponse"),
    ("post", "/api/v1/telemetry", "send_telemetry", "telemetry", "TelemetrySendRequest",
     "TelemetryResponse"),
    ("post", "/api/v1/create_session", "create_session", "sessions", "CreateSessionRequest",
     "CreateSessionResponse"),
    ("post", "/api/v1/session_heartbeat", "session_heartbeat", "sessions",
     "SessionHeartbeatRequest", "SessionHeartbeatResponse"),
    ("post", "/api/v1/create_sampling_session", "create_sampling_session", "sampling",
     "CreateSamplingSessionRequest", "CreateSamplingSessionResponse"),
    ("post", "/api/v1/asample", "asample", "sampling", "SampleRequest", "UntypedAPIFuture"),
    ("post", "/api/v1/retrieve_future", "retrieve_future", "futures", "FutureRetrieveRequest",
     "FutureRetrieveResponse"),
    ("post", "/api/v1/create_model", "create_model", "models", "CreateModelRequest",
     "UntypedAPIFuture"),
    ("post", "/api/v1/get_info", "get_info", "models", "GetInfoRequest", "GetInfoResponse"),
    ("post", "/api/v1/unload_model", "unload_model", "models", "UnloadModelRequest",
     "UntypedAPIFuture"),
    ("post", "/api/v1/forward", "forward", "training", "ForwardRequest", "UntypedAPIFuture"),
    ("post", "/api/v1/forward_backward", "forward_backward", "training", "ForwardBackwardRequest",
     "UntypedAPIFuture"),
    ("post", "/api/v1/optim_step", "optim_step", "training", "OptimStepRequest",
     "UntypedAPIFuture"),
    ("post", "/api/v1/save_weights", "save_weights", "weights", "SaveWeightsRequest",
     "UntypedAPIFuture"),
    ("post", "/api/v1/load_weights", "load_weights", "weights", "LoadWeightsRequest",
     "UntypedAPIFuture"),
    ("post", "/api/v1/save_weights_for_sampler", "save_weights_for_sampler", "weights",
     "SaveWeightsForSamplerRequest", "UntypedAPIFuture"),
    ("get", "/api/v1/training_runs/{training_run_id}/checkpoints", "list_checkpoints",
     "checkpoints", None, "CheckpointsListResponse"),
    ("get", "/api/v1/checkpoints", "list_user_checkpoints", "checkpoints", None,
     "CheckpointsListResponse"),
    ("delete", CHECKPOINT, "delete_checkpoint", "checkpoints", None, None),
    ("get", CHECKPOINT + "/archive", "get_checkpoint_archive_url", "checkpoints", None, None),
    ("post", CHECKPOINT + "/publish", "publish_checkpoint", "checkpoints", None, None),
    ("delete", CHECKPOINT + "/publish", "unpublish_checkpoint", "checkpoints", None, None),
    ("get", "/api/v1/training_runs", "list_training_runs", "training_runs", None,
     "TrainingRunsResponse"),
    ("get", "/api/v1/training_runs/{training_run_id}", "get_training_run", "training_runs", None,
     "TrainingRun"),
]
# fmt: on


@pytest.fixture(scope="module")
def contract() -> Json:
    return load_yaml(RELEASES / "0.4.1.yaml")


@pytest.fixture(scope="module")
def reading() -> Json:
    return load_yaml(SPECIFICATION)


@pytest.fixture(scope="module")
def wheel() -> Wheel:
    return locked_wheel("0.4.1")


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def reference(content: Json | None) -> str | None:
    if content is None:
        return None
    name: str = content["content"]["application/json"]["schema"]["$ref"]
    return name.rsplit("/", 1)[-1]


def accepts(document: Json, name: str, value: object) -> bool:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    return jsonschema_rs.Draft202012Validator(schema).is_valid(value)


def test_both_documents_are_valid(contract: Json, reading: Json) -> None:
    validate(contract)
    validate(reading)


def test_contract_has_every_operation_of_the_release(contract: Json) -> None:
    result = {
        (
            method,
            path,
            operation["operationId"],
            operation["tags"][0],
            reference(operation.get("requestBody")),
            reference(operation["responses"].get("200"))
            if "content" in operation["responses"].get("200", {})
            else None,
        )
        for method, path, operation in operations(contract)
    }
    assert result == set(OPERATIONS)
    assert len(OPERATIONS) == 25


def test_every_class_of_the_wheel_is_a_component(contract: Json, wheel: Wheel) -> None:
    texts = {name: text for name, text in wheel.modules.items() if name.startswith("tinker.types.")}
    classes = {name for text in texts.values() for name in re.findall(r"^class (\w+)", text, re.M)}
    aliases = {
        name for text in texts.values() for name in re.findall(r"^(\w+): TypeAlias", text, re.M)
    }
    assert len(classes) == 60
    assert classes | aliases | {"CheckpointType"} <= contract["components"]["schemas"].keys()


def test_contract_has_every_field_of_the_wheel(contract: Json, wheel: Wheel) -> None:
    """Fields are found by regular expressions, independently of the reconstruction."""
    for name, text in wheel.modules.items():
        for block in re.split(r"^(?=class )", text, flags=re.M)[1:]:
            title = re.match(r"class (\w+)\((?:StrictBase|BaseModel)\)", block)
            if not name.startswith("tinker.types.") or title is None:
                continue
            fields = set(re.findall(r"^    (?!model_config)([a-z]\w*): ", block, re.M))
            schema = contract["components"]["schemas"][title[1]]
            assert set(schema["properties"]) == fields, title[1]


def test_every_element_has_a_description_and_evidence(contract: Json) -> None:
    for method, path, operation in operations(contract):
        assert operation["summary"], (method, path)
        assert operation["description"], (method, path)
        assert operation["x-evidence"], (method, path)
    for name, schema in contract["components"]["schemas"].items():
        assert schema.get("description"), name
        assert schema.get("x-evidence"), name
        for field, value in schema.get("properties", {}).items():
            assert field == "type" or value.get("description"), (name, field)
    for name, parameter in contract["components"]["parameters"].items():
        assert parameter.get("description"), name


def test_failures_and_their_headers_are_documented(reading: Json) -> None:
    for method, path, operation in operations(reading):
        assert {"400", "401", "403", "422", "429", "5XX"} <= operation["responses"].keys(), path
        key = {"$ref": "#/components/parameters/IdempotencyKey"}
        # The command line revokes a key without the SDK client, which adds the header.
        expected = method != "get" and operation["operationId"] != "delete_own_api_key"
        assert (key in operation.get("parameters", [])) is expected, path
    for name in ("TooManyRequests", "ServerError", "RequestTimeout", "Conflict"):
        headers = reading["components"]["responses"][name]["headers"]
        assert set(headers) == {"Retry-After", "retry-after-ms", "x-should-retry"}
    archive = reading["paths"][CHECKPOINT + "/archive"]["get"]["responses"]["302"]
    assert set(archive["headers"]) == {"Location", "Expires"}


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("CreateSessionRequest", {"tags": [], "user_metadata": {}, "sdk_version": "0.4.1"}),
        ("CreateSessionRequest", {"tags": [], "user_metadata": None, "sdk_version": "0.4.1"}),
        (
            "CreateSamplingSessionRequest",
            {
                "session_id": "s",
                "sampling_session_seq_id": 0,
                "base_model": "b",
                "model_path": None,
            },
        ),
        (
            "ModelInput",
            {"chunks": [{"tokens": [1]}, {"type": "encoded_text", "tokens": []}]},
        ),
        (
            "CreateModelRequest",
            {
                "session_id": "s",
                "model_seq_id": 0,
                "base_model": "b",
                "user_metadata": None,
                "lora_config": {
                    "rank": 8,
                    "seed": None,
                    "train_mlp": True,
                    "train_attn": True,
                    "train_unembed": True,
                },
            },
        ),
        ("OptimStepRequest", {"adam_params": {}, "model_id": "m", "seq_id": 1}),
        ("TensorData", {"data": [1, 2.5], "dtype": "float32", "shape": None}),
    ],
)
def test_requests_of_the_official_client_are_valid(
    contract: Json, reading: Json, name: str, body: Json
) -> None:
    assert accepts(contract, name, body)
    assert accepts(reading, name, body)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("CreateSessionRequest", {"tags": [], "user_metadata": {}, "sdk_version": "1", "more": 1}),
        ("SamplingParams", {"temprature": 1}),
        ("ModelInput", {"chunks": [{"tokens": [1], "more": 1}]}),
        ("ModelInput", {"chunks": [{"type": "video", "tokens": [1]}]}),
        ("OptimStepRequest", {"adam_params": {}, "model_id": "m", "seq_id": "1"}),
        ("TensorData", {"data": [1], "dtype": "float64"}),
        ("TensorData", {"data": ["1"], "dtype": "float32"}),
    ],
)
def test_invalid_request_is_rejected(reading: Json, name: str, body: Json) -> None:
    assert not accepts(reading, name, body)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("SampledSequence", {"stop_reason": "eos", "tokens": [1]}),
        ("SampledSequence", {"stop_reason": "whatever", "tokens": [1], "logprobs": None}),
        ("ForwardBackwardOutput", {"loss_fn_outputs": [], "metrics": {}}),
        ("ForwardBackwardOutput", {"loss_fn_outputs": None, "metrics": None}),
        ("CreateModelResponse", {"model_id": "m", "type": None, "status": "done"}),
        ("RequestFailedResponse", {"error": "no", "category": "user_error"}),
        ("RequestFailedResponse", {"error": "no"}),
        ("GetServerCapabilitiesResponse", {"supported_models": [{"model_id": "m"}]}),
        ("CreateSamplingSessionResponse", {"request_id": "17"}),
        ("TryAgainResponse", {"type": "try_again"}),
        ("UntypedAPIFuture", {"request_id": "1", "future_id": 1, "status": "pending"}),
    ],
)
def test_responses_of_other_servers_are_valid(reading: Json, name: str, body: Json) -> None:
    assert accepts(reading, name, body)


def test_contract_is_stricter_than_its_tolerant_form(contract: Json) -> None:
    assert not accepts(contract, "SampledSequence", {"stop_reason": "eos", "tokens": [1]})
    assert not accepts(contract, "RequestFailedResponse", {"error": "no"})


def test_all_disputed_enum_values_are_known(reading: Json) -> None:
    schemas = reading["components"]["schemas"]
    assert schemas["StopReasonKnown"]["enum"] == [
        *("length", "stop"),
        *("max_tokens", "stop_sequence", "eos"),
    ]
    assert len(schemas["LossFnTypeKnown"]["enum"]) == 9
    assert schemas["RequestErrorCategoryKnown"]["enum"] == ["unknown", "server", "user"]


def test_package_includes_the_specification(reading: Json) -> None:
    text = resources.files("tinker_api").joinpath("openapi.json").read_text(encoding="utf-8")
    assert json.loads(text) == reading
