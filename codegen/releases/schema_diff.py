"""The differences between two versions of a schema, and their ratings.

    breaking   a correct program is rejected, or does not receive a value that it relies on
    additive   no program has to change
    unclear    depends on the program: on how strictly it decodes, or on its use of a default

The rating depends on the direction: a schema in requests may become wider, a schema in responses
may become narrower.
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
Side = Literal["request", "response"]

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
"""Limits of values: with 1 a larger number is stricter, with -1 a smaller one."""


@dataclass(frozen=True, order=True)
class Change:
    """One difference: its place, its description, and its rating."""

    where: str
    what: str
    rating: Rating


def schema_changes(old: Schema, new: Schema, where: str, side: Side) -> Iterator[Change]:
    """The changes from `old` to `new`. References are compared by name, not followed."""
    if old == new:
        return
    yield from deprecation(old, new, where)
    old, new = _without_wrapper(old), _without_wrapper(new)
    if "properties" in old and "properties" in new:
        yield from _object_changes(old, new, where, side)
        return
    if _bare(old) == _bare(new):
        return
    yield from _default_changes(old, new, where)
    before, after = _members(old), _members(new)
    removed = [member for member in before if member not in after]
    added = [member for member in after if member not in before]
    if len(removed) == len(added) == 1:
        yield from _form_changes(removed[0], added[0], where, side)
        return
    for member in removed:
        yield Change(where, f"no longer {_short(member)}", _narrower(side))
    for member in added:
        unexpected_null = member == NULL and side == "response"
        rating: Rating = "breaking" if unexpected_null else _wider(side)
        yield Change(where, f"now also {_short(member)}", rating)


def deprecation(old: Schema, new: Schema, where: str) -> Iterator[Change]:
    """A change of `deprecated`, which announces a change and is none itself."""
    was, now = old.get("deprecated", False), new.get("deprecated", False)
    if was != now:
        yield Change(where, "now deprecated" if now else "no longer deprecated", "additive")


def _object_changes(old: Schema, new: Schema, where: str, side: Side) -> Iterator[Change]:
    before, after = old["properties"], new["properties"]
    was_required, is_required = old.get("required", []), new.get("required", [])
    closed = new.get("additionalProperties") is False
    for name in before.keys() - after.keys():
        relied_on = name in was_required if side == "response" else closed
        yield Change(f"{where}.{name}", "removed", "breaking" if relied_on else "unclear")
    for name in after.keys() - before.keys():
        demanded = side == "request" and name in is_required
        what = "new, required" if demanded else "new"
        yield Change(f"{where}.{name}", what, "breaking" if demanded else "additive")
    for name in before.keys() & after.keys():
        here = f"{where}.{name}"
        if (name in was_required) != (name in is_required):
            more = name in is_required
            breaks = more == (side == "request")
            what = "now required" if more else "no longer required"
            yield Change(here, what, "breaking" if breaks else "additive")
        yield from schema_changes(before[name], after[name], here, side)
    was_closed = old.get("additionalProperties") is False
    if was_closed != closed and side == "request":
        what = "rejects unknown fields" if closed else "accepts unknown fields"
        yield Change(where, what, "breaking" if closed else "additive")


def _form_changes(old: Schema, new: Schema, where: str, side: Side) -> Iterator[Change]:
    """The changes between two forms of a value."""
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
    """Sending an integer where a number is accepted is not breaking; other type changes are."""
    kinds = (old.get("type"), new.get("type"))
    compatible = ("integer", "number") if side == "request" else ("number", "integer")
    return "additive" if kinds == compatible else "breaking"


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
    return "breaking" if side == "request" else "additive"


def _wider(side: Side) -> Rating:
    return "additive" if side == "request" else "unclear"


def _members(form: Schema) -> list[Schema]:
    """The alternative forms of a value, without default and texts."""
    bare = {key: value for key, value in _bare(form).items() if key != "default"}
    return bare["anyOf"] if set(bare) == {"anyOf"} else [bare]


IGNORED = {*TEXTS, "title", "summary", "example", "examples", "externalDocs", "deprecated"}
"""Keywords that describe a value and do not limit it; `deprecated` is compared by itself."""


def _bare(form: Any) -> Any:
    """`form` without texts and extensions, at every level; `allOf` of one member is that member."""
    if isinstance(form, list):
        return [_bare(part) for part in form]
    if not isinstance(form, dict):
        return form
    bare = {
        key: {name: _bare(value) for name, value in item.items()}
        if key == "properties"
        else _bare(item)
        for key, item in form.items()
        if key not in IGNORED and not key.startswith("x-")
    }
    if isinstance(bare.get("allOf"), list) and len(bare["allOf"]) == 1:
        (member,) = bare.pop("allOf")
        bare = {**member, **bare}
    return bare


def _without_wrapper(form: Schema) -> Schema:
    """`form`, with an `allOf` of one member replaced by the member."""
    if isinstance(form.get("allOf"), list) and len(form["allOf"]) == 1:
        rest = {key: value for key, value in form.items() if key != "allOf"}
        return {**form["allOf"][0], **rest}
    return form


def _limit(value: float | None) -> str:
    return "none" if value is None else str(value)


def _short(form: Schema) -> str:
    if "$ref" in form:
        return str(form["$ref"]).rsplit("/", 1)[-1]
    if set(form) == {"type"}:
        return str(form["type"])
    return json.dumps(form)
