"""Converts the specification to OpenAPI 3.0, for generators that do not support 3.1.

The specification uses a few constructions that 3.0 lacks, and each has an equivalent. (The npm
package openapi-down-convert 0.14 does not convert unions with `null`, which are invalid in 3.0.)

    anyOf [X, null]        X with `nullable`
    const                  an enumeration of one value
    contentEncoding        format `byte`
    $ref beside keywords   allOf [$ref] beside them
    exclusiveMinimum: 1    minimum: 1, exclusiveMinimum: true
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codegen.json_schema import NULL

if TYPE_CHECKING:
    from codegen.documents import Json
    from codegen.json_schema import Schema

VERSION = "3.0.3"
BOUNDS = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}


def downgraded(document: Json) -> Json:
    """An OpenAPI 3.0 document with the meaning of `document`, which is not modified."""
    result: Json = _converted(document)
    result["openapi"] = VERSION
    result["info"] = {key: value for key, value in result["info"].items() if key != "summary"}
    result["info"]["license"] = {"name": result["info"]["license"]["name"]}
    return result


def _converted(value: Any) -> Any:
    if isinstance(value, list):
        return [_converted(part) for part in value]
    if not isinstance(value, dict):
        return value
    converted = {key: _converted(item) for key, item in value.items()}
    return _schema(converted) if _is_schema(converted) else converted


def _is_schema(value: Json) -> bool:
    """Returns True if `value` has a keyword that only schemas have; a map of schemas has none."""
    kind = value.get("type")
    return isinstance(kind, str) or isinstance(value.get("anyOf"), list) or _is_reference(value)


def _is_reference(value: Json) -> bool:
    return isinstance(value.get("$ref"), str) and "/schemas/" in value["$ref"]


def _schema(schema: Schema) -> Schema:
    result = dict(schema)
    if "const" in result:
        result["enum"] = [result.pop("const")]
    if result.pop("contentEncoding", None) == "base64":
        result["format"] = "byte"
    for new, old in BOUNDS.items():
        if new in result:
            result[old], result[new] = result[new], True
    if NULL in result.get("anyOf", []):
        result = _nullable(result)
    if _is_reference(result) and len(result) > 1:
        result = {"allOf": [{"$ref": result.pop("$ref")}], **result}
    return result


def _nullable(schema: Schema) -> Schema:
    rest = [part for part in schema.pop("anyOf") if part != NULL]
    if len(rest) > 1:
        return {**schema, "anyOf": rest, "nullable": True}
    return {**rest[0], **schema, "nullable": True}
