"""The union of the kept releases: one document that describes the servers of all of them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from codegen.openapi import METHODS
from codegen.releases.merging import Forms, lifetime, merge, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codegen.documents import Json


def in_release_order(releases: Iterable[str]) -> list[str]:
    return sorted(releases, key=Version)


def union(contracts: dict[str, Json]) -> Json:
    """Merge `contracts` (strict contract by release) into one document.

    Names, texts and the description of the document are those of the newest release.
    """
    releases = in_release_order(contracts)
    ordered = {release: contracts[release] for release in releases}
    result = copy.deepcopy(ordered[releases[-1]])
    result["info"]["version"] = releases[-1]
    result["x-releases"] = releases
    client_headers = (document.get("x-client-headers", []) for document in ordered.values())
    result["x-client-headers"] = sorted({name for names in client_headers for name in names})
    result["paths"] = _paths(ordered, releases)
    for part in ("parameters", "schemas"):
        result["components"][part] = _components(ordered, releases, part)
    for part in ("headers", "responses", "securitySchemes"):
        for document in ordered.values():
            result["components"][part].update(copy.deepcopy(document["components"][part]))
    return result


def _paths(contracts: dict[str, Json], releases: list[str]) -> Json:
    paths: Json = {}
    for path in sorted({path for document in contracts.values() for path in document["paths"]}):
        for method in METHODS:
            forms = {
                release: document["paths"][path][method]
                for release, document in contracts.items()
                if method in document["paths"].get(path, {})
            }
            if forms:
                paths.setdefault(path, {})[method] = _operation(forms, releases)
    return paths


def _operation(forms: Forms, releases: list[str]) -> Json:
    result: Json = copy.deepcopy(list(forms.values())[-1])
    parameters: list[Json] = []
    responses: Json = {}
    for form in forms.values():
        parameters += [item for item in form.get("parameters", []) if item not in parameters]
        for status, response in form["responses"].items():
            responses.setdefault(status, {}).update(copy.deepcopy(response))
    result["parameters"] = parameters
    result["responses"] = responses
    for status in responses:
        content = _contents({r: form["responses"].get(status, {}) for r, form in forms.items()})
        if content:
            responses[status]["content"] = content
    body = _contents({release: form.get("requestBody", {}) for release, form in forms.items()})
    if body:
        result["requestBody"] = {"required": True, "content": body}
    for key in ("x-evidence", "x-heuristics"):
        entries = [entry for form in forms.values() for entry in form.get(key, [])]
        if entries:
            result[key] = shorten(list(dict.fromkeys(entries)))
    return {**result, **lifetime(forms, releases)}


def _contents(holders: Forms) -> Json:
    """The content types of a body or a response, with the releases that have each."""
    with_content = {
        release: holder["content"] for release, holder in holders.items() if "content" in holder
    }
    kinds = dict.fromkeys(kind for content in with_content.values() for kind in content)
    contents: Json = {}
    for kind in kinds:
        has: dict[str, Any] = {
            release: content[kind] for release, content in with_content.items() if kind in content
        }
        schema = merge({release: media["schema"] for release, media in has.items()})
        contents[kind] = {
            **copy.deepcopy(list(has.values())[-1]),
            "schema": schema,
            **lifetime(has, list(holders)),
        }
    return contents


def _components(contracts: dict[str, Json], releases: list[str], part: str) -> Json:
    names = sorted({name for item in contracts.values() for name in item["components"][part]})
    components: Json = {}
    for name in names:
        forms = {
            release: document["components"][part][name]
            for release, document in contracts.items()
            if name in document["components"][part]
        }
        merged = merge(forms) if part == "schemas" else _parameter(forms)
        components[name] = {**merged, **lifetime(forms, releases)}
    return components


def _parameter(forms: Forms) -> Json:
    result: Json = copy.deepcopy(list(forms.values())[-1])
    if "schema" in result:
        result["schema"] = merge({release: form["schema"] for release, form in forms.items()})
        result["required"] = all(form.get("required", False) for form in forms.values())
    return result
