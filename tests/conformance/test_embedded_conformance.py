"""Whatever is sent to the embedded server, it answers as the specification says.

Requests are made up by schemathesis, right ones and wrong ones; half of those that name a session,
a model or a request name one that exists, so that more is met than "not found".
"""

from __future__ import annotations

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

from tinker_ext.embedded.dialects import specification_of
from tinker_ext.embedded.launch import EmbeddedServer, start_embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemathesis import Case, HookContext

DOCUMENT = dict(specification_of("0.4.1").document)
del DOCUMENT["security"]  # this server asks for no key
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

# Ids that exist, by the name of the field that carries them.
KNOWN: dict[str, str] = {}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    with start_embedded(tmp_path_factory.mktemp("state"), dialect="0.4.1") as started:
        with httpx.Client(base_url=f"{started.url}/api/v1", timeout=60) as http:
            KNOWN.update(_prepared(http))
        yield started


def _prepared(http: httpx.Client) -> dict[str, str]:
    """A session with a model, a checkpoint and a sampling session."""

    def post(operation: str, **body: Any) -> dict[str, Any]:
        answer = http.post(operation, json=body)
        assert answer.status_code == 200, answer.text
        content: dict[str, Any] = answer.json()
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
    return {
        "session_id": session,
        "model_id": model,
        "training_run_id": model,
        "checkpoint_kind": "weights",
        "checkpoint_name": "a",
        "sampling_session_id": sampler["sampling_session_id"],
        "request_id": saved["request_id"],
    }


def _with_known_ids(fields: Any) -> Any:
    """Replace made-up ids that begin with an even character, about half of them."""
    if not isinstance(fields, dict):
        return fields
    return {
        name: KNOWN[name]
        if name in KNOWN and isinstance(value, str) and sum(map(ord, value[:1])) % 2 == 0
        else value
        for name, value in fields.items()
    }


@SCHEMA.hook
def map_body(context: HookContext, body: Any) -> Any:
    return _with_known_ids(body)


@SCHEMA.hook
def map_path_parameters(context: HookContext, path_parameters: Any) -> Any:
    return _with_known_ids(path_parameters)


@SCHEMA.parametrize()
@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_answers_are_as_documented(case: Case[Any], server: EmbeddedServer) -> None:
    # An unknown query parameter is passed over, as later clients send some; a body has to fit.
    checks = [*CHECKS, negative_data_rejection] if case.method == "POST" else CHECKS
    case.call_and_validate(base_url=server.url, checks=checks, allow_redirects=False)


def test_nothing_of_it_was_a_mistake_of_the_server(server: EmbeddedServer) -> None:
    """Runs last: the log has no traceback."""
    assert "Traceback" not in server.log_path.read_text()
