"""What changed from one contract to another, operation by operation and type by type."""

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
    """All changes, in the order of where they are; the same one is named once."""
    found = {*_operations(old, new), *_types(old, new)}
    return sorted(found)


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
    """Operations by method and path without the names of parameters, which no wire knows."""
    return {
        (method, PARAMETER.sub("{}", path)): (method, path, item)
        for path, methods in document["paths"].items()
        for method, item in methods.items()
        if method in METHODS
    }


def _renamed(where: str, old: str, new: str) -> Iterator[Change]:
    for before, after in zip(PARAMETER.findall(old), PARAMETER.findall(new), strict=True):
        if before != after:
            what = f"path parameter {before} is now called {after}; generated code changes"
            yield Change(where, what, "unclear")


def _operation(where: str, old: tuple[Json, Json], new: tuple[Json, Json]) -> Iterator[Change]:
    (before, before_item), (after, after_item) = old, new
    if before_item["operationId"] != after_item["operationId"]:
        yield Change(where, f"is now called {after_item['operationId']}", "unclear")
    yield from _parameters(where, _given(before, before_item), _given(after, after_item))
    bodies = [item.get("requestBody", {}).get("content", {}) for item in (before_item, after_item)]
    yield from _contents(f"{where} body", bodies[0], bodies[1], "asked")
    for status in before_item["responses"].keys() | after_item["responses"].keys():
        here = f"{where} {status}"
        if status not in after_item["responses"]:
            rating: Rating = "breaking" if status.startswith("2") else "unclear"
            yield Change(here, "no longer answered", rating)
        elif status not in before_item["responses"]:
            yield Change(here, "may now be answered", "unclear")
        else:
            answers = [
                _followed(document, item["responses"][status]).get("content", {})
                for document, item in ((before, before_item), (after, after_item))
            ]
            yield from _contents(here, answers[0], answers[1], "answered")


def _given(document: Json, item: Json) -> dict[tuple[str, str], Json]:
    """Parameters that are not in the path, by place and name."""
    resolved = [_followed(document, one) for one in item.get("parameters", [])]
    return {(one["in"], one["name"]): one for one in resolved if one["in"] != "path"}


def _parameters(
    where: str, old: dict[tuple[str, str], Json], new: dict[tuple[str, str], Json]
) -> Iterator[Change]:
    for key in old.keys() | new.keys():
        here = f"{where} {key[0]} {key[1]}"
        if key not in new:
            yield Change(here, "removed", "unclear")
        elif key not in old:
            needed = new[key].get("required", False)
            what = "new, required" if needed else "new"
            yield Change(here, what, "breaking" if needed else "additive")
        else:
            if old[key].get("required", False) != new[key].get("required", False):
                more = new[key].get("required", False)
                what = "now required" if more else "no longer required"
                yield Change(here, what, "breaking" if more else "additive")
            yield from schema_changes(old[key]["schema"], new[key]["schema"], here, "asked")


def _contents(where: str, old: Json, new: Json, side: Side) -> Iterator[Change]:
    """Content types of a body or an answer. One more is no harm, as clients say what they take."""
    for kind in old.keys() - new.keys():
        yield Change(where, f"no longer {kind}", "breaking")
    for kind in new.keys() - old.keys():
        alone = side == "asked" and not old
        yield Change(where, f"now {'' if alone else 'also '}{kind}", _new_content(alone))
    for kind in old.keys() & new.keys():
        yield from schema_changes(old[kind]["schema"], new[kind]["schema"], where, side)


def _new_content(alone: bool) -> Rating:
    return "breaking" if alone else "additive"


def _types(old: Json, new: Json) -> Iterator[Change]:
    """Changes of the named types, on each side they occur on in either document."""
    before, after = (document["components"]["schemas"] for document in (old, new))
    sides: dict[Side, tuple[str, ...]] = {"asked": ("requestBody",), "answered": ("responses",)}
    for side, parts in sides.items():
        names = [
            {name for part in parts for name in reachable(document, schemas, part)}
            for document, schemas in ((old, before), (new, after))
        ]
        for name in names[0] & names[1]:
            yield from schema_changes(before[name], after[name], name, side)


def _followed(document: Json, item: Json) -> Json:
    target: Any = item
    if "$ref" in item:
        target = document
        for segment in item["$ref"].removeprefix("#/").split("/"):
            target = target[segment]
    resolved: Json = target
    return resolved


def _title(method: str, path: str) -> str:
    return f"{method.upper()} {path.removeprefix('/api/v1')}"


def of_rating(found: Iterable[Change], rating: Rating) -> list[Change]:
    return [change for change in found if change.rating == rating]
