"""Validates exchanges against the specification of one release."""

from __future__ import annotations

import itertools
import json
import re
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

import jsonschema_rs
import zstandard
from attrs import field, frozen

from codegen.documents import load_yaml
from codegen.openapi import required_security
from codegen.paths import RELEASES
from conformance.interop.protobuf_validation import message_errors
from conformance.interop.recorder import JSON_TYPE, PROTOBUF_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codegen.documents import Json
    from conformance.interop.recorder import Exchange, Message, Request, Response

METHODS = ("get", "post", "put", "patch", "delete")

# The response of retrieve_future depends on the original request, whose type the official SDKs send
# in the header X-Tinker-Request-Type (tinker 0.4.1 and 0.38.0, resources/futures.py).
RESULTS = {
    # Sent by this client only; an official SDK expects no future.
    "create_sampling_session": "CreateSamplingSessionResponse",
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
# Other responses of retrieve_future, as far as the release has them.
INTERIM = ("TryAgainResponse", "RequestFailedResponse", "MetadataOnlyResponse")

# Errors reported for one body.
MAX_ERRORS = 5


@frozen
class Verdict:
    """The operation of an exchange (None if there is no such operation), and its problems."""

    operation_id: str | None
    problems: tuple[str, ...]


@frozen(eq=False)
class SpecOperation:
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
    """A specification: of one release, from `openapi/releases`, or of all releases.

    Attributes:
        document: the OpenAPI document.
        mask: replaces values in problems, which are then the same for all values of a field.
    """

    document: Json
    mask: str | None = None
    _validators: dict[str, jsonschema_rs.Draft202012Validator] = field(factory=dict)

    @property
    def operation_ids(self) -> list[str]:
        return sorted(operation.operation_id for operation in self._operations)

    def verdict(self, exchange: Exchange) -> Verdict:
        """Validate one exchange."""
        verdict = self.request_verdict(exchange.request)
        if verdict.operation_id is None:
            return verdict
        responses = self.response_verdict(exchange).problems
        return Verdict(verdict.operation_id, (*verdict.problems, *responses))

    def response_verdict(self, exchange: Exchange) -> Verdict:
        """Validate the response of an exchange; its operation is None if there is none."""
        match = self._find(exchange.request)
        if match is None:
            return Verdict(None, ())
        name = match[0].operation_id
        problems = self._response_problems(match[0], exchange)
        return Verdict(name, tuple(f"{name}: {problem}" for problem in problems))

    def request_verdict(self, request: Request) -> Verdict:
        """Validate one request."""
        match = self._find(request)
        if match is None:
            return Verdict(None, (f"{request.method} {request.path}: no such operation",))
        operation, path_values = match
        problems = [
            *self._parameter_problems(operation, request, path_values),
            *self._request_problems(operation, request),
        ]
        return Verdict(
            operation.operation_id,
            tuple(f"{operation.operation_id}: {problem}" for problem in problems),
        )

    def parameters(self, request: Request) -> dict[str, str]:
        """The path and query parameters of a request, by name."""
        match = self._find(request)
        path = {} if match is None else match[1]
        return {
            **{name: unquote(value) for name, value in path.items()},
            **dict(parse_qsl(request.query)),
        }

    @cached_property
    def _operations(self) -> list[SpecOperation]:
        operations = []
        for path, item in self.document["paths"].items():
            # `{x}` becomes a named group; paths have no other special characters.
            pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))
            for method in METHODS:
                if method in item:
                    node = item[method]
                    parameters = [*item.get("parameters", ()), *node.get("parameters", ())]
                    resolved = [self.resolved(parameter) for parameter in parameters]
                    operations.append(SpecOperation(method.upper(), pattern, node, resolved))
        return operations

    def _find(self, request: Request) -> tuple[SpecOperation, dict[str, str]] | None:
        """The operation; a path without variables (`/sessions/search`) takes precedence."""
        matches = [
            (operation, match.groupdict())
            for operation in self._operations
            if operation.method == request.method
            and (match := operation.pattern.fullmatch(request.path))
        ]
        return min(matches, key=lambda match: len(match[1]), default=None)

    def _parameter_problems(
        self, operation: SpecOperation, request: Request, path_values: dict[str, str]
    ) -> Iterator[str]:
        query = dict(parse_qsl(request.query, keep_blank_values=True))
        values = {
            "path": {name: unquote(value) for name, value in path_values.items()},
            "query": query,
            "header": request.message.headers,
        }
        documented = {item["name"] for item in operation.parameters if item["in"] == "query"}
        yield from (f"query: {name} is not documented" for name in query.keys() - documented)
        for parameter in operation.parameters:
            name, place = parameter["name"], parameter["in"]
            text = values[place].get(name.lower() if place == "header" else name)
            if text is not None:
                yield from self._schema_errors(
                    f"{place} {name}", parameter["schema"], self._read(text, parameter["schema"])
                )
            elif parameter.get("required"):
                yield f"{place}: {name} is missing"
        yield from self._security_problems(operation, request)

    def _security_problems(self, operation: SpecOperation, request: Request) -> Iterator[str]:
        """One of the documented schemes must be used; an operation may need none."""
        required = required_security(self.document, operation.node)
        schemes = self.document["components"]["securitySchemes"]
        names = [_header_of(schemes[name]) for option in required for name in option]
        if names and {} not in required and not set(names) & request.message.headers.keys():
            yield f"header: none of {', '.join(names)}"

    def _request_problems(self, operation: SpecOperation, request: Request) -> Iterator[str]:
        if "requestBody" not in operation.node:
            if request.message.body:
                yield "body: none is documented"
            return
        body = self.resolved(operation.node["requestBody"])
        if request.message.body or body.get("required"):
            yield from self._content_problems("body", body["content"], request.message)

    def _response_problems(self, operation: SpecOperation, exchange: Exchange) -> Iterator[str]:
        response = exchange.response
        documented = self._response(operation, response)
        if documented is None:
            yield f"response: status {response.status} is not documented"
            return
        where = f"response {response.status}"
        for name, header in documented.get("headers", {}).items():
            described = self.resolved(header)
            text = response.message.headers.get(name.lower())
            if text is not None:
                schema = described["schema"]
                yield from self._schema_errors(
                    f"{where} header {name}", schema, self._read(text, schema)
                )
            elif described.get("required"):
                yield f"{where}: header {name} is missing"
        content = documented.get("content", {})
        if operation.operation_id == "retrieve_future" and response.status == 200:
            content = self._narrowed(content, exchange.request, response.message)
        if content:
            yield from self._content_problems(where, content, response.message)

    def _narrowed(self, content: Json, request: Request, message: Message | None = None) -> Json:
        """Narrow the content to the responses that the type of the original request permits.

        With a JSON `message`, to the one that it is by its fields: in the tolerant form, a response
        without any of the fields of a type may be valid under that type.
        """
        result = RESULTS.get(request.message.headers.get("x-tinker-request-type", ""))
        if result is None:
            return content
        schemas = self.document["components"]["schemas"]
        names = [name for name in (result, *INTERIM) if name in schemas]
        if message is not None and message.media_type == JSON_TYPE:
            named = retrieved_type(message.body)
            names = [named if named in names else result]
        union = {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in names]}
        narrowed = {
            **content,
            JSON_TYPE: {"schema": union if len(names) > 1 else union["anyOf"][0]},
        }
        if PROTOBUF_TYPE in content:
            messages = content[PROTOBUF_TYPE]["x-protobuf"]
            matching = [message for message in messages if message.endswith(f".{result}")]
            narrowed[PROTOBUF_TYPE] = {"x-protobuf": matching}
        return narrowed

    def _response(self, operation: SpecOperation, response: Response) -> Json | None:
        responses: Json = operation.node["responses"]
        for key in (str(response.status), f"{response.status // 100}XX", "default"):
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
            yield from self._schema_errors(where, described.get("schema", {}), value)
        elif message.media_type == PROTOBUF_TYPE:
            yield from _message_problems(where, described, message)

    def _schema_errors(self, where: str, schema: Json, value: Any) -> Iterator[str]:
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            whole = {**schema, "components": self.document["components"]}
            self._validators[key] = jsonschema_rs.Draft202012Validator(
                whole, validate_formats=True, mask=self.mask
            )
        outer = self._validators[key].iter_errors(value)
        errors = itertools.chain.from_iterable(map(_specific, outer))
        for error in itertools.islice(errors, MAX_ERRORS):
            place = "/".join(str(part) for part in error.instance_path)
            yield f"{where}: {place}: {error.message[:300]}"

    def _read(self, text: str, schema: Json) -> Any:
        """Parse the text of a parameter as its schema requires."""
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

    def response_schema(self, request: Request, response: Response) -> Json | None:
        """The schema of a JSON response to `request`; None if it is not documented."""
        match = self._find(request)
        documented = match and self._response(match[0], response)
        if not match or not documented:
            return None
        content = documented.get("content", {})
        if match[0].operation_id == "retrieve_future":
            content = self._narrowed(content, request)
        schema: Json | None = content.get(JSON_TYPE, {}).get("schema")
        return schema

    def fits(self, schema: Json, value: Any) -> bool:
        """Returns True if the value is valid under the schema."""
        return not any(self._schema_errors("", schema, value))

    def resolved(self, node: Json) -> Json:
        """Follow the reference of a node, if it has one."""
        while "$ref" in node:
            target: Any = self.document
            for segment in node["$ref"].removeprefix("#/").split("/"):
                target = target[segment]
            node = target
        return node


def retrieved_type(text: bytes) -> str | None:
    """The type of a JSON response of retrieve_future by its fields; None if it is a result.

    The rule is in docs/portable.md.
    """
    try:
        value = json.loads(text)
    except ValueError:
        return None
    if not isinstance(value, dict):
        return None
    kind = value.get("type")
    if kind == "try_again" or (kind is None and "queue_state" in value):
        return "TryAgainResponse"
    if kind == "request_failed" or value.get("error") is not None:
        return "RequestFailedResponse"
    return "MetadataOnlyResponse" if value.get("status") == "complete_metadata" else None


def _specific(error: jsonschema_rs.ValidationError) -> Iterator[jsonschema_rs.ValidationError]:
    """The errors inside a nullable value, in place of the error of its union."""
    branches = getattr(error.kind, "context", ())
    inside = [branch for branch in branches if not branch[0].message.endswith('type "null"')]
    if len(inside) == 1 < len(branches):
        for inner in inside[0]:
            yield from _specific(inner)
    else:
        yield error


def _header_of(scheme: Json) -> str:
    """The lower-case name of the header with the credential of a security scheme."""
    return str(scheme["name"]).lower() if scheme["type"] == "apiKey" else "authorization"


def _message_problems(where: str, described: Json, message: Message) -> Iterator[str]:
    """The body must be one of the named messages; reports the errors for the first of them."""
    named = described.get("x-protobuf", [])
    references = [named] if isinstance(named, str) else named
    try:
        errors = [list(message_errors(name, message.decoded)) for name in references]
    except zstandard.ZstdError as error:
        yield f"{where}: {error}"
        return
    if all(errors):  # also if no message is named
        yield from (f"{where}: {error}" for error in (errors or [["no message is named"]])[0])


@lru_cache
def load_contract(release: str) -> Contract:
    """Load the contract of a kept release, which takes a second or two."""
    return Contract(load_yaml(RELEASES / f"{release}.yaml"))
