"""Merges the forms that a schema has in several releases into the widest one.

    x-since, x-until   the first and the last kept release that has an element, unless all have it
    x-values-since     the same for single values of an enumeration
    x-default          a default that only newer servers support: documented, not sent automatically
    x-conflict         forms that contradict each other, and how this specification resolves it

The rules:
1. A field is required if every release that has the type requires it.
2. Two forms that differ only in `null` become the nullable one. Enumerations are merged with all
   values, unions with all members, lists and maps with both item types.
3. A field that not all releases have has no `default`: a generated client would send it to servers
   that reject it.
4. Any other difference is a conflict: both forms are accepted.
5. A type that rejects unknown fields in any release rejects them in the union.
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
"""The forms of an element by release, from the oldest to the newest."""

TEXTS = ("description", "x-evidence", "x-heuristics", "x-contradiction")


def lifetime(has: Iterable[str], releases: list[str]) -> Schema:
    """`x-since` and `x-until` of an element that the releases `has` have, out of `releases`.

    Both are sorted, oldest first.
    """
    present = list(has)
    marks: Schema = {}
    if present[0] != releases[0]:
        marks["x-since"] = present[0]
    if present[-1] != releases[-1]:
        marks["x-until"] = present[-1]
    return marks


def merge(forms: Forms) -> Schema:
    """The schema that accepts every value that one of `forms` accepts."""
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
        requiring = [release for release in has if name in has[release].get("required", [])]
        value.update(lifetime(has, releases))
        if len(has) < len(forms) and "default" in value:
            value["x-default"] = value.pop("default")
        if requiring and name not in required:
            value.setdefault("x-conflict", _required_conflict(requiring, list(has), releases))
        result["properties"][name] = value
    if required:
        result["required"] = required
    if any(form.get("additionalProperties") is False for form in forms.values()):
        result["additionalProperties"] = False
    return result


def _merge_values(bare: Forms, kinds: list[Schema]) -> Schema:
    """Rules 2 to 4, for forms that are not objects with fields."""
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
            "resolution": "Releases differ in the form; all of them are accepted.",
        }
    if len(defaults) == 1 and defaults[0] is not None:
        result["default"] = defaults[0]
    elif len(defaults) > 1:
        result["x-conflict"] = {
            "forms": {release: json.dumps(form.get("default")) for release, form in bare.items()},
            "resolution": "Releases differ in the default; the specification has none.",
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
            since[value] = lifetime(has, releases)
    return {**result, "x-values-since": since}


def _required_conflict(requiring: list[str], has: list[str], releases: list[str]) -> Schema:
    """A field that some releases require, and that is optional or missing in others."""
    words = {
        release: "required" if release in requiring else "optional" if release in has else "unknown"
        for release in releases
    }
    return {
        "forms": words,
        "resolution": "Optional here. Send it to servers of the releases that require it.",
    }


def _members(forms: Iterable[Schema]) -> list[Schema]:
    members: list[Schema] = []
    for form in forms:
        members += form["anyOf"] if set(form) == {"anyOf"} else [form]
    return _distinct(members)


def _texts(forms: Forms) -> Schema:
    """Texts of the newest release that has one; evidence and heuristics of all releases."""
    texts: Schema = {}
    for form in forms.values():
        texts.update({key: form[key] for key in ("description", "x-contradiction") if key in form})
    for key in ("x-evidence", "x-heuristics"):
        entries = _distinct(entry for form in forms.values() for entry in form.get(key, []))
        if entries:
            texts[key] = shorten(entries)
    return texts


def shorten(evidence: list[str]) -> list[str]:
    """Combine `tinker 0.4.1, x` and `tinker 0.38.0, x` into `tinker 0.4.1 0.38.0, x`."""
    by_place: dict[str, list[str]] = {}
    for entry in evidence:
        head, comma, place = entry.partition(", ")
        if comma and head.startswith("tinker "):
            by_place.setdefault(place, []).append(head.removeprefix("tinker "))
        else:
            by_place[entry] = []
    return [
        f"tinker {' '.join(releases)}, {place}" if releases else place
        for place, releases in by_place.items()
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
    distinct: list[Any] = []
    for value in values:
        if value not in distinct:
            distinct.append(value)
    return distinct


def _short(form: Schema) -> str:
    return json.dumps(form)
