"""The tolerant form of a contract, with which bindings accept the responses of any server.

A contract describes the official service. Other servers omit tags, send `null` instead of a list,
use additional enumeration values, and respond with status 201 or 202. The rules here widen the
responses of a contract accordingly; requests remain strict.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from codegen.json_schema import REFERENCE, Schema, nullable
from codegen.openapi import iter_operations, reachable, references

if TYPE_CHECKING:
    from codegen.documents import Json

OPEN = "Values not listed may occur."
ANY_STRING: Schema = {"anyOf": [{"type": "string"}, {"type": "null"}]}


def tolerant(contract: Json) -> Json:
    """Widen the responses of `contract`.

    1. Any 2xx status is a success.
    2. The `type` tag of a response may be missing, null or any string.
    3. Enumerations and constants in responses are open: known values have names, and other values
       are kept. An enumeration with `x-open: true` is open in requests too.
    4. Lists and maps in responses may be null.
    5. A field with `x-may-be-missing` (the servers that omit it) is optional and nullable.
    6. A time with `x-may-lack-offset` (the servers that send no offset from UTC) may be any string:
       RFC 3339, which `date-time` stands for, requires the offset.
    7. The members of a tagged union require their tag; an object with an unknown tag is kept as it
       is (`OtherObject`).
    """
    document = copy.deepcopy(contract)
    schemas: dict[str, Schema] = document["components"]["schemas"]
    in_requests = reachable(document, schemas, "requestBody")
    in_responses = reachable(document, schemas, "responses") - in_requests
    tags = _open_tagged_unions(schemas, in_responses)
    for name in sorted(in_responses):
        _widen(schemas[name], schemas, tags.get(name))
    _open_enumerations(schemas, in_responses)
    for operation in iter_operations(document):
        responses: Json = operation["responses"]
        operation["responses"] = {
            "2XX" if status == "200" else status: responses[status] for status in responses
        }
    return document


def _open_tagged_unions(schemas: dict[str, Schema], in_responses: set[str]) -> dict[str, str]:
    """Apply rule 7 in place; return the tag of each member by the name of its type."""
    tags: dict[str, str] = {}
    for union in [schemas[name] for name in sorted(in_responses) if "anyOf" in schemas[name]]:
        members = references(union["anyOf"])
        tag = _tag([schemas[member] for member in members])
        if tag is not None and len(members) == len(union["anyOf"]) > 1:
            tags.update(dict.fromkeys(members, tag))
            union["anyOf"].append({"$ref": f"{REFERENCE}OtherObject"})
            schemas["OtherObject"] = {
                "description": "An object of a type that this specification does not describe.",
                "type": "object",
                "x-evidence": ["editorial"],
            }
    return tags


def _tag(members: list[Schema]) -> str | None:
    """The field that is a different constant in each of `members`."""
    for field in members[0].get("properties", {}):
        values = [member.get("properties", {}).get(field, {}).get("const") for member in members]
        if None not in values and len(set(values)) == len(values):
            return str(field)
    return None


def _widen(schema: Schema, schemas: dict[str, Schema], tag: str | None) -> None:
    """Apply rules 2 to 7 to one object schema of a response, in place."""
    properties: dict[str, Schema] = schema.get("properties", {})
    required = set(schema.get("required", []))
    for name, value in list(properties.items()):
        texts: Schema = {key: value[key] for key in ("description", "x-evidence") if key in value}
        if "x-may-lack-offset" in value:
            value = properties[name] = _or_string(value)
        if name == tag:
            properties[name] = {key: item for key, item in value.items() if key != "default"}
            required.add(name)
        elif name == "type":
            properties[name] = {**texts, **copy.deepcopy(ANY_STRING)}
            required.discard(name)
        elif "const" in value:
            properties[name] = {**texts, "type": value["type"], "x-known": [value["const"]]}
        elif "x-may-be-missing" in value:
            properties[name] = _or_null(value)
            required.discard(name)
        elif _is_collection(value, schemas):
            properties[name] = _or_null(value)
    schema.pop("required", None)
    if required:
        schema["required"] = [name for name in properties if name in required]


def _or_null(value: Schema) -> Schema:
    """Make `value` nullable; its description stays outside the union."""
    outside = {key: item for key, item in value.items() if key == "description" or key[:2] == "x-"}
    inside = {key: item for key, item in value.items() if key not in outside}
    return {**outside, **nullable(inside)}


def _or_string(value: Schema) -> Schema:
    """The time `value`, or any string."""
    keywords = ("type", "format")
    outside = {key: item for key, item in value.items() if key not in keywords}
    return {**outside, "anyOf": [{key: value[key] for key in keywords}, {"type": "string"}]}


def _is_collection(value: Schema, schemas: dict[str, Schema]) -> bool:
    names = references({"$ref": value["$ref"]}) if "$ref" in value else []
    target = schemas[names[0]] if names else value
    is_map = (
        target.get("type") == "object"
        and "additionalProperties" in target
        and "properties" not in target
    )
    return target.get("type") == "array" or is_map


def _open_enumerations(schemas: dict[str, Schema], in_responses: set[str]) -> None:
    """Apply rule 3: `X` becomes `anyOf [XKnown, string]`, with the values in `XKnown`."""
    for name, schema in list(schemas.items()):
        if "enum" in schema and (name in in_responses or schema.get("x-open")):
            known = {key: value for key, value in schema.items() if key != "x-open"}
            schemas[name] = {
                "description": " ".join([*known.get("description", "").split(), OPEN]),
                "anyOf": [{"$ref": f"{REFERENCE}{name}Known"}, {"type": "string"}],
            }
            schemas[f"{name}Known"] = known
    ordered = {name: schemas[name] for name in sorted(schemas)}
    schemas.clear()
    schemas.update(ordered)
