"""The responses of the embedded backend match the specification, for generated requests.

schemathesis generates valid and invalid requests. Half of the ids of sessions, models and requests
in them are replaced by existing ones, so that not all responses are "not found".
"""

from __future__ import annotations

import copy
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tinker_ext.embedded.launch import RunningBackend, start_embedded
from tinker_ext.embedded.protocols import specification_of
from tinker_ext.embedded.routes import UNSUPPORTED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemathesis import Case, HookContext
    from schemathesis.specs.openapi.schemas import OpenApiSchema

# The first and the last release, which cover the operations of those in between.
PROTOCOLS = ("0.4.1", "0.38")

# Excluded: operations that always return 404, and protobuf bodies.
EXCLUDED = {*UNSUPPORTED, "forward_backward"}


def _schema(protocol: str) -> OpenApiSchema:
    document = copy.deepcopy(dict(specification_of(protocol).document))
    del document["security"]  # the server is started without a key
    if protocol != "0.4.1":
        for item in document["paths"].values():
            for method, operation in list(item.items()):
                if isinstance(operation, dict) and operation.get("operationId") in EXCLUDED:
                    del item[method]
    schema = schemathesis.openapi.from_dict(document)

    def with_known_ids(context: HookContext, fields: Any) -> Any:
        return _with_known_ids(fields, KNOWN.get(protocol, {}))

    for hook in ("map_body", "map_path_parameters"):
        schema.hook(hook)(with_known_ids)
    return schema


CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

# By protocol, existing ids by field name.
KNOWN: dict[str, dict[str, str]] = {}


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, RunningBackend]]:
    with ExitStack() as stack:
        started = {
            protocol: stack.enter_context(start_embedded(protocol=protocol))
            for protocol in PROTOCOLS
        }
        for protocol, server in started.items():
            with httpx.Client(base_url=f"{server.url}/api/v1", timeout=60) as http:
                KNOWN[protocol] = _create_objects(http)
        yield started


def _create_objects(http: httpx.Client) -> dict[str, str]:
    """Create a session with a model, a checkpoint and a sampling session; returns their ids."""

    def post(operation: str, **body: Any) -> dict[str, Any]:
        response = http.post(operation, json=body)
        assert response.status_code == 200, response.text
        content: dict[str, Any] = response.json()
        return content

    session = post("create_session", tags=[], user_metadata=None, sdk_version="x")["session_id"]
    created = post(
        "create_model",
        session_id=session,
        model_seq_id=0,
        base_model="embedded/tiny",
        lora_config={"rank": 1},
    )
    model = created["model_id"]
    saved = post("save_weights", model_id=model, seq_id=1, path="a")
    assert "path" in post("retrieve_future", request_id=saved["request_id"])
    sampler = post(
        "create_sampling_session",
        session_id=session,
        sampling_session_seq_id=0,
        base_model="embedded/tiny",
    )
    path = f"tinker://{model}/weights/a"
    return {
        "path": path,
        "sampler_id": sampler["sampling_session_id"],
        "source_path": path,
        "tinker_path": path,
        "session_id": session,
        "model_id": model,
        "training_run_id": model,
        "checkpoint_kind": "weights",
        "checkpoint_name": "a",
        "sampling_session_id": sampler["sampling_session_id"],
        "request_id": saved["request_id"],
    }


def _with_known_ids(fields: Any, known: dict[str, str]) -> Any:
    """Replace generated ids that start with an even character, about half of them."""
    if not isinstance(fields, dict):
        return fields
    return {
        name: known[name]
        if name in known and isinstance(value, str) and sum(map(ord, value[:1])) % 2 == 0
        else value
        for name, value in fields.items()
    }


SCHEMAS = {protocol: _schema(protocol) for protocol in PROTOCOLS}
REPEATED = settings(
    max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@SCHEMAS["0.4.1"].parametrize()
@REPEATED
def test_responses_match_specification_of_0_4_1(
    case: Case[Any], servers: dict[str, RunningBackend]
) -> None:
    _call(case, servers["0.4.1"])


@SCHEMAS["0.38"].parametrize()
@REPEATED
def test_responses_match_specification_of_0_38(
    case: Case[Any], servers: dict[str, RunningBackend]
) -> None:
    _call(case, servers["0.38"])


def _call(case: Case[Any], server: RunningBackend) -> None:
    # Unknown query parameters are ignored, because later clients send some; bodies are validated.
    checks = [*CHECKS, negative_data_rejection] if case.method == "POST" else CHECKS
    case.call_and_validate(base_url=server.url, checks=checks, allow_redirects=False)


def test_server_logged_no_traceback(servers: dict[str, RunningBackend]) -> None:
    """Runs last."""
    for server in servers.values():
        assert "Traceback" not in server.log_path.read_text()
