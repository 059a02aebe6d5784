"""The OpenAPI document of one release as reconstructed from its wheel, without the overlay."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

from codegen.contract.normalize import (
    name_bodies,
    name_enumerations,
    name_parameter_enumeration,
    order_unions,
    pascal,
    share_maps,
)
from codegen.json_schema import REFERENCE, not_null
from codegen.openapi import references
from codegen.wheel.headers import AUTHORIZATION, all_headers
from codegen.wheel.operations import WheelOperation, find_operations
from codegen.wheel.schemas import Components
from codegen.wheel.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codegen.documents import Json
    from codegen.json_schema import Schema
    from codegen.wheel.wheels import Wheel

OPENAPI_VERSION = "3.1.0"
PATH_GUESS = "named after the collection it follows in the path"
PARAMETER = re.compile(r"\{(\w+)\}")
BEARER = {"type": "http", "scheme": "bearer"}
IDEMPOTENCY_KEY: Json = {
    "name": "X-Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
}
"""The SDK client sends it with each request except GET (`_base_client.py`, in every release)."""


def reconstruct(wheel: Wheel) -> Json:
    """Reconstruct the document of `wheel`; the parts that could not be read are in `x-problems`."""
    components = Components(Source(wheel))
    components.collect()
    operations = find_operations(components)
    _apply_directions(components, operations)
    schemas = {name: components.schemas[name] for name in sorted(components.schemas)}
    for name in schemas:
        origin = components.origins[name]
        schemas[name]["x-evidence"] = [f"tinker {wheel.release}, {origin.module.name}"]
    for operation in operations:
        name_bodies(operation, schemas, _evidence(operation, wheel.release)[0])
    name_enumerations(schemas)
    share_maps(schemas)
    order_unions(schemas)
    parameters: dict[str, Json] = {"IdempotencyKey": copy.deepcopy(IDEMPOTENCY_KEY)}
    paths: Json = {}
    for operation in operations:
        item = _operation(operation, wheel.release)
        item["parameters"] = _parameters(operation, schemas, parameters, item["x-evidence"][0])
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
    if any(AUTHORIZATION in operation.headers for operation in operations):
        document["components"]["securitySchemes"] = {"BearerToken": copy.deepcopy(BEARER)}
    headers, client_headers = all_headers(components.source)
    if headers:
        document["x-headers-in-wheel"] = sorted(headers)
    if client_headers:
        document["x-client-headers"] = sorted({name.lower() for name in client_headers})
    if components.problems:
        document["x-problems"] = components.problems
    return document


def _apply_directions(components: Components, operations: list[WheelOperation]) -> None:
    """Give the fields of types that are only sent the names that they have when sent.

    A field whose names differ by direction in a type that is both sent and received is a gap.
    """
    schemas = components.schemas
    in_bodies = _closure(schemas, [list(operation.bodies.values()) for operation in operations])
    in_responses = _closure(schemas, [operation.response for operation in operations])
    for name in sorted(in_bodies):
        renamed = components.sent_names.get(name, {})
        if renamed and name in in_responses:
            where = components.origins[name].where
            components.gap(where, f"{name} is sent and received under different names: {renamed}")
        elif renamed:
            _rename(schemas[name], renamed)


def _closure(schemas: dict[str, Schema], roots: Any) -> set[str]:
    """The types that `roots` refers to, directly or through other types."""
    names: set[str] = set()
    pending = references(roots)
    while pending:
        name = pending.pop()
        if name not in names:
            names.add(name)
            pending += references(schemas[name])
    return names


def _rename(schema: Schema, renamed: dict[str, str]) -> None:
    schema["properties"] = {
        renamed.get(name, name): value for name, value in schema["properties"].items()
    }
    if "required" in schema:
        schema["required"] = [renamed.get(name, name) for name in schema["required"]]


def _operation(operation: WheelOperation, release: str) -> Json:
    response: Json = {"description": "Success"}
    if operation.response is not None:
        response["content"] = {"application/json": {"schema": operation.response}}
    result: Json = {
        "operationId": _operation_id(operation),
        "tags": [operation.tag],
        "parameters": [],
    }
    if operation.bodies:
        content = {kind: {"schema": schema} for kind, schema in operation.bodies.items()}
        result["requestBody"] = {"required": True, "content": dict(sorted(content.items()))}
    result["responses"] = {"200": response}
    result["x-evidence"] = _evidence(operation, release)
    security = _security(operation)
    if security is not None:
        result["security"] = security
    if operation.headers:
        result["x-headers-in-wheel"] = sorted(operation.headers)
    if operation.guesses:
        result["x-heuristics"] = list(dict.fromkeys(operation.guesses))
    return result


def _is_plain(operation: WheelOperation) -> bool:
    """Returns True if no call of the operation goes through the SDK client."""
    return len(operation.plain_headers) == len(operation.calls)


def _security(operation: WheelOperation) -> list[Json] | None:
    """The security of an operation that differs from that of the document; None if it does not.

    A call outside the SDK client has no credential but the one in its own headers.
    """
    if not _is_plain(operation):
        return None
    if AUTHORIZATION in operation.headers:
        return [{"BearerToken": []}]
    named = {name.lower() for name in operation.headers}
    return None if "x-api-key" in named else []


def _evidence(operation: WheelOperation, release: str) -> list[str]:
    return [f"tinker {release}, {call}" for call in sorted(set(operation.calls))]


def _parameters(
    operation: WheelOperation, schemas: dict[str, Schema], known: dict[str, Json], evidence: str
) -> list[Json]:
    """References to the parameters of the operation, which become components in `known`.

    An overlay can address a component but not an entry of a list. The name of a path parameter's
    component is its own name, that of a query parameter's component also has the collection.
    """
    collection = [part for part in operation.path.split("/") if not part.startswith("{")][-1]
    entries: list[Json] = []
    for name in PARAMETER.findall(operation.path):
        item: Json = {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        item["x-heuristics"] = [PATH_GUESS]
        entries.append(_component(known, [pascal(name)], item))
    for name, schema, required in _query(operation, schemas):
        item = {"name": name, "in": "query", "required": required, "schema": schema}
        labels = [
            pascal(collection) + pascal(name),
            pascal(_operation_id(operation)) + pascal(name),
        ]
        name_parameter_enumeration(name, labels[0], schema, schemas, evidence)
        entries.append(_component(known, labels, item))
    if operation.method != "get" and not _is_plain(operation):
        entries.append({"$ref": "#/components/parameters/IdempotencyKey"})
    return entries


def _component(known: dict[str, Json], labels: list[str], item: Json) -> Json:
    """Add `item` under the first of `labels` that is unused or identical; return a reference."""
    for label in labels:
        if known.setdefault(label, item) == item:
            return {"$ref": f"#/components/parameters/{label}"}
    raise ValueError(f"two different parameters have the name {labels[-1]}")


def _query(
    operation: WheelOperation, schemas: dict[str, Schema]
) -> Iterator[tuple[str, Schema, bool]]:
    """Name, schema and required flag of each query parameter; a model becomes its fields."""
    for name, (schema, required) in operation.query.items():
        if not name.startswith("*"):
            yield name, schema, required
            continue
        model = schemas[schema["$ref"].removeprefix(REFERENCE)]
        for part, value in model.get("properties", {}).items():
            yield part, not_null(copy.deepcopy(value)), part in model.get("required", [])


def _operation_id(operation: WheelOperation) -> str:
    """The operation id, derived from method and path: `create_model`, `get_sessions_by_id`."""
    segments = operation.path.removeprefix("/api/v1/").split("/")
    words = ["by_id" if segment.startswith("{") else segment for segment in segments]
    is_procedure = operation.method == "post" and len(segments) == 1
    return "_".join(words if is_procedure else [operation.method, *words])
