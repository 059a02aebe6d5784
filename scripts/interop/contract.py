"""What the specification of one release says about an exchange, and where the exchange differs."""

from __future__ import annotations

import json
import re
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

import jsonschema_rs
import zstandard
from attrs import field, frozen

from codegen.documents import load_yaml
from codegen.paths import RELEASES
from interop.protobuf_bodies import message_faults
from interop.recorder import JSON_TYPE, PROTOBUF_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codegen.documents import Json
    from interop.recorder import Answered, Asked, Exchange, Message

METHODS = ("get", "post", "put", "patch", "delete")

# What retrieve_future answers with depends on what is fetched; the official SDKs say which it is in
# the header X-Tinker-Request-Type (tinker 0.4.1 and 0.38.0, resources/futures.py).
RESULTS = {
    "CreateCustomLoss": "CreateCustomLossResponse",
    "CreateModel": "CreateModelResponse",
    "Forward": "ForwardBackwardOutput",
    "ForwardBackward": "ForwardBackwardOutput",
    "LoadWeights": "LoadWeightsResponse",
    "OptimStep": "OptimStepResponse",
    "Sample": "SampleResponse",
    "SaveWeights": "SaveWeightsResponse",
    "SaveWeightsExternal": "SaveWeightsExternalResponseInternal",
    "SaveWeightsForSampler": "SaveWeightsForSamplerResponseInternal",
}
# What it may answer with instead, as far as the release knows of it.
INTERIM = ("TryAgainResponse", "RequestFailedResponse", "MetadataOnlyResponse")

# How many faults of one body are worth reading.
MAX_FAULTS = 5


@frozen
class Verdict:
    """Which operation an exchange belongs to (None: to none) and what is wrong with it."""

    operation_id: str | None
    problems: tuple[str, ...]


@frozen(eq=False)
class _Operation:
    method: str
    pattern: re.Pattern[str]
    node: Json
    parameters: list[Json]

    @property
    def operation_id(self) -> str:
        name: str = self.node["operationId"]
        return name


@frozen(eq=False)
class Contract:
    """The specification of one release, read from `openapi/releases`."""

    document: Json
    _validators: dict[str, jsonschema_rs.Draft202012Validator] = field(factory=dict)

    @property
    def operation_ids(self) -> list[str]:
        return sorted(one.operation_id for one in self._operations)

    def verdict(self, exchange: Exchange) -> Verdict:
        """Hold one exchange to the specification."""
        asked = exchange.asked
        found = self._find(asked)
        if found is None:
            return Verdict(None, (f"{asked.method} {asked.path}: no such operation",))
        operation, path_values = found
        problems = [
            *self._parameter_problems(operation, asked, path_values),
            *self._request_problems(operation, asked),
            *self._answer_problems(operation, exchange),
        ]
        return Verdict(
            operation.operation_id,
            tuple(f"{operation.operation_id}: {problem}" for problem in problems),
        )

    @cached_property
    def _operations(self) -> list[_Operation]:
        found = []
        for path, item in self.document["paths"].items():
            # Names are escaped by no one but the braces: `{x}` becomes a named group.
            pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))
            for method in METHODS:
                if method in item:
                    node = item[method]
                    parameters = [*item.get("parameters", ()), *node.get("parameters", ())]
                    resolved = [self.resolved(one) for one in parameters]
                    found.append(_Operation(method.upper(), pattern, node, resolved))
        return found

    def _find(self, asked: Asked) -> tuple[_Operation, dict[str, str]] | None:
        """The operation; a path without variables (`/sessions/search`) goes before one with."""
        matches = [
            (one, match.groupdict())
            for one in self._operations
            if one.method == asked.method and (match := one.pattern.fullmatch(asked.path))
        ]
        return min(matches, key=lambda match: len(match[1]), default=None)

    def _parameter_problems(
        self, operation: _Operation, asked: Asked, path_values: dict[str, str]
    ) -> Iterator[str]:
        query = dict(parse_qsl(asked.query, keep_blank_values=True))
        given = {
            "path": {name: unquote(value) for name, value in path_values.items()},
            "query": query,
            "header": asked.message.headers,
        }
        documented = {one["name"] for one in operation.parameters if one["in"] == "query"}
        yield from (f"query: {name} is not documented" for name in query.keys() - documented)
        for parameter in operation.parameters:
            name, place = parameter["name"], parameter["in"]
            text = given[place].get(name.lower() if place == "header" else name)
            if text is not None:
                yield from self._faults(
                    f"{place} {name}", parameter["schema"], self._read(text, parameter["schema"])
                )
            elif parameter.get("required"):
                yield f"{place}: {name} is missing"
        if operation.node.get("security", self.document.get("security")):
            yield from self._security_problems(asked)

    def _security_problems(self, asked: Asked) -> Iterator[str]:
        schemes = self.document["components"]["securitySchemes"].values()
        names = [one["name"].lower() for one in schemes if one["type"] == "apiKey"]
        if not any(name in asked.message.headers for name in names):
            yield f"header: none of {', '.join(names)}"

    def _request_problems(self, operation: _Operation, asked: Asked) -> Iterator[str]:
        if "requestBody" not in operation.node:
            if asked.message.body:
                yield "body: none is documented"
            return
        body = self.resolved(operation.node["requestBody"])
        if asked.message.body or body.get("required"):
            yield from self._content_problems("body", body["content"], asked.message)

    def _answer_problems(self, operation: _Operation, exchange: Exchange) -> Iterator[str]:
        answered = exchange.answered
        documented = self._response(operation, answered)
        if documented is None:
            yield f"answer: status {answered.status} is not documented"
            return
        where = f"answer {answered.status}"
        for name, header in documented.get("headers", {}).items():
            described = self.resolved(header)
            text = answered.message.headers.get(name.lower())
            if text is not None:
                schema = described["schema"]
                yield from self._faults(f"{where} header {name}", schema, self._read(text, schema))
            elif described.get("required"):
                yield f"{where}: header {name} is missing"
        content = documented.get("content", {})
        if operation.operation_id == "retrieve_future" and answered.status == 200:
            content = self._narrowed(content, exchange.asked)
        if content:
            yield from self._content_problems(where, content, answered.message)

    def _narrowed(self, content: Json, asked: Asked) -> Json:
        """The kinds of answer that the kind of request leaves open."""
        result = RESULTS.get(asked.message.headers.get("x-tinker-request-type", ""))
        if result is None:
            return content
        schemas = self.document["components"]["schemas"]
        names = [name for name in (result, *INTERIM) if name in schemas]
        union = {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in names]}
        narrowed = {**content, JSON_TYPE: {"schema": union}}
        if PROTOBUF_TYPE in content:
            messages = content[PROTOBUF_TYPE]["x-protobuf"]
            fitting = [one for one in messages if one.endswith(f".{result}")]
            narrowed[PROTOBUF_TYPE] = {"x-protobuf": fitting}
        return narrowed

    def _response(self, operation: _Operation, answered: Answered) -> Json | None:
        responses: Json = operation.node["responses"]
        for key in (str(answered.status), f"{answered.status // 100}XX", "default"):
            if key in responses:
                return self.resolved(responses[key])
        return None

    def _content_problems(self, where: str, content: Json, message: Message) -> Iterator[str]:
        described = content.get(message.media_type)
        if described is None:
            yield f"{where}: content type {message.media_type or 'none'} is not documented"
        elif message.media_type == JSON_TYPE:
            try:
                value = json.loads(message.body)
            except ValueError as error:
                yield f"{where}: {error}"
                return
            yield from self._faults(where, described.get("schema", {}), value)
        elif message.media_type == PROTOBUF_TYPE:
            yield from _message_problems(where, described, message)

    def _faults(self, where: str, schema: Json, value: Any) -> Iterator[str]:
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            whole = {**schema, "components": self.document["components"]}
            self._validators[key] = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        for number, fault in enumerate(self._validators[key].iter_errors(value)):
            if number == MAX_FAULTS:
                return
            place = "/".join(str(part) for part in fault.instance_path)
            yield f"{where}: {place}: {fault.message[:300]}"

    def _read(self, text: str, schema: Json) -> Any:
        """A parameter's text as the kind of value its schema asks for."""
        kinds = self._kinds(schema)
        if kinds & {"integer", "number", "boolean"}:
            try:
                return json.loads(text)
            except ValueError:
                return text
        return text.split(",") if "array" in kinds else text

    def _kinds(self, schema: Json) -> set[str]:
        schema = self.resolved(schema)
        parts = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
        own = {schema["type"]} if isinstance(schema.get("type"), str) else set()
        return own.union(*(self._kinds(part) for part in parts))

    def answer_schema(self, asked: Asked, answered: Answered) -> Json | None:
        """What JSON has to look like as the answer to `asked`; None where nothing says."""
        found = self._find(asked)
        documented = found and self._response(found[0], answered)
        if not found or not documented:
            return None
        content = documented.get("content", {})
        if found[0].operation_id == "retrieve_future":
            content = self._narrowed(content, asked)
        schema: Json | None = content.get(JSON_TYPE, {}).get("schema")
        return schema

    def fits(self, schema: Json, value: Any) -> bool:
        """Whether the schema allows the value."""
        return not any(self._faults("", schema, value))

    def resolved(self, node: Json) -> Json:
        """The node, or what it refers to."""
        while "$ref" in node:
            target: Any = self.document
            for segment in node["$ref"].removeprefix("#/").split("/"):
                target = target[segment]
            node = target
        return node


def _message_problems(where: str, described: Json, message: Message) -> Iterator[str]:
    """One of the named messages has to fit; what is wrong with the first is told."""
    named = described.get("x-protobuf", [])
    references = [named] if isinstance(named, str) else named
    try:
        faults = [list(message_faults(one, message.decoded)) for one in references]
    except zstandard.ZstdError as error:
        yield f"{where}: {error}"
        return
    if all(faults):  # also where no message is named
        yield from (f"{where}: {fault}" for fault in (faults or [["no message is named"]])[0])


@lru_cache
def contract(release: str) -> Contract:
    """The contract of a kept release; reading it takes a second or two."""
    return Contract(load_yaml(RELEASES / f"{release}.yaml"))
