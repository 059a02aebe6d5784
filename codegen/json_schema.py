"""JSON Schema values and the operations on them that every step shares."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

NULL: Schema = {"type": "null"}
REFERENCE = "#/components/schemas/"


def any_of(members: list[Schema]) -> Schema:
    """The union of `members`: nested unions flattened, duplicates removed, `null` last."""
    flat: list[Schema] = []
    for member in members:
        for part in member["anyOf"] if set(member) == {"anyOf"} else [member]:
            if part not in flat:
                flat.append(part)
    ordered = [part for part in flat if part != NULL] + [part for part in flat if part == NULL]
    return ordered[0] if len(ordered) == 1 else {"anyOf": ordered}


def nullable(schema: Schema) -> Schema:
    return any_of([schema, dict(NULL)])


def not_null(schema: Schema) -> Schema:
    """`schema` without null if one member remains: a query cannot contain null."""
    parts = [part for part in schema.get("anyOf", []) if part != NULL]
    return parts[0] if len(parts) == 1 else schema


def literal(values: list[Any]) -> Schema:
    """A constant for one value, an enumeration for several; nullable if `None` is among them."""
    real = [value for value in values if value is not None]
    kinds = {str: "string", bool: "boolean", int: "integer"}
    kind = {"type": kinds[type(real[0])]}
    schema: Schema = {**kind, "const": real[0]} if len(real) == 1 else {**kind, "enum": real}
    return nullable(schema) if len(real) < len(values) else schema
