"""The portable form of the specification, its examples, and the comparison of decoded responses."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from codegen.documents import Json, load_json, load_yaml
from codegen.emit.portable import RESULTS, PortableError, portable, with_examples
from codegen.openapi import iter_operations, resolved
from codegen.paths import EXAMPLES, PORTABLE30, PORTABLE31, SPECIFICATION
from conformance.portable.cases import Case, differences, recorded_cases

JSON_TYPE = "application/json"


@pytest.fixture(scope="module")
def document() -> Json:
    return load_json(PORTABLE31)


@pytest.fixture(scope="module")
def union() -> Json:
    return load_yaml(SPECIFICATION)


def objects(value: Any) -> Iterator[Json]:
    """All objects in a document except examples."""
    if isinstance(value, dict):
        yield value
        for key, item in value.items():
            if key not in ("examples", "example"):
                yield from objects(item)
    elif isinstance(value, list):
        for item in value:
            yield from objects(item)


@pytest.mark.parametrize("path", [PORTABLE31, PORTABLE30])
def test_documents_have_no_construction_that_generators_misread(path: Any) -> None:
    document = load_json(path)
    for operation in iter_operations(document):
        statuses = operation["responses"]
        assert all(re.fullmatch(r"[1-5]\d\d", status) for status in statuses), statuses
        assert {"200", "500"} <= statuses.keys()
        assert operation["security"] == [{"ApiKey": []}]
    for part in objects(document):
        assert "application/x-protobuf" not in part
        assert "text/plain" not in part
        if isinstance(part.get("$ref"), str):
            assert "default" not in part
        if part.get("type") in ("integer", "number") and "enum" not in part:
            assert part["format"] in ("int64", "double")
        members = [member for member in part.get("anyOf", []) if member != {"type": "null"}]
        assert len(members) <= 1
        if "oneOf" in part:
            assert len(part["discriminator"]["mapping"]) == len(part["oneOf"])


def test_result_of_retrieve_future_is_any_value(document: Json) -> None:
    operation = document["paths"]["/api/v1/retrieve_future"]["post"]
    assert operation["responses"]["200"]["content"][JSON_TYPE]["schema"].keys() == {"description"}
    for name, result in RESULTS.items():
        assert f"{result} for {name}" in operation["description"]
        assert result in document["components"]["schemas"]


def test_time_without_an_offset_is_text(document: Json) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["TrainingRun"]["properties"]["last_request_time"]["type"] == "string"
    assert "format" not in schemas["TrainingRun"]["properties"]["last_request_time"]
    assert schemas["Checkpoint"]["properties"]["time"]["anyOf"] == [
        {"type": "string"},
        {"type": "null"},
    ]


def test_type_of_each_submitted_operation_is_known(union: Json) -> None:
    submitted = {
        operation["operationId"]
        for operation in iter_operations(union)
        if "UntypedAPIFuture" in str(operation["responses"].get("2XX"))
    }
    assert submitted == RESULTS.keys()


def test_discriminated_types_require_their_tag(document: Json) -> None:
    schemas = document["components"]["schemas"]
    tagged = {name for name, schema in schemas.items() if "discriminator" in schema}
    assert tagged == {"ModelInputChunk", "SearchOwner", "SessionStatusQuery"}
    for name in tagged:
        for tag, reference in schemas[name]["discriminator"]["mapping"].items():
            member = resolved(document, {"$ref": reference})
            assert "type" in member["required"]
            assert member["properties"]["type"]["const"] == tag


def test_examples_are_valid(document: Json) -> None:
    count = 0
    without = set()
    for operation in iter_operations(document):
        holders = [operation.get("requestBody", {}), operation["responses"]["200"]]
        for content in (holder.get("content", {}).get(JSON_TYPE) for holder in holders):
            if content is None:
                continue
            schema = {**content["schema"], "components": document["components"]}
            validator = jsonschema_rs.Draft202012Validator(schema)
            if "examples" not in content:
                without.add(operation["operationId"])
            for name, example in content.get("examples", {}).items():
                errors = [str(error) for error in validator.iter_errors(example["value"])]
                assert not errors, (operation["operationId"], name, errors)
                count += 1
    assert count > 100
    assert without == {"get_checkpoint_archive_url"}  # The embedded backend redirects.


def test_each_operation_has_examples_without_credentials(union: Json) -> None:
    examples = load_json(EXAMPLES)
    assert examples.keys() == {operation["operationId"] for operation in iter_operations(union)}
    text = EXAMPLES.read_text(encoding="utf-8")
    assert not re.search(r"tml-(?!REDACTED)|eyJ(?!\.REDACTED)|127\.0\.0\.1|localhost", text)
    assert "try_again" in examples["retrieve_future"]
    assert "protobuf_request" in examples["forward_backward"]["release_0_25_0"]


def test_protobuf_examples_are_shown_in_the_full_document(union: Json) -> None:
    shown = with_examples(union, load_json(EXAMPLES))
    operation = shown["paths"]["/api/v1/forward_backward"]["post"]
    content = operation["requestBody"]["content"]["application/x-protobuf"]
    value = content["examples"]["release_0_25_0"]["value"]
    assert value["message"] == "tinker_public.ForwardBackwardRequest"


def test_reserved_name_is_rejected(union: Json) -> None:
    changed = copy.deepcopy(union)
    changed["paths"]["/api/v1/forward"]["post"]["operationId"] = "import"
    with pytest.raises(PortableError, match="reserved names: import"):
        portable(changed)


def test_enumerations_that_share_a_value_are_rejected(union: Json) -> None:
    changed = copy.deepcopy(union)
    changed["components"]["schemas"]["TensorDtype"]["enum"].append("png")
    with pytest.raises(PortableError, match="both have the value png"):
        portable(changed)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"a": 1, "b": None, "c": [1, {"d": 2}]}, []),
        ({"a": 1.0, "c": [1, {"d": 2}], "e": None}, []),
        ({"c": [1, {"d": 2}]}, ["x.a is lost"]),
        ({"a": 1, "c": [1, {"d": 2}], "e": 0}, ["x.e is added"]),
        ({"a": "1", "c": [1, {}]}, ['x.a is "1" instead of 1', "x.c[1].d is lost"]),
        (
            {"a": True, "c": [1]},
            ["x.a is true instead of 1", 'x.c is [1] instead of [1, {"d": 2}]'],
        ),
    ],
)
def test_differences_of_a_decoded_response(value: Any, found: list[str]) -> None:
    case = Case("x", "X", {"a": 1, "b": None, "c": [1, {"d": 2}]})
    assert differences(case, value) == found


def test_seven_recorded_responses_are_compared() -> None:
    cases = recorded_cases()
    assert len(cases) == 7
    assert all(isinstance(case.value, dict) and case.value for case in cases)
