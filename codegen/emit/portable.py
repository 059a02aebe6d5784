"""Converts the specification to a form that code generators of many languages read correctly.

`openapi/tinker.yaml` describes what servers accept and send. Generators misread parts of it, each
in its own way; docs/portable.md has the results per generator. The portable form is less precise
and is read correctly:

    status 2XX, 5XX                     200, 500
    result of retrieve_future           any value, with a description of how to decode it
    protobuf bodies and responses       removed, see tinker_public.proto
    errors as text                      removed: an error has one media type
    anyOf [known values, string]        a string, with the known values in `x-known-values`
    anyOf of tagged types in requests   oneOf with a discriminator; the tag is required
    anyOf of types in responses         an object, with the types in `x-types`
    anyOf [integers, numbers]           numbers
    anyOf [time, string]                a string
    enumerations with the same values   one enumeration
    default beside $ref                 removed
    security of the whole document      security of each operation
    integer, number                     int64, double
    additionalProperties: false         removed: a response may have unknown fields

Types that no operation uses are removed. Examples are recorded requests and responses
(`openapi/examples/`).
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from codegen.emit.downgrade import downgraded
from codegen.json_schema import NULL, REFERENCE
from codegen.openapi import iter_operations, references, resolved

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codegen.documents import Json
    from codegen.json_schema import Schema

STATUSES = {"2XX": "200", "5XX": "500"}
#: Extensions about the origin of a fact.
REMOVED = frozenset(
    {
        *("x-conflict", "x-contradiction", "x-content-encoding", "x-default", "x-evidence"),
        *("x-heuristics", "x-json-form", "x-known", "x-may-be-missing", "x-may-lack-offset"),
        *("x-protobuf", "x-retry-why", "x-values-since"),
    }
)
FORMATS = {"integer": "int64", "number": "double"}
PROTOBUF = "application/x-protobuf"
JSON_TYPE = "application/json"
TEXT = "text/plain"
OTHER_OBJECT = REFERENCE + "OtherObject"
#: Names, in lower case, that a function, a type or a module can't have in Python, TypeScript, Go,
#: Elixir, Rust, Java, C#, Kotlin, Swift or Ruby.
RESERVED_WORDS = """
abstract alias and any as assert async await boolean break byte case catch char class const
continue crate debugger def default defer del delete do double elif else end enum error except
exception export extends extern false final finally float fn for from func function global go goto
if impl implements import in instanceof int interface is lambda let long loop match mod module
move mut native new nil none nonlocal not null object option or package pass private protected
public raise range ref require rescue result return select self short static string struct super
switch synchronized template this throw trait transient true try type typeof undef union unless
unsafe use var void volatile when where while with yield
"""
RESERVED = frozenset(RESERVED_WORDS.split())

#: The type of the result of each operation that is fetched with retrieve_future.
RESULTS: Mapping[str, str] = {
    "asample": "SampleResponse",
    "create_custom_loss": "CreateCustomLossResponse",
    "create_model": "CreateModelResponse",
    "forward": "ForwardBackwardOutput",
    "forward_backward": "ForwardBackwardOutput",
    "load_weights": "LoadWeightsResponse",
    "optim_step": "OptimStepResponse",
    "save_weights": "SaveWeightsResponse",
    "save_weights_external": "SaveWeightsExternalResponse",
    "save_weights_for_sampler": "SaveWeightsForSamplerResponse",
    "unload_model": "UnloadModelResponse",
}
#: What retrieve_future may return instead of a result.
NO_RESULTS = ("TryAgainResponse", "RequestFailedResponse", "MetadataOnlyResponse")

DECODING = """\
Waits up to about 45 seconds for the request to complete. The response is any JSON value, because no
field of it identifies its type. Decode it in this order: if `type` is `try_again`, or there is a
`queue_state` and no `type`, it is a TryAgainResponse: call again. If `type` is `request_failed`, or
`error` is present and not null, it is a RequestFailedResponse. If `status` is `complete_metadata`,
it is a MetadataOnlyResponse: call again without `allow_metadata_only`. Anything else is the result
of the submitted operation: {results}. Saving for a sampling session instead of a path returns a
SaveWeightsForSamplerResponseInternal."""


#: The sentence about sources in the description of the document, and that of the portable form.
SOURCES = "`x-evidence` names the source of each part."
PORTABLE_SOURCES = "It is generated from openapi/tinker.yaml, which names the source of each part."


class PortableError(Exception):
    """A name in the specification clashes with another or with a keyword of a language."""


def portable(document: Json, examples: Json | None = None) -> Json:
    """The portable form of `document` in OpenAPI 3.1, with `examples` by operation.

    Raises:
        PortableError: a name is reserved in some language, or enumerations share a value.
    """
    result = copy.deepcopy(document)
    result.pop("x-client-headers", None)
    result.pop("x-releases", None)
    security = result.pop("security", [])
    schemas: dict[str, Schema] = result["components"]["schemas"]
    request_types = _request_types(document)
    for name, schema in list(schemas.items()):
        schemas[name] = _converted(schema, document, is_sent=name in request_types)
    for name in request_types:
        _require_tags(schemas, schemas[name])
    for part in ("parameters", "headers", "responses"):
        for name, item in result["components"].get(part, {}).items():
            converted = _converted(item, document, is_sent=False)
            converted.get("content", {}).pop(TEXT, None)
            result["components"][part][name] = converted
    for item in result["paths"].values():
        for method, operation in item.items():
            item[method] = _operation(operation, security, document)
    result["info"]["description"] = result["info"]["description"].replace(SOURCES, PORTABLE_SOURCES)
    _remove_unused(result)
    result = _with_merged_enumerations(result)
    _check_names(result)
    return with_examples(result, examples or {})


def portable30(document: Json) -> Json:
    """A portable document in OpenAPI 3.0. Texts beside references are removed as well."""
    result: Json = _with_types(downgraded(_plain_references(document)), document)
    return result


def _with_types(value: Any, document: Json) -> Any:
    """Add the type of the reference to a nullable reference: `nullable` needs a type beside it."""
    if isinstance(value, list):
        return [_with_types(part, document) for part in value]
    if not isinstance(value, dict):
        return value
    result = {key: _with_types(item, document) for key, item in value.items()}
    if result.get("nullable") is True and "type" not in result and "allOf" in result:
        kind = resolved(document, result["allOf"][0]).get("type")
        return {"type": kind, **result} if isinstance(kind, str) else result
    return result


def _operation(operation: Json, security: list[Json], document: Json) -> Json:
    result: Json = _converted(operation, document, is_sent=False)
    result.setdefault("security", security)
    result["responses"] = {
        STATUSES.get(status, status): response for status, response in result["responses"].items()
    }
    holders = [result.get("requestBody", {}), *result["responses"].values()]
    for holder in holders:
        holder.get("content", {}).pop(PROTOBUF, None)
    if result["operationId"] == "retrieve_future":
        texts = [f"{schema} for {name}" for name, schema in sorted(RESULTS.items())]
        result["description"] = " ".join(DECODING.format(results=", ".join(texts)).split())
        result["responses"]["200"]["content"][JSON_TYPE]["schema"] = {
            "description": "A result, or why there is none; see the description of the operation."
        }
    return result


def _request_types(document: Json) -> set[str]:
    """The types that requests contain."""
    schemas = document["components"]["schemas"]
    pending = [
        name for item in iter_operations(document) for name in references(item.get("requestBody"))
    ]
    names: set[str] = set()
    while pending:
        name = pending.pop()
        if name not in names:
            names.add(name)
            pending += references(schemas[name])
    return names


def _converted(value: Any, document: Json, *, is_sent: bool) -> Any:
    if isinstance(value, list):
        return [_converted(part, document, is_sent=is_sent) for part in value]
    if not isinstance(value, dict):
        return value
    result = {
        key: _converted(item, document, is_sent=is_sent)
        for key, item in value.items()
        if key not in REMOVED
    }
    if isinstance(result.get("$ref"), str):
        result.pop("default", None)
    if isinstance(result.get("anyOf"), list):
        result = _union(result, document, is_sent=is_sent)
    kind = result.get("type")
    if isinstance(kind, str) and kind in FORMATS and "enum" not in result:
        result.setdefault("format", FORMATS[kind])
    if result.get("additionalProperties") is False:
        del result["additionalProperties"]
    return result


def _union(schema: Schema, document: Json, *, is_sent: bool) -> Schema:
    """The portable form of an `anyOf`, whose members are converted already."""
    members = [member for member in schema["anyOf"] if member != NULL]
    nullable = len(members) < len(schema["anyOf"])
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    if len(members) == 1:
        return schema
    types = {str(member.get("type")) for member in members}
    if members[-1] == {"type": "string"} and all("$ref" in part for part in members[:-1]):
        known = [value for part in members[:-1] for value in _enumeration(part, document)]
        return _or_null({"type": "string", "x-known-values": known}, rest, nullable)
    if types == {"string"}:  # A time, with or without its offset from UTC.
        return _or_null({"type": "string"}, rest, nullable)
    if types == {"array"}:  # Integers or numbers.
        return _or_null(
            {"type": "array", "items": {"type": "number", "format": "double"}}, rest, nullable
        )
    if types <= {"integer", "number"}:
        return _or_null({"type": "number", "format": "double"}, rest, nullable)
    if not all("$ref" in member for member in members):
        return _or_null({}, rest, nullable=False)  # Such as a text or a list of tokens: any value.
    names = [member["$ref"].removeprefix(REFERENCE) for member in members]
    schemas = document["components"]["schemas"]
    if is_sent and (tags := _tags(names, schemas)):
        mapping = {tag: REFERENCE + name for tag, name in tags.items()}
        united = {
            "oneOf": members,
            "discriminator": {"propertyName": "type", "mapping": mapping},
        }
        return _or_null(united, rest, nullable)
    types_by_tag = _tags([name for name in names if name != "OtherObject"], schemas)
    described: Any = types_by_tag or names
    return _or_null(
        {"type": "object", "additionalProperties": True, "x-types": described}, rest, nullable
    )


def _or_null(schema: Schema, rest: Schema, nullable: bool) -> Schema:
    if nullable:
        return {**rest, "anyOf": [schema, dict(NULL)]}
    return {**rest, **schema}


def _enumeration(part: Schema, document: Json) -> list[str]:
    values: list[str] = document["components"]["schemas"][part["$ref"].removeprefix(REFERENCE)][
        "enum"
    ]
    return values


def _tags(names: list[str], schemas: Mapping[str, Schema]) -> dict[str, str]:
    """The types by the constant of their field `type`; empty unless each has another one."""
    tags = {}
    for name in names:
        tag = schemas[name].get("properties", {}).get("type", {}).get("const")
        if tag is None:
            return {}
        tags[tag] = name
    return tags if len(tags) == len(names) else {}


def _require_tags(schemas: Mapping[str, Schema], schema: Schema) -> None:
    """Make the tag of each member of a union with a discriminator required."""
    for part in _discriminated(schema):
        for reference in part["discriminator"]["mapping"].values():
            member = schemas[reference.removeprefix(REFERENCE)]
            member["required"] = sorted({*member.get("required", []), "type"})


def _discriminated(value: Any) -> list[Schema]:
    if isinstance(value, list):
        return [part for item in value for part in _discriminated(item)]
    if not isinstance(value, dict):
        return []
    own = [value] if "mapping" in value.get("discriminator", {}) else []
    return own + [part for item in value.values() for part in _discriminated(item)]


def with_examples(document: Json, examples: Json) -> Json:
    """`document`, in any form, with the recorded requests and responses of each operation.

    A protobuf message is shown in its JSON form (ProtoJSON).
    """
    result = copy.deepcopy(document)
    for operation in iter_operations(result):
        for name, example in examples.get(operation["operationId"], {}).items():
            _add_example(operation, name, example)
    return result


def _add_example(operation: Json, name: str, example: Json) -> None:
    responses = operation["responses"]
    holders = {
        "request": operation.get("requestBody", {}),
        "response": responses.get("200", responses.get("2XX", {})),
    }
    for part, holder in holders.items():
        for media_type, prefix in ((JSON_TYPE, ""), (PROTOBUF, "protobuf_")):
            described = holder.get("content", {}).get(media_type)
            if described is not None and prefix + part in example:
                releases = ", ".join(example["releases"])
                summary = f"{releases} ({example['source']})"
                entry = {"summary": summary, "value": example[prefix + part]}
                described.setdefault("examples", {})[name] = entry
    for parameter in operation.get("parameters", []):
        if (value := example.get("parameters", {}).get(parameter.get("name"))) is not None:
            parameter.setdefault("example", value)


def _remove_unused(document: Json) -> None:
    """Remove types that neither an operation nor a result of retrieve_future contains."""
    schemas: dict[str, Schema] = document["components"]["schemas"]
    pending = [*RESULTS.values(), *NO_RESULTS, "SaveWeightsForSamplerResponseInternal"]
    pending += references(document["paths"]) + references(document["components"]["responses"])
    pending += references(document["components"]["parameters"])
    used: set[str] = set()
    while pending:
        name = pending.pop()
        if name not in used:
            used.add(name)
            described = schemas[name].get("x-types", [])
            pending += references(schemas[name])
            pending += described.values() if isinstance(described, dict) else described
    document["components"]["schemas"] = {name: schemas[name] for name in schemas if name in used}


def _with_merged_enumerations(document: Json) -> Json:
    """`document` with one type for enumerations that have the same values."""
    schemas: dict[str, Schema] = document["components"]["schemas"]
    names: dict[tuple[str, ...], str] = {}
    renamed: dict[str, str] = {}
    for name in sorted(schemas, key=lambda name: (len(name), name)):
        if "enum" in schemas[name]:
            values = tuple(sorted(map(str, schemas[name]["enum"])))
            renamed[name] = names.setdefault(values, name)
    result: Json = _renamed(document, renamed)
    for name, other in renamed.items():
        if name != other:
            del result["components"]["schemas"][name]
    return result


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_renamed(part, names) for part in value]
    if not isinstance(value, dict):
        return value
    result = {key: _renamed(item, names) for key, item in value.items()}
    if isinstance(result.get("$ref"), str):
        name = result["$ref"].removeprefix(REFERENCE)
        result["$ref"] = REFERENCE + names[name] if name in names else result["$ref"]
    return result


def _check_names(document: Json) -> None:
    """Reject reserved names, and enumerations that share values, which some languages declare."""
    schemas: dict[str, Schema] = document["components"]["schemas"]
    operations = [operation["operationId"] for operation in iter_operations(document)]
    clashes = sorted(name for name in (*schemas, *operations) if name.lower() in RESERVED)
    if clashes:
        raise PortableError(f"reserved names: {', '.join(clashes)}")
    owners: dict[str, str] = {}
    for name, schema in schemas.items():
        for value in map(str, schema.get("enum", [])):
            if owners.setdefault(value, name) != name:
                raise PortableError(f"{owners[value]} and {name} both have the value {value}")


def _plain_references(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain_references(part) for part in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("$ref"), str):
        return {"$ref": value["$ref"]}
    return {key: _plain_references(item) for key, item in value.items()}
