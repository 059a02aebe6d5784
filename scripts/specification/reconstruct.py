"""The document of one release as its wheel tells it, before anything is added by hand."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

from .operations import Operation, find_operations
from .schemas import REFERENCE, Components
from .source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .annotations import Schema
    from .documents import Json
    from .wheels import Wheel

OPENAPI_VERSION = "3.1.0"
PARAMETER = re.compile(r"\{(\w+)\}")


def reconstruct(wheel: Wheel) -> Json:
    """An OpenAPI document of `wheel`; what could not be read is listed under `x-problems`."""
    components = Components(Source(wheel))
    components.collect()
    operations = find_operations(components)
    schemas = {name: components.schemas[name] for name in sorted(components.schemas)}
    for name in schemas:
        found = components.origins[name]
        schemas[name]["x-evidence"] = [f"tinker {wheel.release}, {found.module.name}"]
    hoist_enumerations(schemas)
    parameters: dict[str, Json] = {}
    paths: Json = {}
    for operation in operations:
        item = _operation(operation, wheel.release)
        item["parameters"] = _parameters(operation, schemas, parameters)
        paths.setdefault(operation.path, {})[operation.method] = item
    document: Json = {
        "openapi": OPENAPI_VERSION,
        "info": {"title": "Tinker API", "version": wheel.release},
        "paths": paths,
        "components": {
            "parameters": dict(sorted(parameters.items())),
            "schemas": {name: schemas[name] for name in sorted(schemas)},
        },
    }
    if components.problems:
        document["x-problems"] = components.problems
    return document


def _operation(operation: Operation, release: str) -> Json:
    answer: Json = {"description": "Success"}
    if operation.answer is not None:
        answer["content"] = {"application/json": {"schema": operation.answer}}
    result: Json = {
        "operationId": _operation_id(operation),
        "tags": [operation.tag],
        "parameters": [],
    }
    if operation.body is not None:
        content = {operation.content_type: {"schema": operation.body}}
        result["requestBody"] = {"required": True, "content": content}
    result["responses"] = {"200": answer}
    result["x-evidence"] = [f"tinker {release}, {call}" for call in sorted(set(operation.calls))]
    if operation.guesses:
        result["x-heuristics"] = operation.guesses
    return result


def _parameters(
    operation: Operation, schemas: dict[str, Schema], known: dict[str, Json]
) -> list[Json]:
    """References to the operation's parameters, which become components in `known`.

    They are components because an overlay can name those, and cannot name an entry of a list. Path
    parameters are called by their own name, query parameters by the collection and theirs.
    """
    collection = [part for part in operation.path.split("/") if not part.startswith("{")][-1]
    references: list[Json] = []
    for name in PARAMETER.findall(operation.path):
        item = {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        references.append(_component(known, [pascal(name)], item))
    for name, schema, required in _query(operation, schemas):
        item = {"name": name, "in": "query", "required": required, "schema": schema}
        labels = [
            pascal(collection) + pascal(name),
            pascal(_operation_id(operation)) + pascal(name),
        ]
        references.append(_component(known, labels, item))
    return references


def _component(known: dict[str, Json], labels: list[str], item: Json) -> Json:
    """A reference to `item`, under the first of `labels` that is free or means the same."""
    for label in labels:
        if known.setdefault(label, item) == item:
            return {"$ref": f"#/components/parameters/{label}"}
    raise ValueError(f"two different parameters are called {labels[-1]}")


def _query(operation: Operation, schemas: dict[str, Schema]) -> Iterator[tuple[str, Schema, bool]]:
    """Name, schema and need of query parameters; a whole model is taken apart into its fields."""
    for name, (schema, required) in operation.query.items():
        if not name.startswith("*"):
            yield name, schema, required
            continue
        model = schemas[schema["$ref"].removeprefix(REFERENCE)]
        for part, value in model.get("properties", {}).items():
            yield part, copy.deepcopy(value), part in model.get("required", [])


def _operation_id(operation: Operation) -> str:
    """A name made of method and path: `create_model`, `get_sessions_by_id`."""
    segments = operation.path.removeprefix("/api/v1/").split("/")
    words = ["by_id" if segment.startswith("{") else segment for segment in segments]
    alone = operation.method == "post" and len(segments) == 1
    return "_".join(words if alone else [operation.method, *words])


def hoist_enumerations(schemas: dict[str, Schema]) -> None:
    """Give each enumeration written inside a class a name of its own, in place.

    The name is the field's where that has two words and one set of values (`queue_state` ->
    `QueueState`), else class and field (`ImageChunkFormat`).
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
                schemas[name] = {
                    "type": part.pop("type"),
                    "enum": part.pop("enum"),
                    "x-evidence": list(schema["x-evidence"]),
                }
                part["$ref"] = REFERENCE + name


def _enumerations(value: Schema) -> list[Schema]:
    """The enumerations inside a field's schema, through unions and lists."""
    found = [value] if "enum" in value else []
    for part in value.get("anyOf", []):
        found += _enumerations(part)
    if isinstance(value.get("items"), dict):
        found += _enumerations(value["items"])
    return found


def pascal(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))
