"""The contract of one release: its wheel, read and completed by the overlay."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codegen.contract.overlay import Effects, apply_overlay
from codegen.contract.reconstruct import reconstruct
from codegen.contract.tolerant import tolerant
from codegen.documents import Json, load_yaml
from codegen.openapi import references, required_security, resolved
from codegen.paths import OVERLAY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codegen.wheel.wheels import Wheel


class ReconstructionError(Exception):
    """Part of a wheel could not be read, and the overlay does not supply it."""


@dataclass(frozen=True)
class ReleaseContract:
    """The strict contract of one release.

    Attributes:
        document: the OpenAPI document, reconstructed from the wheel and completed by the overlay.
        effects: the effect of each action of the overlay.
        gaps: the parts that could not be read; empty for a release that is kept.
    """

    release: str
    document: Json
    effects: Effects
    gaps: tuple[str, ...]


def read_contract(wheel: Wheel) -> ReleaseContract:
    """Read `wheel` and apply the overlay. Gaps are listed, and marked in the document."""
    document = reconstruct(wheel)
    gaps = list(document.pop("x-problems", []))
    headers = document.pop("x-headers-in-wheel", [])
    overlay = load_yaml(OVERLAY)
    document, effects = apply_overlay(
        document, overlay, release=wheel.release, form="contract", wheel=wheel
    )
    gaps += [*_undeclared_headers(document, headers), *_unsettled(document)]
    gaps += missing_types(document)
    document = sort_keys(drop_unused(document))
    if gaps:
        document["x-unread"] = gaps
    return ReleaseContract(wheel.release, document, effects, tuple(gaps))


def _undeclared_headers(document: Json, headers: list[str]) -> Iterator[str]:
    """Headers in the wheel that no operation declares, and those that their operation does not."""
    declared = _declared_headers(document, document)
    for name in headers:
        if name.lower() not in declared:
            yield f"no operation declares the header {name}"
    for path, item in document["paths"].items():
        for method, operation in item.items():
            own = _declared_headers(document, operation) | _credentials(document, operation)
            for name in operation.pop("x-headers-in-wheel", []):
                if name.lower() not in own:
                    yield f"{method.upper()} {path} does not declare the header {name}"


def _declared_headers(document: Json, part: Any) -> set[str]:
    """The names of the headers that `part` declares in requests and responses, in lower case."""
    if isinstance(part, list):
        return set().union(*(_declared_headers(document, item) for item in part))
    if not isinstance(part, dict):
        return set()
    names = set().union(*(_declared_headers(document, item) for item in part.values()))
    if part.get("in") == "header" and isinstance(part.get("name"), str):
        names.add(part["name"].lower())
    if part.get("type") == "http" and "scheme" in part:
        names.add("authorization")
    if isinstance(part.get("headers"), dict):
        names |= {str(name).lower() for name in part["headers"]}
    reference = part.get("$ref")
    if isinstance(reference, str) and "/schemas/" not in reference:
        names |= _declared_headers(document, resolved(document, part))
    return names


def _credentials(document: Json, operation: Json) -> set[str]:
    schemes = document["components"].get("securitySchemes", {})
    required = required_security(document, operation)
    return _declared_headers(document, [schemes[name] for entry in required for name in entry])


def _unsettled(document: Json) -> Iterator[str]:
    """The serializers whose result neither a rule nor the overlay describes."""
    for schema in document["components"]["schemas"].values():
        yield from schema.pop("x-unsettled", [])


def missing_types(document: Json) -> list[str]:
    """The types that the document refers to without having them.

    The overlay can add such a reference, for instance to a type that only later releases have.
    """
    schemas = document["components"]["schemas"]
    holders = {**document["paths"], **document["components"], **schemas}
    return [
        f"{holder} refers to {name}, which the release does not have"
        for holder, part in holders.items()
        if part is not schemas
        for name in sorted({*references(part)} - schemas.keys())
    ]


def refuse_gaps(release: str, gaps: tuple[str, ...]) -> None:
    """Raise ReconstructionError if there are any `gaps`."""
    if gaps:
        raise ReconstructionError(
            "\n".join([f"tinker {release} has parts that no rule can read:", *gaps])
        )


def tolerant_contract(contract: Json, release: str) -> Json:
    """The tolerant form of one contract, for a client that uses the protocol of that release."""
    document, _ = apply_overlay(contract, load_yaml(OVERLAY), release=release, form="tolerant")
    return sort_keys(tolerant(document))


def undescribed(document: Json) -> list[str]:
    """List the operations, types, fields and parameters that the overlay does not describe."""
    names = [
        f"{method.upper()} {path}"
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if "summary" not in operation or "x-retry" not in operation
    ]
    for name, schema in document["components"]["schemas"].items():
        names += [name] if not schema.get("description") else []
        names += [
            f"{name}.{field}"
            for field, value in schema.get("properties", {}).items()
            if field != "type" and not value.get("description")
        ]
    parameters = document["components"]["parameters"]
    return names + [name for name, item in parameters.items() if not item.get("description")]


def unusable_operations(document: Json) -> list[str]:
    """The operations that bindings can't be generated from: without a summary or a retry mark."""
    return [
        f"{method.upper()} {path} has no {key}"
        for path, item in document["paths"].items()
        for method, operation in item.items()
        for key in ("summary", "x-retry")
        if key not in operation
    ]


def drop_unused(document: Json) -> Json:
    """Remove the shared parameters, responses and headers that no operation uses."""
    text = json.dumps(document["paths"])
    for part in ("parameters", "responses", "headers"):
        document["components"][part] = {
            name: item
            for name, item in document["components"][part].items()
            if f'#/components/{part}/{name}"' in text
        }
        text += json.dumps(document["components"][part])
    return document


def sort_keys(document: Json) -> Json:
    """Return `document` with its keys in the conventional order."""
    order = ("openapi", "info", "servers", "security", "tags", "paths", "components")
    first = {key: document[key] for key in order if key in document}
    rest = {key: value for key, value in document.items() if key not in first}
    first["paths"] = {
        path: {method: _sort_operation(item) for method, item in methods.items()}
        for path, methods in document["paths"].items()
    }
    components: Json = first["components"]
    last = {key: components.pop(key) for key in ("schemas",)}
    first["components"] = {**dict(sorted(components.items())), **last}
    schemas = first["components"]["schemas"]
    first["components"]["schemas"] = {
        name: _sorted_first(schemas[name], SCHEMA_ORDER) for name in sorted(schemas)
    }
    return {**first, **rest}


OPERATION_ORDER = (
    "operationId",
    "tags",
    "summary",
    "description",
    "parameters",
    "requestBody",
    "responses",
)
SCHEMA_ORDER = (
    "description",
    "type",
    "anyOf",
    "enum",
    "properties",
    "required",
    "additionalProperties",
)


def _sort_operation(item: Json) -> Json:
    operation = {key: value for key, value in item.items() if key != "parameters" or value}
    responses = dict(sorted(operation["responses"].items()))
    return _sorted_first({**operation, "responses": responses}, OPERATION_ORDER)


def _sorted_first(item: Json, order: tuple[str, ...]) -> Json:
    first = {key: item[key] for key in order if key in item}
    return {**first, **{key: value for key, value in item.items() if key not in first}}
