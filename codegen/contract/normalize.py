"""Names for anonymous schemas of a wheel: inline bodies, and enumerations and maps in fields.

Code generators produce better code from named types, and equal schemas become one type. All
functions modify the schemas in place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codegen.json_schema import REFERENCE

if TYPE_CHECKING:
    from codegen.json_schema import Schema
    from codegen.wheel.operations import WheelOperation

STRINGS: Schema = {"type": "string"}
NUMBERS: Schema = {"type": "number"}
ANYTHING: Schema = {}

# Maps with one meaning everywhere: field, schema of the values (None for any), name of the type.
SHARED_MAPS: list[tuple[str, Schema | None, str]] = [
    ("metrics", NUMBERS, "Metrics"),
    ("loss_fn_config", None, "LossFnConfig"),
    ("user_metadata", ANYTHING, "UserMetadata"),
    ("user_metadata", STRINGS, "TextMetadata"),
    ("event_data", ANYTHING, "EventData"),
]


def name_bodies(operation: WheelOperation, schemas: dict[str, Schema], evidence: str) -> None:
    """Name each inline body and the objects in it.

    The name is derived from the path: `sessions/{id}/finish` -> `SessionFinishRequest`.
    """
    for kind, schema in operation.bodies.items():
        if "properties" in schema:
            segments = [part for part in operation.path.split("/")[3:] if "{" not in part]
            words = [part.removesuffix("s") for part in segments[-2:-1]] + segments[-1:]
            name = "".join(pascal(word) for word in words) + "Request"
            operation.bodies[kind] = _named(name, schema, schemas, evidence)


def _named(name: str, schema: Schema, schemas: dict[str, Schema], evidence: str) -> Schema:
    for field, value in schema["properties"].items():
        if "properties" in value:
            schema["properties"][field] = _named(name + pascal(field), value, schemas, evidence)
    schemas[name] = {**schema, "x-evidence": [evidence]}
    return {"$ref": REFERENCE + name}


def share_maps(schemas: dict[str, Schema]) -> None:
    """Replace the maps of SHARED_MAPS by references to one type each."""
    for owner in list(schemas.values()):
        for field, value in owner.get("properties", {}).items():
            for part in [value, *value.get("anyOf", [])]:
                name = _shared_name(field, part)
                if name is not None:
                    values = part.pop("additionalProperties")
                    shared = {"type": part.pop("type"), "additionalProperties": values}
                    schemas.setdefault(name, {**shared, "x-evidence": owner["x-evidence"]})
                    part["$ref"] = REFERENCE + name


def _shared_name(field: str, part: Schema) -> str | None:
    if part.get("type") != "object" or "additionalProperties" not in part:
        return None
    for known, values, name in SHARED_MAPS:
        if known == field and values in (None, part["additionalProperties"]):
            return name
    return None


def name_enumerations(schemas: dict[str, Schema]) -> None:
    """Name each inline enumeration of a class.

    The name is that of the field if the field has two words and the same values everywhere
    (`queue_state` -> `QueueState`), else class and field (`ImageChunkFormat`).
    """
    meanings: dict[str, list[Any]] = {}
    for schema in list(schemas.values()):
        for field, value in schema.get("properties", {}).items():
            for part in _enumerations(value):
                known = meanings.setdefault(field, part["enum"])
                if known != part["enum"]:
                    meanings[field] = []
    for owner, schema in list(schemas.items()):
        for field, value in schema.get("properties", {}).items():
            for part in _enumerations(value):
                short = "_" in field and meanings[field] and pascal(field) not in schemas
                named = schemas.get(pascal(field), {}).get("enum") == part["enum"]
                name = pascal(field) if short or named else owner + pascal(field)
                _replace(part, name, schemas, schema["x-evidence"])


def name_parameter_enumeration(
    field: str, label: str, schema: Schema, schemas: dict[str, Schema], evidence: str
) -> None:
    """Name the enumeration of a query parameter; `label` is the component of the parameter."""
    for part in _enumerations(schema):
        known = schemas.get(pascal(field), {"enum": part["enum"]})
        free = "_" in field and known.get("enum") == part["enum"]
        _replace(part, pascal(field) if free else label, schemas, [evidence])


def _replace(part: Schema, name: str, schemas: dict[str, Schema], evidence: list[str]) -> None:
    schemas.setdefault(
        name, {"type": part["type"], "enum": part["enum"], "x-evidence": list(evidence)}
    )
    del part["type"], part["enum"]
    part["$ref"] = REFERENCE + name


def _enumerations(value: Schema) -> list[Schema]:
    """The enumerations in a field's schema, including those in unions and lists."""
    enumerations = [value] if "enum" in value else []
    for part in value.get("anyOf", []):
        enumerations += _enumerations(part)
    if isinstance(value.get("items"), dict):
        enumerations += _enumerations(value["items"])
    return enumerations


def pascal(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def order_unions(schemas: dict[str, Schema]) -> None:
    """Sort the members of each union by the number of required fields, largest first.

    Servers may omit tags. A decoder that tries the members in order must try the strictest first.
    """
    for schema in schemas.values():
        members = schema.get("anyOf", [])
        if members and all("$ref" in member for member in members):
            schema["anyOf"] = sorted(members, key=lambda member: -_required_count(member, schemas))


def _required_count(member: Schema, schemas: dict[str, Schema]) -> int:
    return len(schemas[member["$ref"].removeprefix(REFERENCE)].get("required", []))
