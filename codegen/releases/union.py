"""The union of the kept releases: one document that describes a server of any of them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from codegen.openapi import METHODS
from codegen.releases.merging import Forms, life, merge, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codegen.documents import Json


def in_release_order(releases: Iterable[str]) -> list[str]:
    return sorted(releases, key=Version)


def union(contracts: dict[str, Json]) -> Json:
    """One document of all `contracts` (release -> strict contract).

    Names, texts and everything that describes the document as a whole are those of the newest.
    """
    releases = in_release_order(contracts)
    ordered = {release: contracts[release] for release in releases}
    result = copy.deepcopy(ordered[releases[-1]])
    result["info"]["version"] = releases[-1]
    result["x-releases"] = releases
    result["paths"] = _paths(ordered, releases)
    for part in ("parameters", "schemas"):
        result["components"][part] = _components(ordered, releases, part)
    for part in ("headers", "responses", "securitySchemes"):
        for document in ordered.values():
            result["components"][part].update(copy.deepcopy(document["components"][part]))
    return result


def _paths(contracts: dict[str, Json], releases: list[str]) -> Json:
    found: Json = {}
    for path in sorted({path for document in contracts.values() for path in document["paths"]}):
        for method in METHODS:
            forms = {
                release: document["paths"][path][method]
                for release, document in contracts.items()
                if method in document["paths"].get(path, {})
            }
            if forms:
                found.setdefault(path, {})[method] = _operation(forms, releases)
    return found


def _operation(forms: Forms, releases: list[str]) -> Json:
    result: Json = copy.deepcopy(list(forms.values())[-1])
    parameters: list[Json] = []
    answers: Json = {}
    for form in forms.values():
        parameters += [item for item in form.get("parameters", []) if item not in parameters]
        for status, answer in form["responses"].items():
            answers.setdefault(status, {}).update(copy.deepcopy(answer))
    result["parameters"] = parameters
    result["responses"] = answers
    for status in answers:
        content = _contents({r: form["responses"].get(status, {}) for r, form in forms.items()})
        if content:
            answers[status]["content"] = content
    body = _contents({release: form.get("requestBody", {}) for release, form in forms.items()})
    if body:
        result["requestBody"] = {"required": True, "content": body}
    for key in ("x-evidence", "x-heuristics"):
        entries = [entry for form in forms.values() for entry in form.get(key, [])]
        if entries:
            result[key] = shorten(list(dict.fromkeys(entries)))
    return {**result, **life(forms, releases)}


def _contents(holders: Forms) -> Json:
    """The content types of a body or an answer, with the releases that know each."""
    with_content = {
        release: holder["content"] for release, holder in holders.items() if "content" in holder
    }
    kinds = dict.fromkeys(kind for content in with_content.values() for kind in content)
    found: Json = {}
    for kind in kinds:
        has: dict[str, Any] = {
            release: content[kind] for release, content in with_content.items() if kind in content
        }
        schema = merge({release: media["schema"] for release, media in has.items()})
        found[kind] = {
            **copy.deepcopy(list(has.values())[-1]),
            "schema": schema,
            **life(has, list(holders)),
        }
    return found


def _components(contracts: dict[str, Json], releases: list[str], part: str) -> Json:
    names = sorted({name for item in contracts.values() for name in item["components"][part]})
    found: Json = {}
    for name in names:
        forms = {
            release: document["components"][part][name]
            for release, document in contracts.items()
            if name in document["components"][part]
        }
        made = merge(forms) if part == "schemas" else _parameter(forms)
        found[name] = {**made, **life(forms, releases)}
    return found


def _parameter(forms: Forms) -> Json:
    result: Json = copy.deepcopy(list(forms.values())[-1])
    if "schema" in result:
        result["schema"] = merge({release: form["schema"] for release, form in forms.items()})
        result["required"] = all(form.get("required", False) for form in forms.values())
    return result
