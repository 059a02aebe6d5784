"""The changes between two contracts, by operation and by type.

Compared are the servers, the security of the document and of each operation, parameters, bodies,
responses with their headers, marks (`deprecated`, `x-retry`), and named types in the direction in
which they are used. Texts, examples and evidence are not compared.
"""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import TYPE_CHECKING

from codegen.openapi import (
    METHODS,
    iter_operations,
    reachable,
    references,
    required_security,
    resolved,
)
from codegen.releases.schema_diff import Change, Rating, Side, deprecation, schema_changes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from codegen.documents import Json

RATINGS: tuple[Rating, ...] = ("breaking", "additive", "unclear")
PARAMETER = re.compile(r"\{[^}]*\}")
RETRY = ("never", "sequenced", "safe")
"""Retry marks, from the strictest on. A client that retries by an older, looser mark breaks."""


def changes(old: Json, new: Json) -> list[Change]:
    """All changes, sorted by place, without duplicates."""
    return sorted({*_document(old, new), *_operations(old, new), *_types(old, new)})


def _document(old: Json, new: Json) -> Iterator[Change]:
    """Changes of the servers and of the security schemes that both documents have."""
    before, after = (
        [server["url"] for server in document.get("servers", [])] for document in (old, new)
    )
    for url in before:
        if url not in after:
            yield Change("servers", f"no longer {url}", "breaking")
    for url in after:
        if url not in before:
            yield Change("servers", f"now also {url}", "additive")
    schemes = [document["components"].get("securitySchemes", {}) for document in (old, new)]
    for name in schemes[0].keys() & schemes[1].keys():
        left, right = (_scheme(part[name]) for part in schemes)
        if left != right:
            yield Change(f"security scheme {name}", f"{left} became {right}", "breaking")


def _scheme(scheme: Json) -> str:
    """The credential that a security scheme asks for."""
    parts = [scheme.get(key) for key in ("type", "scheme", "in", "name", "openIdConnectUrl")]
    flows = sorted(scheme.get("flows", {}))
    return " ".join(str(part) for part in [*parts, *flows] if part)


def _security(where: str, old: tuple[Json, Json], new: tuple[Json, Json]) -> Iterator[Change]:
    """Changes of the alternatives of credentials, of which a request needs one."""
    before, after = (
        {_alternative(entry) for entry in required_security(document, item)} or {"none"}
        for document, item in (old, new)
    )
    here = f"{where} security"
    for credential in before - after:
        yield Change(here, f"no longer {credential}", "breaking")
    for credential in after - before:
        yield Change(here, f"now also {credential}", "additive")


def _alternative(entry: Json) -> str:
    names = [
        name + (f" ({', '.join(scopes)})" if scopes else "")
        for name, scopes in sorted(entry.items())
    ]
    return " and ".join(names) or "none"


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
        yield from _path_parameters(where, (old, path, item), (new, *after[place][1:]))
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


def _path_parameters(
    where: str, old: tuple[Json, str, Json], new: tuple[Json, str, Json]
) -> Iterator[Change]:
    """Changes of the types of path parameters, which are matched by their place in the path."""
    sides = [
        [_named_parameter(document, item, name[1:-1]) for name in PARAMETER.findall(path)]
        for document, path, item in (old, new)
    ]
    names = [name[1:-1] for name in PARAMETER.findall(old[1])]
    for name, before, after in zip_longest(names, *sides, fillvalue=None):
        if name and before and after:
            here = f"{where} path {name}"
            yield from schema_changes(before["schema"], after["schema"], here, "request")
            yield from deprecation(before, after, here)


def _named_parameter(document: Json, item: Json, name: str) -> Json | None:
    entries = (resolved(document, entry) for entry in item.get("parameters", []))
    return next(
        (entry for entry in entries if (entry["in"], entry["name"]) == ("path", name)), None
    )


def _operation(where: str, old: tuple[Json, Json], new: tuple[Json, Json]) -> Iterator[Change]:
    (before, before_item), (after, after_item) = old, new
    if before_item["operationId"] != after_item["operationId"]:
        yield Change(where, f"is now named {after_item['operationId']}", "unclear")
    yield from deprecation(before_item, after_item, where)
    yield from _retry(where, before_item.get("x-retry"), after_item.get("x-retry"))
    yield from _security(where, old, new)
    yield from _parameters(
        where, _parameters_by_key(before, before_item), _parameters_by_key(after, after_item)
    )
    bodies = [
        resolved(document, item.get("requestBody", {}))
        for document, item in ((before, before_item), (after, after_item))
    ]
    yield from _body(f"{where} body", bodies[0], bodies[1])
    encodings = [set(item.get("x-content-encoding", [])) for item in (before_item, after_item)]
    for encoding in encodings[0] - encodings[1]:
        yield Change(f"{where} body", f"no longer encoded as {encoding}", "breaking")
    for encoding in encodings[1] - encodings[0]:
        yield Change(f"{where} body", f"now also encoded as {encoding}", "additive")
    for status in before_item["responses"].keys() | after_item["responses"].keys():
        here = f"{where} {status}"
        if status not in after_item["responses"]:
            rating: Rating = "breaking" if status.startswith("2") else "unclear"
            yield Change(here, "no longer documented", rating)
        elif status not in before_item["responses"]:
            yield Change(here, "new status", "unclear")
        else:
            left, right = (
                resolved(document, item["responses"][status])
                for document, item in ((before, before_item), (after, after_item))
            )
            yield from _contents(
                here, left.get("content", {}), right.get("content", {}), "response"
            )
            yield from _response_headers(here, (before, left), (after, right))


def _retry(where: str, old: str | None, new: str | None) -> Iterator[Change]:
    """A change of `x-retry`. It breaks a client that retries what must no longer be retried."""
    if old == new:
        return
    known = old in RETRY and new in RETRY
    looser = known and RETRY.index(str(new)) > RETRY.index(str(old))
    rating: Rating = "additive" if looser else "breaking" if known else "unclear"
    yield Change(where, f"x-retry {old or 'none'} became {new or 'none'}", rating)


def _body(where: str, old: Json, new: Json) -> Iterator[Change]:
    was, now = old.get("required", False), new.get("required", False)
    if "content" in old and "content" in new and was != now:
        what = "now required" if now else "no longer required"
        yield Change(where, what, "breaking" if now else "additive")
    yield from _contents(where, old.get("content", {}), new.get("content", {}), "request")


def _response_headers(
    where: str, old: tuple[Json, Json], new: tuple[Json, Json]
) -> Iterator[Change]:
    """Changes of the headers of a response, whose names are in any case."""
    before, after = (
        {
            name.lower(): {"name": name, **resolved(document, header)}
            for name, header in response.get("headers", {}).items()
        }
        for document, response in (old, new)
    )
    for name in before.keys() | after.keys():
        here = f"{where} header {(before.get(name) or after[name])['name']}"
        if name not in after:
            relied_on = before[name].get("required", False)
            yield Change(here, "removed", "breaking" if relied_on else "unclear")
        elif name not in before:
            yield Change(here, "new", "additive")
        else:
            was, now = (part[name].get("required", False) for part in (before, after))
            if was != now:
                what = "now always sent" if now else "no longer always sent"
                yield Change(here, what, "additive" if now else "breaking")
            left, right = (part[name].get("schema", {}) for part in (before, after))
            yield from schema_changes(left, right, here, "response")
            yield from deprecation(before[name], after[name], here)


def _parameters_by_key(document: Json, item: Json) -> dict[tuple[str, str], Json]:
    """Parameters that are not in the path, by place and name; headers are in any case."""
    parameters = [resolved(document, entry) for entry in item.get("parameters", [])]
    return {
        (
            parameter["in"],
            parameter["name"].lower() if parameter["in"] == "header" else parameter["name"],
        ): parameter
        for parameter in parameters
        if parameter["in"] != "path"
    }


def _parameters(
    where: str, old: dict[tuple[str, str], Json], new: dict[tuple[str, str], Json]
) -> Iterator[Change]:
    moved = {
        (place, name): (other, same)
        for place, name in old.keys() - new.keys()
        for other, same in new.keys() - old.keys()
        if same.lower() == name.lower()
    }
    for key in old.keys() | new.keys():
        here = f"{where} {key[0]} {(old.get(key) or new[key])['name']}"
        if key in moved:
            yield Change(here, f"moved to the {moved[key][0]}", "breaking")
        elif key in moved.values():
            continue
        elif key not in new:
            yield Change(here, "removed", "unclear")
        elif key not in old:
            required = new[key].get("required", False)
            what = "new, required" if required else "new"
            yield Change(here, what, "breaking" if required else "additive")
        else:
            yield from _parameter(here, old[key], new[key])


def _parameter(where: str, old: Json, new: Json) -> Iterator[Change]:
    if old.get("required", False) != new.get("required", False):
        more = new.get("required", False)
        what = "now required" if more else "no longer required"
        yield Change(where, what, "breaking" if more else "additive")
    yield from deprecation(old, new, where)
    for key in ("style", "explode"):
        if old.get(key) != new.get(key):
            what = f"{key} {old.get(key)} became {new.get(key)}"
            yield Change(where, what, "breaking")
    yield from schema_changes(old["schema"], new["schema"], where, "request")


def _contents(where: str, old: Json, new: Json, side: Side) -> Iterator[Change]:
    """Content types of a body or a response. A new one is additive: clients send `Accept`."""
    for kind in old.keys() - new.keys():
        yield Change(where, f"no longer {kind}", "breaking")
    for kind in new.keys() - old.keys():
        first = side == "request" and not old
        yield Change(where, f"now {'' if first else 'also '}{kind}", _new_content(first))
    for kind in old.keys() & new.keys():
        before, after = (part[kind].get("schema", {}) for part in (old, new))
        yield from schema_changes(before, after, where, side)
        messages = [_messages(part[kind]) for part in (old, new)]
        for message in messages[0] - messages[1]:
            yield Change(where, f"no longer the message {message}", "breaking")
        for message in messages[1] - messages[0]:
            yield Change(where, f"now also the message {message}", "additive")


def _messages(media: Json) -> set[str]:
    """The protobuf messages of a body, which `x-protobuf` names."""
    named = media.get("x-protobuf", [])
    return {named} if isinstance(named, str) else set(named)


def _new_content(first: bool) -> Rating:
    return "breaking" if first else "additive"


def _types(old: Json, new: Json) -> Iterator[Change]:
    """Changes of the named types, in requests and in responses."""
    before, after = (document["components"]["schemas"] for document in (old, new))
    sides: dict[Side, str] = {"request": "requestBody", "response": "responses"}
    for side, part in sides.items():
        left, right = (
            reachable(document, schemas, part)
            | (_in_parameters(document, schemas) if side == "request" else set())
            for document, schemas in ((old, before), (new, after))
        )
        for name in left & right:
            yield from schema_changes(before[name], after[name], name, side)


def _in_parameters(document: Json, schemas: Json) -> set[str]:
    """The types in the parameters of operations, directly or through other types."""
    parameters = [
        resolved(document, entry)
        for item in iter_operations(document)
        for entry in item.get("parameters", [])
    ]
    names: set[str] = set()
    pending = references(parameters)
    while pending:
        name = pending.pop()
        if name not in names:
            names.add(name)
            pending += references(schemas[name])
    return names


def _title(method: str, path: str) -> str:
    return f"{method.upper()} {path.removeprefix('/api/v1')}"


def of_rating(changes: Iterable[Change], rating: Rating) -> list[Change]:
    return [change for change in changes if change.rating == rating]
