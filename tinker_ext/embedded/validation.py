"""Validates requests against the specification that the client is generated from."""

from __future__ import annotations

import re
from functools import cached_property
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import orjson
from attrs import field, frozen

from tinker_ext.embedded.validation_errors import entries_of, unprocessable, validation_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jsonschema_rs import Validator

METHODS = ("get", "post", "put", "patch", "delete")

# Validation errors reported for one body.
MAX_ERRORS = 20

# Largest integer in a query: that of SQLite.
MAX_QUERY_INTEGER = 2**63 - 1

_INTEGER = re.compile(r"-?[0-9]{1,19}")


@frozen(eq=False)
class Operation:
    """One operation of the specification. Its validator is compiled on first use."""

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
    def response_types(self) -> frozenset[str]:
        """The content types of the responses."""
        nodes = (self._resolved(node) for node in self._node["responses"].values())
        return frozenset(kind for node in nodes for kind in node.get("content", ()))

    def check(self, decoded: object) -> dict[str, Any]:
        """Validate a decoded body and return it.

        Raises:
            RejectedRequestError: 422 with the location of every error.
        """
        if not self._validator.is_valid(decoded):
            raise unprocessable(self._errors(decoded)[:MAX_ERRORS])
        # Every request body of the specification is an object.
        assert isinstance(decoded, dict)
        return decoded

    def _errors(self, decoded: object) -> list[dict[str, Any]]:
        try:
            errors = list(islice(self._validator.iter_errors(decoded), MAX_ERRORS))
        except ValueError:  # exceeds the validator's recursion limit of 255 levels
            return [validation_error(("body",), "recursion_loop", "is nested too deeply")]
        return list(chain.from_iterable(entries_of(error, ("body",)) for error in errors))

    def query(self, params: Mapping[str, str]) -> dict[str, Any]:
        """Validate query parameters and fill in defaults. Integers are converted to int.

        Raises:
            RejectedRequestError: 422 with the location of every error.
        """
        values: dict[str, Any] = {}
        entries = []
        for parameter in self._query_parameters:
            name, text = parameter["name"], params.get(parameter["name"])
            if text is None:
                values[name] = parameter["schema"].get("default")
                error = ("missing", "is required") if parameter.get("required") else None
            else:
                values[name], error = self._parsed(text, parameter["schema"])
            if error is not None:
                entries.append(validation_error(("query", name), *error))
        if entries:
            raise unprocessable(entries)
        return values

    def _parsed(self, text: str, schema: Mapping[str, Any]) -> tuple[Any, tuple[str, str] | None]:
        """The value, and the code and message of its error, if any."""
        resolved = self._resolved(schema)
        if resolved.get("type") == "integer":
            if not _INTEGER.fullmatch(text) or abs(int(text)) > MAX_QUERY_INTEGER:
                return None, ("int_parsing", "must be an integer")
            if int(text) < 0:
                return None, ("greater_than_equal", "must be at least 0")
            return int(text), None
        if text not in resolved.get("enum", [text]):
            options = ", ".join(map(repr, resolved["enum"]))
            return None, ("literal_error", f"must be one of {options}")
        return text, None

    @property
    def _validator(self) -> Validator:
        if "validator" not in self._cache:
            import jsonschema_rs

            content = self._node["requestBody"]["content"]["application/json"]
            # References in the schema resolve to `#/components`, as in the document.
            schema = {**content["schema"], "components": self._document["components"]}
            # The mask removes values, which can be long or private, from messages.
            self._cache["validator"] = jsonschema_rs.Draft202012Validator(
                schema, mask="the value", validate_formats=True
            )
        validator: Validator = self._cache["validator"]
        return validator

    @property
    def _query_parameters(self) -> list[Mapping[str, Any]]:
        parameters = [self._resolved(node) for node in self._node.get("parameters", ())]
        return [parameter for parameter in parameters if parameter["in"] == "query"]

    def _resolved(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" not in node:
            return node
        target: Any = self._document
        for segment in node["$ref"].removeprefix("#/").split("/"):
            target = target[segment]
        resolved: Mapping[str, Any] = target
        return resolved


def decode(raw: bytes) -> object:
    """Decode a JSON body.

    Raises:
        RejectedRequestError: 422 with the position of the syntax error.
    """
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        entry = validation_error(("body", error.pos), "json_invalid", str(error))
        raise unprocessable([entry]) from None


class Specification:
    """An OpenAPI document, and the operations in it."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document

    def has_property(self, schema: str, name: str) -> bool:
        """Whether the schema exists and has this property."""
        schemas = self.document["components"]["schemas"]
        return name in schemas.get(schema, {}).get("properties", {})

    def defaults(self, schema: str) -> dict[str, Any]:
        """The default values of the schema's properties that have one."""
        properties = self.document["components"]["schemas"][schema]["properties"]
        # In the union of releases, a property that some of them lack has `x-default`.
        defaults = {
            name: node.get("default", node.get("x-default")) for name, node in properties.items()
        }
        return {name: value for name, value in defaults.items() if value is not None}

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
