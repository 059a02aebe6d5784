"""One schema from its forms in several releases: the widest, with what changed written down.

    x-since, x-until   first and last kept release that has it, where not all have
    x-values-since     the same for single values of an enumeration
    x-default          a default that only newer servers know: stated, not sent by itself
    x-conflict         the forms that cannot all be right, and how this specification settles it

The rules:
1. A field is required if every release that has the type requires it.
2. Of two forms that differ in `null` only, the nullable one; of two enumerations, all values; of
   two unions, all members; of two lists or maps, the list or map of what both may hold.
3. A field that not all releases know has no default of its own: a generated client would send it to
   servers that refuse it.
4. Anything else is a conflict: either form is taken.
5. A type that any release closes to unknown fields is closed.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from codegen.json_schema import NULL, any_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codegen.json_schema import Schema

Forms = dict[str, Any]
"""What something is in each release that has it, from the oldest to the newest."""

TEXTS = ("description", "x-evidence", "x-heuristics", "x-contradiction")


def life(has: Iterable[str], releases: list[str]) -> Schema:
    """`x-since` and `x-until` of what exists in `has`, among `releases` (both oldest first)."""
    present = list(has)
    found: Schema = {}
    if present[0] != releases[0]:
        found["x-since"] = present[0]
    if present[-1] != releases[-1]:
        found["x-until"] = present[-1]
    return found


def merge(forms: Forms) -> Schema:
    """The schema that takes what any of `forms` takes."""
    newest: Schema = copy.deepcopy(list(forms.values())[-1])
    texts = _texts(forms)
    bare = {release: _bare(form) for release, form in forms.items()}
    kinds = _distinct(bare.values())
    if len(kinds) == 1:
        return {**newest, **texts}
    if all("properties" in kind for kind in kinds):
        return {**_merge_objects(forms), **texts}
    return {**_merge_values(bare, kinds), **texts}


def _merge_objects(forms: Forms) -> Schema:
    releases = list(forms)
    names = _distinct(name for form in reversed(forms.values()) for name in form["properties"])
    required = [
        name for name in names if all(name in form.get("required", []) for form in forms.values())
    ]
    result: Schema = {"type": "object", "properties": {}}
    for name in names:
        has = {release: form for release, form in forms.items() if name in form["properties"]}
        value = merge({release: form["properties"][name] for release, form in has.items()})
        needing = [release for release in has if name in has[release].get("required", [])]
        value.update(life(has, releases))
        if len(has) < len(forms) and "default" in value:
            value["x-default"] = value.pop("default")
        if needing and name not in required:
            value.setdefault("x-conflict", _need_conflict(needing, list(has), releases))
        result["properties"][name] = value
    if required:
        result["required"] = required
    if any(form.get("additionalProperties") is False for form in forms.values()):
        result["additionalProperties"] = False
    return result


def _merge_values(bare: Forms, kinds: list[Schema]) -> Schema:
    """Rules 2 to 4 for forms that are no objects with fields."""
    if all("enum" in kind for kind in kinds):
        return _merge_enumerations(bare)
    defaults = _distinct(kind.get("default") for kind in kinds)
    plain = {
        release: {key: item for key, item in form.items() if key != "default"}
        for release, form in bare.items()
    }
    members = _members(plain.values())
    nulls = [NULL] if NULL in members else []
    solid = [member for member in members if member != NULL]
    for key in ("items", "additionalProperties"):
        if len(solid) > 1 and all(isinstance(part.get(key), dict) for part in solid):
            inner = any_of([part[key] for part in solid])
            solid = [{"type": solid[0]["type"], key: inner}]
    result = any_of([*solid, *nulls])
    unions = all("anyOf" in form or "$ref" in form for form in plain.values())
    if len(solid) > 1 and not unions:
        result["x-conflict"] = {
            "forms": {release: _short(form) for release, form in plain.items()},
            "resolution": "Releases differ in its form; any of them is taken.",
        }
    if len(defaults) == 1 and defaults[0] is not None:
        result["default"] = defaults[0]
    elif len(defaults) > 1:
        result["x-conflict"] = {
            "forms": {release: json.dumps(form.get("default")) for release, form in bare.items()},
            "resolution": "Releases differ in the default; none is stated here.",
        }
    return result


def _merge_enumerations(bare: Forms) -> Schema:
    releases = list(bare)
    values = _distinct(value for form in bare.values() for value in form["enum"])
    result: Schema = {**next(iter(bare.values())), "enum": values}
    since = {}
    for value in values:
        has = [release for release in releases if value in bare[release]["enum"]]
        if len(has) < len(releases):
            since[value] = life(has, releases)
    return {**result, "x-values-since": since}


def _need_conflict(needing: list[str], has: list[str], releases: list[str]) -> Schema:
    """A field that only some releases require, where others have it as optional or not at all."""
    words = {
        release: "required" if release in needing else "optional" if release in has else "unknown"
        for release in releases
    }
    return {
        "forms": words,
        "resolution": "Optional here. To be sent to servers of the releases that require it.",
    }


def _members(forms: Iterable[Schema]) -> list[Schema]:
    found: list[Schema] = []
    for form in forms:
        found += form["anyOf"] if set(form) == {"anyOf"} else [form]
    return _distinct(found)


def _texts(forms: Forms) -> Schema:
    """Texts of the newest release that has one; evidence and guesses of all."""
    found: Schema = {}
    for form in forms.values():
        found.update({key: form[key] for key in ("description", "x-contradiction") if key in form})
    for key in ("x-evidence", "x-heuristics"):
        entries = _distinct(entry for form in forms.values() for entry in form.get(key, []))
        if entries:
            found[key] = shorten(entries)
    return found


def shorten(evidence: list[str]) -> list[str]:
    """`tinker 0.4.1, x` and `tinker 0.38.0, x` as `tinker 0.4.1 0.38.0, x`."""
    found: dict[str, list[str]] = {}
    for entry in evidence:
        head, comma, place = entry.partition(", ")
        if comma and head.startswith("tinker "):
            found.setdefault(place, []).append(head.removeprefix("tinker "))
        else:
            found[entry] = []
    return [
        f"tinker {' '.join(releases)}, {place}" if releases else place
        for place, releases in found.items()
    ]


def _bare(form: Any) -> Any:
    """`form` without texts, at every level."""
    if not isinstance(form, dict):
        return form
    return {
        key: {name: _bare(value) for name, value in item.items()}
        if key == "properties"
        else [_bare(part) for part in item]
        if key == "anyOf"
        else item
        for key, item in form.items()
        if key not in TEXTS
    }


def _distinct(values: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def _short(form: Schema) -> str:
    return json.dumps(form)
