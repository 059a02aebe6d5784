"""Walking an OpenAPI document: its operations, and the schemas they refer to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codegen.json_schema import REFERENCE, Schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codegen.documents import Json

METHODS = ("get", "put", "post", "patch", "delete")


def operations(document: Json) -> Iterator[Json]:
    for item in document["paths"].values():
        yield from item.values()


def reachable(document: Json, schemas: dict[str, Schema], part: str) -> set[str]:
    """Names of the schemas that `part` (`requestBody`, `responses`) of any operation leads to."""
    waiting = [name for item in operations(document) for name in references(item.get(part, {}))]
    if part == "responses":
        waiting += references(document["components"].get("responses", {}))
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += references(schemas[name])
    return found


def references(value: Any) -> list[str]:
    """The schema names referred to anywhere inside `value`."""
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        inner = [name for item in value.values() for name in references(item)]
        return [name.removeprefix(REFERENCE) for name in own if name.startswith(REFERENCE)] + inner
    if isinstance(value, list):
        return [name for item in value for name in references(item)]
    return []
