"""The facts about a release, from its package and from its contract, and where they differ.

A fact has a place, such as `SampleRequest.seed type`, and a text on each side. Types are compared
in one notation for both: `array<integer>`, `map<number>`, `enum<"a", "b">`, the name of an object
type, alternatives in alphabetical order. References to enumerations, maps and unions are replaced
by their targets, because the package and the contract name different parts.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from attrs import field, frozen

from codegen.json_schema import REFERENCE
from codegen.openapi import reachable, required_security, resolved
from conformance.interop.contract import Contract
from conformance.interop.recorder import Message, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codegen.documents import Json
    from codegen.json_schema import Schema

FORMATS = {"date-time", "date", "uuid", "duration"}
LIMITS = (
    "minimum",
    "exclusiveMinimum",
    "maximum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "pattern",
)
IDEMPOTENCY_KEY = "X-Idempotency-Key"
CLIENT_HEADERS = {"accept", "accept-encoding", "connection", "host", "user-agent"}
CLIENT_HEADERS |= {"content-length", "content-type", "content-encoding"}
"""Headers of every HTTP request, which a contract does not declare as parameters."""


@frozen(order=True)
class Difference:
    """A fact that the package and the contract do not agree on."""

    place: str
    package: str
    contract: str

    def __str__(self) -> str:
        return f"{self.place}: the package has {self.package}, the contract {self.contract}"


@frozen
class Comparison:
    """The number of compared facts by kind, and the differences."""

    facts: Counter[str] = field(factory=Counter)
    differences: list[Difference] = field(factory=list)

    def check(self, kind: str, place: str, package: str, contract: str) -> None:
        self.facts[kind] += 1
        if package != contract:
            self.differences.append(Difference(place, package, contract))


def compare(package: Json, document: Json) -> Comparison:
    """Compare the report of `inspect_package.py` with the contract of the release."""
    comparison = Comparison()
    for line in package["failed"]:
        comparison.check("module", f"module {line.split(':')[0]}", line, "importable")
    for line in package["silent"]:
        title, _, reason = line.partition(": ")
        comparison.check("request", f"call {title}", f"no request ({reason})", "a request")
    _models(package, document, comparison)
    _aliases(package, document, comparison)
    _requests(package, document, comparison)
    return comparison


# ---------------------------------------------------------------- models


def _models(package: Json, document: Json, comparison: Comparison) -> None:
    schemas = document["components"]["schemas"]
    in_requests = reachable(document, schemas, "requestBody")
    described = _by_name(package["models"])
    for name, model in described.items():
        if name not in schemas:
            if ".types" in model["module"]:
                comparison.check("type", name, "a type", "nothing")
            continue
        comparison.facts["type"] += 1
        _fields(name, model, schemas, name in in_requests, comparison)
    for name in schemas.keys() - described.keys():
        if "properties" in schemas[name] and _is_of_the_wheel(schemas[name]):
            comparison.check("type", name, "nothing", "a type")


def _is_of_the_wheel(schema: Schema) -> bool:
    """Returns True if the schema is read from the wheel as a type, not from an inline body."""
    return any(".types" in entry for entry in schema.get("x-evidence", []))


def _by_name(models: Json) -> dict[str, Json]:
    """Descriptions by name. If several classes share a name, models precede dataclasses."""
    rank = {"typed_dict": 0, "dataclass": 1, "model": 2}
    result: dict[str, Json] = {}
    for title, model in sorted(models.items()):
        module, _, name = title.rpartition(".")
        name = name.lstrip("_")
        known = result.get(name)
        if known is None or rank[model["kind"]] > rank[known["kind"]]:
            result[name] = {**model, "module": module}
    return dict(sorted(result.items()))


def _fields(
    name: str, model: Json, schemas: dict[str, Schema], sent: bool, comparison: Comparison
) -> None:
    contract = schemas[name]
    properties: Json = contract.get("properties", {})
    names: dict[str, str] = {}
    for attribute, fact in model["fields"].items():
        wire = fact["sent_as"] if sent else fact["read_as"][0]
        if model["kind"] == "dataclass" and attribute.endswith("_np"):
            wire = attribute.removesuffix("_np")
        names[wire] = attribute
    for wire in sorted(names.keys() | properties.keys()):
        place = f"{name}.{wire}"
        if wire not in properties or wire not in names:
            sides = ("a field", "nothing") if wire in names else ("nothing", "a field")
            comparison.check("field", place, *sides)
            continue
        comparison.facts["field"] += 1
        fact, value = model["fields"][names[wire]], properties[wire]
        comparison.check(
            "required",
            f"{place} required",
            _yes(fact["required"]),
            _yes(wire in contract.get("required", [])),
        )
        comparison.check(
            "default", f"{place} default", _text(fact["default"]), _text(value.get("default"))
        )
        if "x-unknown" not in json.dumps(fact["schema"]):
            definitions = {
                key.rsplit("__", 1)[-1]: item for key, item in model["definitions"].items()
            }
            comparison.check(
                "type",
                f"{place} type",
                Notation(definitions, "#/$defs/").text(fact["schema"]),
                Notation(schemas, REFERENCE).text(value),
            )
    closed = contract.get("additionalProperties") is False
    comparison.check("extra", f"{name} extra", _yes(model["extra"] == "forbid"), _yes(closed))


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _text(default: Any) -> str:
    """A default as text. Null, an empty list and an empty map are not defaults in a contract."""
    if default is None or default in ([], {}):
        return "none"
    if isinstance(default, float) and default.is_integer():
        default = int(default)
    return json.dumps(default, sort_keys=True)


@frozen
class Notation:
    """Writes JSON schemas in the common notation; `names` has the schemas references point to."""

    names: dict[str, Schema]
    prefix: str

    def text(self, schema: Schema, seen: tuple[str, ...] = ()) -> str:
        return "|".join(sorted(set(self._alternatives(schema, seen)))) or "any"

    def _alternatives(self, schema: Schema, seen: tuple[str, ...]) -> Iterator[str]:
        if "$ref" in schema:
            yield from self._reference(schema["$ref"], seen)
        elif "allOf" in schema and len(schema["allOf"]) == 1:
            yield from self._alternatives(schema["allOf"][0], seen)
        elif "anyOf" in schema or "oneOf" in schema:
            for part in [*schema.get("anyOf", []), *schema.get("oneOf", [])]:
                yield from self._alternatives(part, seen)
        elif "enum" in schema or "const" in schema:
            values = schema.get("enum", [schema.get("const")])
            yield f"enum<{', '.join(sorted(json.dumps(value) for value in values))}>"
        else:
            yield self._plain(schema, seen) + _limits(schema)

    def _reference(self, reference: str, seen: tuple[str, ...]) -> Iterator[str]:
        name = reference.removeprefix(self.prefix).rsplit("__", 1)[-1]
        target = self.names[name]
        is_empty = target.get("type") == "object" and "additionalProperties" not in target
        if "properties" in target or name in seen or is_empty:
            yield name.lstrip("_")
        else:
            yield from self._alternatives(target, (*seen, name))

    def _plain(self, schema: Schema, seen: tuple[str, ...]) -> str:
        kind = schema.get("type")
        if kind == "array":
            items = schema.get("items", {})
            if "prefixItems" in schema:
                parts = [self.text(part, seen) for part in schema["prefixItems"]]
                numbers = set(parts) <= {"integer", "number"}
                return f"array<{'number' if numbers else '|'.join(sorted(set(parts)))}>"
            return f"array<{self.text(items, seen)}>"
        if kind == "object":
            values = schema.get("additionalProperties", {})
            return f"map<{'any' if values is True else self.text(values or {}, seen)}>"
        if kind == "string" and schema.get("format") in FORMATS:
            return f"string({schema['format']})"
        return str(kind or "any")


def _limits(schema: Schema) -> str:
    limits = [
        f"{key}={schema[key]:g}" if key != "pattern" else f"{key}={schema[key]}"
        for key in LIMITS
        if key in schema
    ]
    return f"[{', '.join(limits)}]" if limits else ""


def _aliases(package: Json, document: Json, comparison: Comparison) -> None:
    schemas = document["components"]["schemas"]
    for title, schema in package["aliases"].items():
        name = title.rpartition(".")[2]
        if "x-failed" in schema or "x-unknown" in json.dumps(schema):
            continue
        if name not in schemas:
            comparison.check("alias", name, "an alias", "nothing")
            continue
        definitions = {
            key.rsplit("__", 1)[-1]: item for key, item in schema.get("$defs", {}).items()
        }
        comparison.check(
            "alias",
            name,
            Notation(definitions, "#/$defs/").text(schema),
            Notation(schemas, REFERENCE).text(schemas[name]),
        )


# ---------------------------------------------------------------- requests


def _requests(package: Json, document: Json, comparison: Comparison) -> None:
    contract = Contract(document)
    called: set[str] = set()
    keyed: dict[str, set[bool]] = {}
    for recorded in package["requests"]:
        request = _request(recorded)
        verdict = contract.request_verdict(request)
        called.add(verdict.operation_id or "")
        comparison.facts["request"] += 1
        where = f"request {verdict.operation_id or recorded['caller']}"
        for problem in verdict.problems:
            comparison.differences.append(Difference(where, problem, "another request"))
        if verdict.operation_id is not None:
            _headers(verdict.operation_id, request, document, comparison)
            has_key = IDEMPOTENCY_KEY.lower() in request.message.headers
            keyed.setdefault(verdict.operation_id, set()).add(has_key)
    for item, name in _operations(document):
        comparison.check("operation", f"operation {name}", _called(name in called), _called(True))
        if name in keyed:
            declared = IDEMPOTENCY_KEY in _header_names(item, document)
            sent = True in keyed[name]
            comparison.check(
                "header", f"operation {name} {IDEMPOTENCY_KEY}", _yes(sent), _yes(declared)
            )
    comparison.differences[:] = sorted(set(comparison.differences))


def _called(value: bool) -> str:
    return "called" if value else "not called"


def _operations(document: Json) -> Iterator[tuple[Json, str]]:
    for path in document["paths"].values():
        for item in path.values():
            yield item, item["operationId"]


def _header_names(item: Json, document: Json) -> set[str]:
    return {
        parameter["name"]
        for parameter in (resolved(document, entry) for entry in item.get("parameters", []))
        if parameter["in"] == "header"
    }


def _headers(name: str, request: Request, document: Json, comparison: Comparison) -> None:
    """Each header that the package sends is declared, as a parameter or by a security scheme."""
    item = next(item for item, operation in _operations(document) if operation == name)
    schemes = document["components"]["securitySchemes"]
    required = required_security(document, item)
    known = {header.lower() for header in _header_names(item, document)}
    known |= set(document.get("x-client-headers", []))
    for scheme in (schemes[scheme] for option in required for scheme in option):
        known.add(scheme["name"].lower() if scheme["type"] == "apiKey" else "authorization")
    for header in sorted(request.message.headers.keys() - CLIENT_HEADERS - known):
        if not header.startswith("x-stainless"):
            comparison.check("header", f"operation {name} header {header}", "sent", "not declared")
    comparison.facts["header"] += len(request.message.headers.keys() & known)


def _request(recorded: Json) -> Request:
    headers = {name.lower(): value for name, value in recorded["headers"].items()}
    body = base64.b64decode(recorded["body"])
    query = urlencode([tuple(pair) for pair in recorded["query"]])
    return Request(recorded["method"], recorded["path"], query, Message(headers, body))
