"""Broken fields: each field of each response is nulled, dropped and mistyped.

The valid bodies are built from the specification, the expectations from the response classes: a
broken field is ignored, unless it is required or a list.
"""

from __future__ import annotations

import importlib
import json
import logging
import pkgutil
from importlib.resources import files
from typing import TYPE_CHECKING, Any, get_origin

import attrs
import pytest
from attrs import frozen
from tinker_api import models

from tinker_ext import types
from tinker_ext.types import structuring
from tinker_ext.types.structuring import InvalidFieldError, ResponseType

if TYPE_CHECKING:
    from collections.abc import Iterator

for _module in pkgutil.walk_packages(types.__path__, "tinker_ext.types."):
    importlib.import_module(_module.name)

DOCUMENT = json.loads(files("tinker_api").joinpath("openapi.json").read_text(encoding="utf-8"))
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
# The generated model has another name.
SCHEMA_NAMES = {"SaveWeightsExternalResponse": "SaveWeightsExternalResponseInternal"}
SCALARS = {"string": "text", "integer": 3, "number": 1.5, "boolean": True}
DROPPED = object()
# What each type of the specification is not.
MISTYPED = {"string": 7, "integer": "7", "number": "7", "boolean": "yes", "object": [7], "array": 7}
# Members of a union: a broken one is kept as an object of an unknown type.
UNIONS = {
    "BillingEventInfo": ("BillingUsageEvent", "event_info"),
    "SessionStatus": ("SessionSummary", "status"),
}
COUNTS = ("token_count", "count", "gigabyte_hours")
MEMBERS = [
    (union, part["$ref"].rpartition("/")[2])
    for union in UNIONS
    for part in SCHEMAS[union]["anyOf"]
    if not part["$ref"].endswith("OtherObject")
]


def resolved(schema: Any) -> Any:
    """The schema without references and null; the first member of a union."""
    if "$ref" in schema:
        return resolved(SCHEMAS[schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return resolved(next(part for part in schema["anyOf"] if part.get("type") != "null"))
    return schema


def example(schema: Any) -> Any:
    """A valid value with all fields."""
    schema = resolved(schema)
    if "const" in schema or "enum" in schema:
        return schema.get("const") or schema["enum"][0]
    match schema["type"]:
        case "object" if "properties" in schema:
            return {name: example(value) for name, value in schema["properties"].items()}
        case "object":
            inner = schema.get("additionalProperties")
            return {"key": example(inner) if isinstance(inner, dict) and inner else "text"}
        case "array":
            return [example(schema["items"])]
        case "string" if schema.get("format") == "date-time":
            return "2026-01-02T03:04:05Z"
    return SCALARS[schema["type"]]


def broken(body: dict[str, Any], name: str, value: object) -> dict[str, Any]:
    rest = {key: item for key, item in body.items() if key != name}
    return rest if value is DROPPED else {**rest, name: value}


@frozen
class Case:
    """A field of a response, and the value that replaces it."""

    kind: Any
    field: Any
    change: str
    value: object
    is_list: bool

    @property
    def schema(self) -> str:
        return schema_of(self.kind)

    @property
    def raises(self) -> bool:
        if self.is_list:
            return self.value is not None
        # Without one, the page is the last; with an invalid one, the next can't be fetched.
        if self.field.name in ("cursor", "next_cursor"):
            return self.change == "mistyped"
        return bool(self.field.metadata.get("required", False))

    def decode(self, body: Any) -> Any:
        return self.kind.from_api(getattr(models, self.schema).from_dict(body))

    def __str__(self) -> str:
        return f"{self.kind.__name__}.{self.field.name} {self.change}"


def schema_of(kind: Any) -> str:
    name: str = kind.__name__
    return SCHEMA_NAMES.get(name, name)


def cases() -> Iterator[Case]:
    members = {member for _, member in MEMBERS}
    for kind in ResponseType.__subclasses__():
        is_ours = attrs.has(kind) and kind.__module__.startswith("tinker_ext.")
        if not is_ours or kind.__name__ in members:
            continue
        properties = SCHEMAS[schema_of(kind)]["properties"]
        for field, annotation in structuring._variable_fields(kind):
            if field.name not in properties:  # Not part of the API; some servers send it.
                continue
            mistyped = MISTYPED[resolved(properties[field.name])["type"]]
            changes = {"null": None, "missing": DROPPED, "mistyped": mistyped}
            for change, value in changes.items():
                yield Case(kind, field, change, value, get_origin(annotation) is list)


@pytest.mark.parametrize("case", list(cases()), ids=str)
def test_broken_field_is_ignored_unless_required(case: Case) -> None:
    body = example(SCHEMAS[case.schema])
    # It substitutes for model_name.
    body.pop("model_id", None) if case.schema == "SupportedModel" else None
    broken_body = broken(body, case.field.name, case.value)
    if case.raises:
        with pytest.raises((KeyError, TypeError, ValueError)):
            case.decode(broken_body)
        return
    valid, read = case.decode(body), case.decode(broken_body)
    names = [field.name for field in attrs.fields(case.kind) if field.name != case.field.name]
    assert [getattr(read, name) for name in names] == [getattr(valid, name) for name in names]
    value = getattr(read, case.field.name)
    assert value != getattr(valid, case.field.name)
    assert not value or isinstance(value, ResponseType | types.OptimizerConfig | types.Cursor)


@pytest.mark.parametrize("change", ["null", "missing", "mistyped"])
@pytest.mark.parametrize(("union", "member"), MEMBERS)
def test_record_with_a_broken_union_member_survives(union: str, member: str, change: str) -> None:
    kind, name = UNIONS[union]
    body = example(SCHEMAS[kind])
    for field, schema in SCHEMAS[member]["properties"].items():
        mistyped = MISTYPED[resolved(schema)["type"]]
        value = {"null": None, "missing": DROPPED, "mistyped": mistyped}[change]
        inner = broken(example(SCHEMAS[member]), field, value)
        model = getattr(models, kind).from_dict({**body, name: inner})
        if field in COUNTS and change != "missing":
            with pytest.raises(InvalidFieldError, match=f"{member}.{field}"):
                getattr(types, kind).from_api(model)
        else:
            assert getattr(getattr(types, kind).from_api(model), name) is not None


STRICT = {
    "SampledSequence": ("tokens", "logprobs", "topk_logprobs"),
    "SampleResponse": (
        *("sequences", "prompt_logprobs", "topk_prompt_logprobs", "target_prompt_logprobs"),
        *("prompt_cache_hit_tokens", "prompt_alt_tokens"),
    ),
    "ForwardBackwardOutput": ("loss_fn_outputs",),
}
LENIENT = {
    "SampledSequence": ("stop_reason", "sequence_id"),
    "SampleResponse": (),
    "ForwardBackwardOutput": ("loss_fn_output_type", "metrics"),
}
RESULTS: dict[str, dict[str, Any]] = {
    "SampledSequence": {"stop_reason": "stop", "tokens": [1], "logprobs": [-0.5]},
    "SampleResponse": {"sequences": []},
    "ForwardBackwardOutput": {"loss_fn_outputs": [], "loss_fn_output_type": "x", "metrics": {}},
}


def test_each_field_of_a_result_is_strict_or_lenient() -> None:
    for name in RESULTS:
        fields = {field.alias for field in attrs.fields(getattr(types, name))} - {"type"}
        assert fields == {*STRICT[name], *LENIENT[name]}


@pytest.mark.parametrize("name", RESULTS)
def test_mistyped_numbers_of_results_raise(name: str) -> None:
    for field in STRICT[name]:
        with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
            decode_result(name, {field: "other"})
    for field in LENIENT[name]:
        decode_result(name, {field: 7})


def decode_result(name: str, changes: dict[str, Any]) -> Any:
    model = getattr(models, name).from_dict({**RESULTS[name], **changes})
    return getattr(types, name).from_api(model)


def test_warning_is_logged_once_without_the_value(caplog: pytest.LogCaptureFixture) -> None:
    structuring._warn_once.cache_clear()
    body = broken(example(SCHEMAS["Checkpoint"]), "tinker_path", 12345)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            types.Checkpoint.from_api(models.Checkpoint.from_dict(body))
    [record] = caplog.records
    assert record.getMessage() == (
        "Checkpoint.tinker_path: expected a string, got an integer; the value is ignored "
        "(logged once)"
    )
