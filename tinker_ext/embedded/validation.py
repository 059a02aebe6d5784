"""What a request must look like, read from the specification that the client is made from too."""

from __future__ import annotations

import re
from functools import cached_property
from importlib.resources import files
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson
from attrs import field, frozen

from tinker_ext.embedded.faults import fault, faults_of, unprocessable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jsonschema_rs import Validator

METHODS = ("get", "post", "put", "patch", "delete")

# The release whose JSON protocol this server speaks. The client's own specification is the union of
# all releases, which takes fields that mean nothing here.
PROTOCOL = "0.4.1"

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

    def check(self, decoded: object) -> dict[str, Any]:
        """The body, when it fits.

        Raises:
            RefusalError: 422 with the place of every fault.
        """
        if not self._validator.is_valid(decoded):
            problems = islice(self._validator.iter_errors(decoded), MAX_FAULTS)
            faults = [one for problem in problems for one in faults_of(problem, ("body",))]
            raise unprocessable(faults[:MAX_FAULTS])
        # Every request body of the specification is an object.
        assert isinstance(decoded, dict)
        return decoded

    def query(self, given: Mapping[str, str]) -> dict[str, int]:
        """The query's values, defaults filled in. All of them are counts.

        Raises:
            RefusalError: 422 with the place of every fault.
        """
        values: dict[str, int] = {}
        faults = []
        for parameter in self._query_parameters:
            name, schema = parameter["name"], parameter["schema"]
            text = given.get(name)
            if text is None:
                values[name] = schema["default"]
            elif not _INTEGER.fullmatch(text) or abs(int(text)) > MAX_QUERY_INTEGER:
                faults.append(fault(("query", name), "int_parsing", "must be an integer"))
            elif int(text) < 0:
                faults.append(fault(("query", name), "greater_than_equal", "must be at least 0"))
            else:
                values[name] = int(text)
        if faults:
            raise unprocessable(faults)
        return values

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
    """The specification as the server reads it."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document

    @classmethod
    def packaged(cls) -> Specification:
        """What the release whose protocol is spoken sends; shipped with the generated client."""
        reading = files("tinker_api") / "readings" / f"{PROTOCOL}.json"
        return cls(orjson.loads(reading.read_bytes()))

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
