"""The specification in OpenAPI 3.0, for generators that read nothing newer.

The constructions of this specification that 3.0 lacks are few, and each has a form there. (The npm
package openapi-down-convert 0.14 leaves unions with `null` as they are, which 3.0 refuses.)

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
    """`document`, which is not changed, as an OpenAPI 3.0 document of the same meaning."""
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
    made = {key: _converted(item) for key, item in value.items()}
    return _schema(made) if _is_schema(made) else made


def _is_schema(value: Json) -> bool:
    """Whether keywords that only schemas have occur; a map of names to schemas has none of them."""
    kind = value.get("type")
    return isinstance(kind, str) or isinstance(value.get("anyOf"), list) or _is_reference(value)


def _is_reference(value: Json) -> bool:
    return isinstance(value.get("$ref"), str) and "/schemas/" in value["$ref"]


def _schema(schema: Schema) -> Schema:
    made = dict(schema)
    if "const" in made:
        made["enum"] = [made.pop("const")]
    if made.pop("contentEncoding", None) == "base64":
        made["format"] = "byte"
    for new, old in BOUNDS.items():
        if new in made:
            made[old], made[new] = made[new], True
    if NULL in made.get("anyOf", []):
        made = _nullable(made)
    if _is_reference(made) and len(made) > 1:
        made = {"allOf": [{"$ref": made.pop("$ref")}], **made}
    return made


def _nullable(schema: Schema) -> Schema:
    rest = [part for part in schema.pop("anyOf") if part != NULL]
    if len(rest) > 1:
        return {**schema, "anyOf": rest, "nullable": True}
    return {**rest[0], **schema, "nullable": True}
