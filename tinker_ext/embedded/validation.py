"""What a request must look like, read from the specification that the client is made from too."""

from __future__ import annotations

import re
from functools import cached_property
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import orjson
from attrs import field, frozen

from tinker_ext.embedded.validation_errors import fault, faults_of, unprocessable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jsonschema_rs import Validator

METHODS = ("get", "post", "put", "patch", "delete")

# A body with more faults than this is told about the first ones.
MAX_FAULTS = 20

# Integers in a query: what SQLite can count with.
MAX_QUERY_INTEGER = 2**63 - 1

_INTEGER = re.compile(r"-?[0-9]{1,19}")


@frozen(eq=False)
class Operation:
    """One operation of the specification. Validators are compiled on first use, once."""

    operation_id: str
    method: str
    path: str
    _node: Mapping[str, Any]
    _document: Mapping[str, Any]
    _cache: dict[str, Any] = field(factory=dict)

    @property
    def takes_body(self) -> bool:
        return "requestBody" in self._node

    @property
    def media_types(self) -> tuple[str, ...]:
        """The content types of the body."""
        return tuple(self._node["requestBody"]["content"])

    @property
    def answer_types(self) -> frozenset[str]:
        """The content types of the answer where all went well."""
        nodes = (self._resolved(node) for node in self._node["responses"].values())
        return frozenset(kind for node in nodes for kind in node.get("content", ()))

    def check(self, decoded: object) -> dict[str, Any]:
        """The body, when it fits.

        Raises:
            RefusalError: 422 with the place of every fault.
        """
        if not self._validator.is_valid(decoded):
            raise unprocessable(self._faults(decoded)[:MAX_FAULTS])
        # Every request body of the specification is an object.
        assert isinstance(decoded, dict)
        return decoded

    def _faults(self, decoded: object) -> list[dict[str, Any]]:
        try:
            problems = list(islice(self._validator.iter_errors(decoded), MAX_FAULTS))
        except ValueError:  # the validator's limit on recursion, 255 levels
            return [fault(("body",), "recursion_loop", "is nested too deeply")]
        return list(chain.from_iterable(faults_of(problem, ("body",)) for problem in problems))

    def query(self, given: Mapping[str, str]) -> dict[str, Any]:
        """The query's values, defaults filled in: counts as numbers, all else as text.

        Raises:
            RefusalError: 422 with the place of every fault.
        """
        values: dict[str, Any] = {}
        faults = []
        for parameter in self._query_parameters:
            name, text = parameter["name"], given.get(parameter["name"])
            if text is None:
                values[name] = parameter["schema"].get("default")
                problem = ("missing", "is required") if parameter.get("required") else None
            else:
                values[name], problem = self._parsed(text, parameter["schema"])
            if problem is not None:
                faults.append(fault(("query", name), *problem))
        if faults:
            raise unprocessable(faults)
        return values

    def _parsed(self, text: str, schema: Mapping[str, Any]) -> tuple[Any, tuple[str, str] | None]:
        """The value, and what is wrong with it: a code and words."""
        plain = self._resolved(schema)
        if plain.get("type") == "integer":
            if not _INTEGER.fullmatch(text) or abs(int(text)) > MAX_QUERY_INTEGER:
                return None, ("int_parsing", "must be an integer")
            if int(text) < 0:
                return None, ("greater_than_equal", "must be at least 0")
            return int(text), None
        if text not in plain.get("enum", [text]):
            return None, ("literal_error", f"must be one of {', '.join(map(repr, plain['enum']))}")
        return text, None

    @property
    def _validator(self) -> Validator:
        if "validator" not in self._cache:
            import jsonschema_rs

            content = self._node["requestBody"]["content"]["application/json"]
            # The schema sees the document's components under the same path as in the document.
            schema = {**content["schema"], "components": self._document["components"]}
            # The mask keeps values, which can be long or private, out of messages.
            self._cache["validator"] = jsonschema_rs.Draft202012Validator(
                schema, mask="the value", validate_formats=True
            )
        validator: Validator = self._cache["validator"]
        return validator

    @property
    def _query_parameters(self) -> list[Mapping[str, Any]]:
        found = [self._resolved(one) for one in self._node.get("parameters", ())]
        return [one for one in found if one["in"] == "query"]

    def _resolved(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" not in node:
            return node
        target: Any = self._document
        for segment in node["$ref"].removeprefix("#/").split("/"):
            target = target[segment]
        resolved: Mapping[str, Any] = target
        return resolved


def decode(raw: bytes) -> object:
    """A request's body as JSON.

    Raises:
        RefusalError: 422 with the place where it stops being JSON.
    """
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise unprocessable([fault(("body", error.pos), "json_invalid", str(error))]) from None


class Specification:
    """A specification as the server reads it."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document

    def knows(self, schema: str, name: str) -> bool:
        """Whether the schema exists and has a property of that name."""
        schemas = self.document["components"]["schemas"]
        return name in schemas.get(schema, {}).get("properties", {})

    def defaults(self, schema: str) -> dict[str, Any]:
        """What a client assumes of the schema's properties, as far as it assumes anything."""
        properties = self.document["components"]["schemas"][schema]["properties"]
        # The union of releases has no `default` for what not all of them have.
        found = {name: one.get("default", one.get("x-default")) for name, one in properties.items()}
        return {name: value for name, value in found.items() if value is not None}

    @cached_property
    def operations(self) -> dict[str, Operation]:
        """All operations by id."""
        return {operation.operation_id: operation for operation in self._read()}

    def _read(self) -> Iterator[Operation]:
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method in item:
                    node = item[method]
                    yield Operation(node["operationId"], method.upper(), path, node, self.document)
