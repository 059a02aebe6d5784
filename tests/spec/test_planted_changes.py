"""Changes outside the fields of types are found too: security, servers, headers, marks, places.

Together with `test_changes.py`, 73 planted changes, each with the rating that a client needs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from codegen.documents import load_yaml
from codegen.paths import RELEASES
from codegen.releases.contract_diff import changes

Json = dict[str, Any]
Plant = Callable[[Json], object]

REFERENCE = "#/components/schemas/"


@pytest.fixture(scope="module")
def contract() -> Json:
    """The contract of 0.38.0 with a few elements that it lacks, so that they can change."""
    document = load_yaml(RELEASES / "0.38.0.yaml")
    document["components"]["securitySchemes"]["Bearer"] = {"type": "http", "scheme": "bearer"}
    operation(document, "get", "/healthz")["security"] = []
    operation(document, "get", "/audit")["security"] = [{"ApiKey": []}, {"Bearer": []}]
    success(document, "get", "/audit")["headers"] = {
        "X-Page": {"schema": {"type": "integer"}},
        "X-Total": {"schema": {"type": "integer"}, "required": True},
    }
    operation(document, "post", "/telemetry")["requestBody"]["required"] = False
    operation(document, "post", "/get_info")["deprecated"] = True
    schema(document, "AuditLogEntry")["properties"]["purpose"]["deprecated"] = True
    return document


def operation(document: Json, method: str, path: str) -> Json:
    result: Json = document["paths"][f"/api/v1{path}"][method]
    return result


def success(document: Json, method: str, path: str) -> Json:
    result: Json = operation(document, method, path)["responses"]["200"]
    return result


def schema(document: Json, name: str) -> Json:
    result: Json = document["components"]["schemas"][name]
    return result


def field(document: Json, name: str, key: str) -> Json:
    result: Json = schema(document, name)["properties"][key]
    return result


def parameter(document: Json, name: str) -> Json:
    result: Json = document["components"]["parameters"][name]
    return result


def put(where: Callable[[Json], Json], **entries: object) -> Plant:
    return lambda document: where(document).update(entries)


def wrap(document: Json) -> None:
    """Wrap each reference of a field in `allOf`, as some tools do."""
    for value in document["components"]["schemas"].values():
        for name, part in value.get("properties", {}).items():
            if "$ref" in part:
                rest = {key: item for key, item in part.items() if key != "$ref"}
                value["properties"][name] = {"allOf": [{"$ref": part["$ref"]}], **rest}


def replace_security(document: Json) -> None:
    document["security"] = [{"Bearer": []}]


def move_to_header(document: Json) -> None:
    parameter(document, "SessionsLimit").update({"in": "header"})


def move_to_cookie(document: Json) -> None:
    parameter(document, "TrainingRunsProjectId").update({"in": "cookie"})


def drop_parameter(document: Json) -> None:
    entries = operation(document, "get", "/sessions")["parameters"]
    entries[:] = [entry for entry in entries if not entry["$ref"].endswith("Offset")]


def add_parameter(document: Json) -> None:
    entry = {"name": "word", "in": "query", "schema": {"type": "string"}}
    operation(document, "get", "/sessions").setdefault("parameters", []).append(entry)


def require_header(document: Json) -> None:
    entry = {"name": "X-Project", "in": "header", "required": True, "schema": {"type": "string"}}
    operation(document, "post", "/asample")["parameters"].append(entry)


def rename_scheme_header(document: Json) -> None:
    document["components"]["securitySchemes"]["ApiKey"]["name"] = "X-Key"


def change_scheme_kind(document: Json) -> None:
    document["components"]["securitySchemes"]["Bearer"]["scheme"] = "basic"


def add_method(document: Json) -> None:
    path = document["paths"]["/api/v1/audit"]
    path["delete"] = {**copy.deepcopy(path["get"]), "operationId": "clear_audit_log"}


def remove_path_type(document: Json) -> None:
    del document["paths"]["/api/v1/samplers/{sampler_id}"]


def change_status(document: Json) -> None:
    responses = operation(document, "post", "/auth/token")["responses"]
    responses["201"] = responses.pop("200")


def drop_error_status(document: Json) -> None:
    del operation(document, "post", "/asample")["responses"]["429"]


def add_error_status(document: Json) -> None:
    operation(document, "get", "/healthz")["responses"]["418"] = {"description": "A teapot."}


def drop_message(document: Json) -> None:
    content = success(document, "post", "/retrieve_future")["content"]["application/x-protobuf"]
    content["x-protobuf"].pop()


def drop_response_body(document: Json) -> None:
    del success(document, "get", "/sessions")["content"]


def drop_request_body(document: Json) -> None:
    del operation(document, "post", "/session_heartbeat")["requestBody"]


def close_type(document: Json) -> None:
    schema(document, "GenericEvent")["additionalProperties"] = False


def open_type(document: Json) -> None:
    del schema(document, "SamplingParams")["additionalProperties"]


def drop_union_member(document: Json) -> None:
    schema(document, "ModelInputChunk")["anyOf"].pop()


def add_union_member(document: Json) -> None:
    schema(document, "SessionStatus")["anyOf"].append({"$ref": f"{REFERENCE}Cursor"})


def limit_list(document: Json) -> None:
    field(document, "ModelInput", "chunks")["maxItems"] = 10


def narrow_scope(document: Json) -> None:
    schema(document, "AccessScope")["enum"].remove("owned")


def rename_operation(document: Json) -> None:
    operation(document, "post", "/asample")["operationId"] = "sample"


# fmt: off
PLANTED: list[tuple[str, Plant, tuple[str, str, str] | None]] = [
    ("security replaced", replace_security,
     ("POST /asample security", "no longer ApiKey", "breaking")),
    ("security replaced, new one", replace_security,
     ("POST /asample security", "now also Bearer", "additive")),
    ("scheme's header renamed", rename_scheme_header,
     ("security scheme ApiKey", "apiKey header X-API-Key became apiKey header X-Key", "breaking")),
    ("scheme's kind changed", change_scheme_kind,
     ("security scheme Bearer", "http bearer became http basic", "breaking")),
    ("operation needs a key now",
     put(lambda it: operation(it, "get", "/healthz"), security=[{"ApiKey": []}]),
     ("GET /healthz security", "no longer none", "breaking")),
    ("operation needs no key now",
     put(lambda it: operation(it, "get", "/audit"), security=[{}, {"ApiKey": []}, {"Bearer": []}]),
     ("GET /audit security", "now also none", "additive")),
    ("alternative credential removed",
     put(lambda it: operation(it, "get", "/audit"), security=[{"ApiKey": []}]),
     ("GET /audit security", "no longer Bearer", "breaking")),
    ("scope required",
     put(lambda it: operation(it, "get", "/audit"), security=[{"ApiKey": []}, {"Bearer": ["a"]}]),
     ("GET /audit security", "no longer Bearer", "breaking")),
    ("server replaced", lambda it: it["servers"][0].update(url="https://other.example"),
     ("servers", "no longer https://tinker.thinkingmachines.dev/services/tinker-prod", "breaking")),
    ("server added", lambda it: it["servers"].append({"url": "https://other.example"}),
     ("servers", "now also https://other.example", "additive")),
    ("server's text changed", lambda it: it["servers"][0].update(description="Other."), None),
    ("operation deprecated", put(lambda it: operation(it, "post", "/asample"), deprecated=True),
     ("POST /asample", "now deprecated", "additive")),
    ("operation no longer deprecated",
     put(lambda it: operation(it, "post", "/get_info"), deprecated=False),
     ("POST /get_info", "no longer deprecated", "additive")),
    ("parameter deprecated", put(lambda it: parameter(it, "SessionsLimit"), deprecated=True),
     ("GET /sessions query limit", "now deprecated", "additive")),
    ("path parameter deprecated", put(lambda it: parameter(it, "SamplerId"), deprecated=True),
     ("GET /samplers/{sampler_id} path sampler_id", "now deprecated", "additive")),
    ("field deprecated", put(lambda it: field(it, "SampleRequest", "seq_id"), deprecated=True),
     ("SampleRequest.seq_id", "now deprecated", "additive")),
    ("field no longer deprecated",
     put(lambda it: field(it, "AuditLogEntry", "purpose"), deprecated=False),
     ("AuditLogEntry.purpose", "no longer deprecated", "additive")),
    ("type deprecated", put(lambda it: schema(it, "Cursor"), deprecated=True),
     ("Cursor", "now deprecated", "additive")),
    ("path parameter's type changed",
     put(lambda it: parameter(it, "SamplerId"), schema={"type": "integer"}),
     ("GET /samplers/{sampler_id} path sampler_id", "string became integer", "breaking")),
    ("path parameter limited",
     put(lambda it: parameter(it, "SamplerId"), schema={"type": "string", "maxLength": 8}),
     ("GET /samplers/{sampler_id} path sampler_id", "maxLength none became 8", "breaking")),
    ("response header removed",
     lambda it: success(it, "get", "/audit")["headers"].pop("X-Page"),
     ("GET /audit 200 header X-Page", "removed", "unclear")),
    ("required response header removed",
     lambda it: success(it, "get", "/audit")["headers"].pop("X-Total"),
     ("GET /audit 200 header X-Total", "removed", "breaking")),
    ("response header added",
     lambda it: success(it, "get", "/audit")["headers"].update({"X-New": {"schema": {}}}),
     ("GET /audit 200 header X-New", "new", "additive")),
    ("response header's type changed",
     lambda it: success(it, "get", "/audit")["headers"]["X-Page"].update(schema={"type": "string"}),
     ("GET /audit 200 header X-Page", "integer became string", "breaking")),
    ("response header no longer always sent",
     lambda it: success(it, "get", "/audit")["headers"]["X-Total"].update(required=False),
     ("GET /audit 200 header X-Total", "no longer always sent", "breaking")),
    ("shared response header removed",
     lambda it: it["components"]["responses"]["TooManyRequests"]["headers"].pop("Retry-After"),
     ("POST /asample 429 header Retry-After", "removed", "unclear")),
    ("body required",
     lambda it: operation(it, "post", "/telemetry")["requestBody"].update(required=True),
     ("POST /telemetry body", "now required", "breaking")),
    ("body no longer required",
     lambda it: operation(it, "post", "/asample")["requestBody"].update(required=False),
     ("POST /asample body", "no longer required", "additive")),
    ("body removed", drop_request_body,
     ("POST /session_heartbeat body", "no longer application/json", "breaking")),
    ("retry forbidden", put(lambda it: operation(it, "post", "/get_info"), **{"x-retry": "never"}),
     ("POST /get_info", "x-retry safe became never", "breaking")),
    ("retry allowed", put(lambda it: operation(it, "post", "/telemetry"), **{"x-retry": "safe"}),
     ("POST /telemetry", "x-retry never became safe", "additive")),
    ("retry needs the number",
     put(lambda it: operation(it, "post", "/get_info"), **{"x-retry": "sequenced"}),
     ("POST /get_info", "x-retry safe became sequenced", "breaking")),
    ("references wrapped in allOf", wrap, None),
    ("query parameter moved to a header", move_to_header,
     ("GET /sessions query limit", "moved to the header", "breaking")),
    ("query parameter moved to a cookie", move_to_cookie,
     ("GET /training_runs query project_id", "moved to the cookie", "breaking")),
    ("query parameter removed", drop_parameter,
     ("GET /sessions query offset", "removed", "unclear")),
    ("query parameter added", add_parameter, ("GET /sessions query word", "new", "additive")),
    ("header required", require_header,
     ("POST /asample header X-Project", "new, required", "breaking")),
    ("query parameter's style changed",
     put(lambda it: parameter(it, "SessionsLimit"), style="deepObject"),
     ("GET /sessions query limit", "style None became deepObject", "breaking")),
    ("enumeration of a query narrowed", narrow_scope,
     ("AccessScope", 'no longer "owned"', "breaking")),
    ("method added", add_method, ("DELETE /audit", "new operation", "additive")),
    ("path removed", remove_path_type,
     ("GET /samplers/{sampler_id}", "operation removed", "breaking")),
    ("operation renamed", rename_operation, ("POST /asample", "is now named sample", "unclear")),
    ("success status changed", change_status,
     ("POST /auth/token 200", "no longer documented", "breaking")),
    ("error status removed", drop_error_status,
     ("POST /asample 429", "no longer documented", "unclear")),
    ("error status added", add_error_status, ("GET /healthz 418", "new status", "unclear")),
    ("message removed", drop_message,
     ("POST /retrieve_future 200",
      "no longer the message tinker_public.proto#tinker_public.ForwardBackwardOutput",
      "breaking")),
    ("encoding removed",
     lambda it: operation(it, "post", "/forward_backward")["x-content-encoding"].remove("zstd"),
     ("POST /forward_backward body", "no longer encoded as zstd", "breaking")),
    ("response body removed", drop_response_body,
     ("GET /sessions 200", "no longer application/json", "breaking")),
    ("request type closed", close_type,
     ("GenericEvent", "rejects unknown fields", "breaking")),
    ("request type opened", open_type,
     ("SamplingParams", "accepts unknown fields", "additive")),
    ("union of a request narrowed", drop_union_member,
     ("ModelInputChunk", "no longer DmelChunk", "breaking")),
    ("union of a response widened", add_union_member,
     ("SessionStatus", "now also Cursor", "unclear")),
    ("list of a request limited", limit_list,
     ("ModelInput.chunks", "maxItems none became 10", "breaking")),
    ("examples added", put(lambda it: schema(it, "Cursor"), examples=[{"offset": 0}]), None),
]
# fmt: on


@pytest.mark.parametrize(
    ("plant", "expected"),
    [entry[1:] for entry in PLANTED],
    ids=[entry[0].replace(" ", "-") for entry in PLANTED],
)
def test_planted_change_is_found_and_rated(
    contract: Json, plant: Plant, expected: tuple[str, str, str] | None
) -> None:
    changed = copy.deepcopy(contract)
    plant(changed)
    result = {(change.where, change.what, change.rating) for change in changes(contract, changed)}
    if expected is None:
        assert result == set()
    else:
        assert expected in result


def test_moved_parameter_is_not_reported_as_new(contract: Json) -> None:
    changed = copy.deepcopy(contract)
    move_to_header(changed)
    lines = [change for change in changes(contract, changed) if "limit" in change.where]
    assert [change.what for change in lines] == ["moved to the header"]
