"""What differs between two schemas of one thing, and how much that matters to whom.

    breaking   a program that did right before is refused, or misses what it counted on
    additive   nobody has to change anything
    unclear    it depends on the program: how strictly it reads, what it left to a default

The same change weighs differently where it is: what clients send (`asked`) may become wider, what
they are answered (`answered`) may become narrower.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from codegen.json_schema import NULL
from codegen.releases.merging import TEXTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codegen.json_schema import Schema

Rating = Literal["breaking", "additive", "unclear"]
Side = Literal["asked", "answered"]

LIMITS = {
    "minimum": 1,
    "exclusiveMinimum": 1,
    "minLength": 1,
    "minItems": 1,
    "maximum": -1,
    "exclusiveMaximum": -1,
    "maxLength": -1,
    "maxItems": -1,
}
"""Limits of values: with 1 a larger number leaves less, with -1 a smaller one does."""


@dataclass(frozen=True, order=True)
class Change:
    """One difference: where it is, what it is, and its rating."""

    where: str
    what: str
    rating: Rating


def schema_changes(old: Schema, new: Schema, where: str, side: Side) -> Iterator[Change]:
    """The changes from `old` to `new`. References are compared by name, not followed."""
    if _bare(old) == _bare(new):
        return
    if "properties" in old and "properties" in new:
        yield from _object_changes(old, new, where, side)
        return
    yield from _default_changes(old, new, where)
    before, after = _members(old), _members(new)
    gone = [member for member in before if member not in after]
    come = [member for member in after if member not in before]
    if len(gone) == len(come) == 1:
        yield from _form_changes(gone[0], come[0], where, side)
        return
    for member in gone:
        yield Change(where, f"no longer {_short(member)}", _narrower(side))
    for member in come:
        missed = member == NULL and side == "answered"
        rating: Rating = "breaking" if missed else _wider(side)
        yield Change(where, f"now also {_short(member)}", rating)


def _object_changes(old: Schema, new: Schema, where: str, side: Side) -> Iterator[Change]:
    before, after = old["properties"], new["properties"]
    needed, needing = old.get("required", []), new.get("required", [])
    closed = new.get("additionalProperties") is False
    for name in before.keys() - after.keys():
        counted = name in needed if side == "answered" else closed
        yield Change(f"{where}.{name}", "removed", "breaking" if counted else "unclear")
    for name in after.keys() - before.keys():
        wanted = side == "asked" and name in needing
        what = "new, required" if wanted else "new"
        yield Change(f"{where}.{name}", what, "breaking" if wanted else "additive")
    for name in before.keys() & after.keys():
        here = f"{where}.{name}"
        if (name in needed) != (name in needing):
            more = name in needing
            breaks = more == (side == "asked")
            what = "now required" if more else "no longer required"
            yield Change(here, what, "breaking" if breaks else "additive")
        yield from schema_changes(before[name], after[name], here, side)
    was_closed = old.get("additionalProperties") is False
    if was_closed != closed and side == "asked":
        what = "refuses unknown fields" if closed else "takes unknown fields"
        yield Change(where, what, "breaking" if closed else "additive")


def _form_changes(old: Schema, new: Schema, where: str, side: Side) -> Iterator[Change]:
    """One form in place of another one."""
    if "enum" in old and "enum" in new:
        for value in [value for value in old["enum"] if value not in new["enum"]]:
            yield Change(where, f"no longer {json.dumps(value)}", _narrower(side))
        for value in [value for value in new["enum"] if value not in old["enum"]]:
            yield Change(where, f"now also {json.dumps(value)}", _wider(side))
        return
    if old.get("type") == new.get("type") == "array":
        yield from schema_changes(old["items"], new["items"], f"{where}[]", side)
    before, after = old.get("additionalProperties"), new.get("additionalProperties")
    if isinstance(before, dict) and isinstance(after, dict):
        yield from schema_changes(before, after, f"{where}.*", side)
    for key in LIMITS.keys() & (old.keys() | new.keys()):
        yield from _limit_changes(key, old.get(key), new.get(key), where, side)
    nested = {"items", "additionalProperties", *LIMITS}
    left, right = ({k: v for k, v in form.items() if k not in nested} for form in (old, new))
    if left != right:
        yield Change(where, f"{_short(left)} became {_short(right)}", _type_change(old, new, side))


def _type_change(old: Schema, new: Schema, side: Side) -> Rating:
    """Whole numbers where any number goes are no break; everything else is."""
    kinds = (old.get("type"), new.get("type"))
    fits = ("integer", "number") if side == "asked" else ("number", "integer")
    return "additive" if kinds == fits else "breaking"


def _limit_changes(
    key: str, old: float | None, new: float | None, where: str, side: Side
) -> Iterator[Change]:
    if old == new:
        return
    tighter = old is None or (new is not None and (new - old) * LIMITS[key] > 0)
    rating = _narrower(side) if tighter else _wider(side)
    yield Change(where, f"{key} {_limit(old)} became {_limit(new)}", rating)


def _default_changes(old: Schema, new: Schema, where: str) -> Iterator[Change]:
    before, after = old.get("default"), new.get("default")
    if before != after:
        what = f"default {json.dumps(before)} became {json.dumps(after)}"
        yield Change(where, what, "unclear")


def _narrower(side: Side) -> Rating:
    return "breaking" if side == "asked" else "additive"


def _wider(side: Side) -> Rating:
    return "additive" if side == "asked" else "unclear"


def _members(form: Schema) -> list[Schema]:
    """The forms a value may have, without default and texts."""
    bare = {key: value for key, value in _bare(form).items() if key != "default"}
    return bare["anyOf"] if set(bare) == {"anyOf"} else [bare]


def _bare(form: Any) -> Any:
    """`form` without texts and extensions, at every level."""
    if isinstance(form, list):
        return [_bare(part) for part in form]
    if not isinstance(form, dict):
        return form
    return {
        key: {name: _bare(value) for name, value in item.items()}
        if key == "properties"
        else _bare(item)
        for key, item in form.items()
        if key not in TEXTS and not key.startswith("x-")
    }


def _limit(value: float | None) -> str:
    return "none" if value is None else str(value)


def _short(form: Schema) -> str:
    if "$ref" in form:
        return str(form["$ref"]).rsplit("/", 1)[-1]
    if set(form) == {"type"}:
        return str(form["type"])
    return json.dumps(form)
