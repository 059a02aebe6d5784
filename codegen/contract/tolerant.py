"""The tolerant reading of a contract: what bindings accept from any server of this API.

A contract says what the official service and its client agreed on. Servers by others leave tags
out, answer `null` for a list, know more words for a state, and accept with 201 or 202. The rules
here make the answers of a contract as wide as that, and leave the requests as strict as they are.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from codegen.json_schema import REFERENCE, Schema, nullable
from codegen.openapi import operations, reachable, references

if TYPE_CHECKING:
    from codegen.documents import Json

OPEN = "Values not listed may occur."
ANY_STRING: Schema = {"anyOf": [{"type": "string"}, {"type": "null"}]}


def tolerant(contract: Json) -> Json:
    """`contract` with its answers widened.

    1. Success is any 2xx status.
    2. `type` tags of answers may be missing, null or anything.
    3. Enumerations and constants of answers are open: known values by name, others survive. One
       marked `x-open: true` is open in requests too.
    4. Lists and maps of answers may be null.
    5. A field marked `x-may-be-missing` (with who leaves it out) is optional and may be null.
    6. The members of a union that are told apart by a tag keep it, and must have it; objects with
       another tag are read as they are (`OtherObject`).
    """
    document = copy.deepcopy(contract)
    schemas: dict[str, Schema] = document["components"]["schemas"]
    asked = reachable(document, schemas, "requestBody")
    answered = reachable(document, schemas, "responses") - asked
    tags = _open_tagged_unions(schemas, answered)
    for name in sorted(answered):
        _widen(schemas[name], schemas, tags.get(name))
    _open_enumerations(schemas, answered)
    for operation in operations(document):
        answers: Json = operation["responses"]
        operation["responses"] = {
            "2XX" if status == "200" else status: answers[status] for status in answers
        }
    return document


def _open_tagged_unions(schemas: dict[str, Schema], answered: set[str]) -> dict[str, str]:
    """Rule 6, in place; answers with the tag's field by the name of the type that has it."""
    tags: dict[str, str] = {}
    for union in [schemas[name] for name in sorted(answered) if "anyOf" in schemas[name]]:
        members = references(union["anyOf"])
        tag = _tag([schemas[member] for member in members])
        if tag is not None and len(members) == len(union["anyOf"]) > 1:
            tags.update(dict.fromkeys(members, tag))
            union["anyOf"].append({"$ref": f"{REFERENCE}OtherObject"})
            schemas["OtherObject"] = {
                "description": "An object of a kind that is not described here.",
                "type": "object",
                "x-evidence": ["editorial"],
            }
    return tags


def _tag(members: list[Schema]) -> str | None:
    """The field that is a constant in all `members`, each time another one."""
    for field in members[0].get("properties", {}):
        values = [member.get("properties", {}).get(field, {}).get("const") for member in members]
        if None not in values and len(set(values)) == len(values):
            return str(field)
    return None


def _widen(schema: Schema, schemas: dict[str, Schema], tag: str | None) -> None:
    """Rules 2 to 6 on one object schema of an answer, in place."""
    properties: dict[str, Schema] = schema.get("properties", {})
    required = set(schema.get("required", []))
    for name, value in list(properties.items()):
        kept: Schema = {key: value[key] for key in ("description", "x-evidence") if key in value}
        if name == tag:
            properties[name] = {key: item for key, item in value.items() if key != "default"}
            required.add(name)
        elif name == "type":
            properties[name] = {**kept, **copy.deepcopy(ANY_STRING)}
            required.discard(name)
        elif "const" in value:
            properties[name] = {**kept, "type": value["type"], "x-known": [value["const"]]}
        elif "x-may-be-missing" in value:
            properties[name] = _or_null(value)
            required.discard(name)
        elif _is_collection(value, schemas):
            properties[name] = _or_null(value)
    schema.pop("required", None)
    if required:
        schema["required"] = [name for name in properties if name in required]


def _or_null(value: Schema) -> Schema:
    """`value` or null, with its description outside the union."""
    outside = {key: item for key, item in value.items() if key == "description" or key[:2] == "x-"}
    inside = {key: item for key, item in value.items() if key not in outside}
    return {**outside, **nullable(inside)}


def _is_collection(value: Schema, schemas: dict[str, Schema]) -> bool:
    names = references({"$ref": value["$ref"]}) if "$ref" in value else []
    target = schemas[names[0]] if names else value
    is_map = (
        target.get("type") == "object"
        and "additionalProperties" in target
        and "properties" not in target
    )
    return target.get("type") == "array" or is_map


def _open_enumerations(schemas: dict[str, Schema], answered: set[str]) -> None:
    """Rule 3: `X` becomes `anyOf [XKnown, string]`; the values are those of `XKnown`."""
    for name, schema in list(schemas.items()):
        if "enum" in schema and (name in answered or schema.get("x-open")):
            known = {key: value for key, value in schema.items() if key != "x-open"}
            schemas[name] = {
                "description": " ".join([*known.get("description", "").split(), OPEN]),
                "anyOf": [{"$ref": f"{REFERENCE}{name}Known"}, {"type": "string"}],
            }
            schemas[f"{name}Known"] = known
    ordered = {name: schemas[name] for name in sorted(schemas)}
    schemas.clear()
    schemas.update(ordered)
