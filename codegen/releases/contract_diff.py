"""The changes between two contracts, by operation and by type."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from codegen.openapi import METHODS, reachable
from codegen.releases.schema_diff import Change, Rating, Side, schema_changes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from codegen.documents import Json

RATINGS: tuple[Rating, ...] = ("breaking", "additive", "unclear")
PARAMETER = re.compile(r"\{[^}]*\}")


def changes(old: Json, new: Json) -> list[Change]:
    """All changes, sorted by place, without duplicates."""
    return sorted({*_operations(old, new), *_types(old, new)})


def _operations(old: Json, new: Json) -> Iterator[Change]:
    before, after = _by_place(old), _by_place(new)
    for place in before.keys() - after.keys():
        yield Change(_title(*before[place][:2]), "operation removed", "breaking")
    for place in after.keys() - before.keys():
        yield Change(_title(*after[place][:2]), "new operation", "additive")
    for place in before.keys() & after.keys():
        method, path, item = before[place]
        where = _title(method, path)
        yield from _renamed(where, path, after[place][1])
        yield from _operation(where, (old, item), (new, after[place][2]))


def _by_place(document: Json) -> dict[tuple[str, str], tuple[str, str, Json]]:
    """Operations by method and path, without the names of parameters, which are not sent."""
    return {
        (method, PARAMETER.sub("{}", path)): (method, path, item)
        for path, methods in document["paths"].items()
        for method, item in methods.items()
        if method in METHODS
    }


def _renamed(where: str, old: str, new: str) -> Iterator[Change]:
    for before, after in zip(PARAMETER.findall(old), PARAMETER.findall(new), strict=True):
        if before != after:
            what = f"path parameter {before} is now named {after}; generated code changes"
            yield Change(where, what, "unclear")


def _operation(where: str, old: tuple[Json, Json], new: tuple[Json, Json]) -> Iterator[Change]:
    (before, before_item), (after, after_item) = old, new
    if before_item["operationId"] != after_item["operationId"]:
        yield Change(where, f"is now named {after_item['operationId']}", "unclear")
    yield from _parameters(
        where, _parameters_by_key(before, before_item), _parameters_by_key(after, after_item)
    )
    bodies = [item.get("requestBody", {}).get("content", {}) for item in (before_item, after_item)]
    yield from _contents(f"{where} body", bodies[0], bodies[1], "request")
    for status in before_item["responses"].keys() | after_item["responses"].keys():
        here = f"{where} {status}"
        if status not in after_item["responses"]:
            rating: Rating = "breaking" if status.startswith("2") else "unclear"
            yield Change(here, "no longer documented", rating)
        elif status not in before_item["responses"]:
            yield Change(here, "new status", "unclear")
        else:
            contents = [
                _dereference(document, item["responses"][status]).get("content", {})
                for document, item in ((before, before_item), (after, after_item))
            ]
            yield from _contents(here, contents[0], contents[1], "response")


def _parameters_by_key(document: Json, item: Json) -> dict[tuple[str, str], Json]:
    """Parameters that are not in the path, by place and name."""
    parameters = [_dereference(document, entry) for entry in item.get("parameters", [])]
    return {
        (parameter["in"], parameter["name"]): parameter
        for parameter in parameters
        if parameter["in"] != "path"
    }


def _parameters(
    where: str, old: dict[tuple[str, str], Json], new: dict[tuple[str, str], Json]
) -> Iterator[Change]:
    for key in old.keys() | new.keys():
        here = f"{where} {key[0]} {key[1]}"
        if key not in new:
            yield Change(here, "removed", "unclear")
        elif key not in old:
            required = new[key].get("required", False)
            what = "new, required" if required else "new"
            yield Change(here, what, "breaking" if required else "additive")
        else:
            if old[key].get("required", False) != new[key].get("required", False):
                more = new[key].get("required", False)
                what = "now required" if more else "no longer required"
                yield Change(here, what, "breaking" if more else "additive")
            yield from schema_changes(old[key]["schema"], new[key]["schema"], here, "request")


def _contents(where: str, old: Json, new: Json, side: Side) -> Iterator[Change]:
    """Content types of a body or a response. A new one is additive: clients send `Accept`."""
    for kind in old.keys() - new.keys():
        yield Change(where, f"no longer {kind}", "breaking")
    for kind in new.keys() - old.keys():
        first = side == "request" and not old
        yield Change(where, f"now {'' if first else 'also '}{kind}", _new_content(first))
    for kind in old.keys() & new.keys():
        yield from schema_changes(old[kind]["schema"], new[kind]["schema"], where, side)


def _new_content(first: bool) -> Rating:
    return "breaking" if first else "additive"


def _types(old: Json, new: Json) -> Iterator[Change]:
    """Changes of the named types, in requests and in responses."""
    before, after = (document["components"]["schemas"] for document in (old, new))
    sides: dict[Side, tuple[str, ...]] = {"request": ("requestBody",), "response": ("responses",)}
    for side, parts in sides.items():
        names = [
            {name for part in parts for name in reachable(document, schemas, part)}
            for document, schemas in ((old, before), (new, after))
        ]
        for name in names[0] & names[1]:
            yield from schema_changes(before[name], after[name], name, side)


def _dereference(document: Json, item: Json) -> Json:
    target: Any = item
    if "$ref" in item:
        target = document
        for segment in item["$ref"].removeprefix("#/").split("/"):
            target = target[segment]
    resolved: Json = target
    return resolved


def _title(method: str, path: str) -> str:
    return f"{method.upper()} {path.removeprefix('/api/v1')}"


def of_rating(changes: Iterable[Change], rating: Rating) -> list[Change]:
    return [change for change in changes if change.rating == rating]
