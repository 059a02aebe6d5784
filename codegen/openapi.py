"""Walking an OpenAPI document: its operations, and the schemas they refer to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codegen.json_schema import REFERENCE, Schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codegen.documents import Json

METHODS = ("get", "put", "post", "patch", "delete")


def iter_operations(document: Json) -> Iterator[Json]:
    for item in document["paths"].values():
        yield from item.values()


def reachable(document: Json, schemas: dict[str, Schema], part: str) -> set[str]:
    """The schemas reachable from `part` (`requestBody`, `responses`) of any operation.

    Includes the names of missing schemas, which the contract of a release reports as gaps.
    """
    pending = [
        name for item in iter_operations(document) for name in references(item.get(part, {}))
    ]
    if part == "responses":
        pending += references(document["components"].get("responses", {}))
    names: set[str] = set()
    while pending:
        name = pending.pop()
        if name not in names:
            names.add(name)
            pending += references(schemas.get(name, {}))
    return names


def resolved(document: Json, node: Json) -> Json:
    """The object that `node` refers to, or `node` itself if it is not a reference."""
    while isinstance(node.get("$ref"), str):
        target: Any = document
        for segment in node["$ref"].removeprefix("#/").split("/"):
            target = target[segment]
        node = target
    return node


def required_security(document: Json, operation: Json) -> list[Json]:
    """The alternatives of credentials of an operation, or those of the whole document."""
    holder = operation if "security" in operation else document
    alternatives: list[Json] = holder.get("security", [])
    return alternatives


def references(value: Any) -> list[str]:
    """The names of the schemas that `value` refers to, at any depth."""
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        inner = [name for item in value.values() for name in references(item)]
        return [name.removeprefix(REFERENCE) for name in own if name.startswith(REFERENCE)] + inner
    if isinstance(value, list):
        return [name for item in value for name in references(item)]
    return []
