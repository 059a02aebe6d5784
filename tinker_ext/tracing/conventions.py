"""Spans and metrics of HTTP requests, and attributes of sampling, by OpenTelemetry's conventions.

Operations suppress `opentelemetry-instrumentation-httpx`, which would report each request again.
"""

from __future__ import annotations

import time
from contextvars import Token
from functools import lru_cache
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from tinker_ext.tracing import metrics, names, spans
from tinker_ext.tracing.names import Attributes, Stage
from tinker_ext.tracing.operations import Operation, current_stage

# Attributes of sampling by OpenTelemetry's conventions for GenAI clients: counts, no contents.
# Sampling continues tokens; it is not a chat.
_COMPLETION = "text_completion"
_PROVIDER = "tinker"
#: Attribute, name of the parameter in the API, and the default value, which is left out.
_PARAMETERS = (
    (names.GEN_AI_MAX_TOKENS, "max_tokens", None),
    (names.GEN_AI_TEMPERATURE, "temperature", None),
    (names.GEN_AI_TOP_P, "top_p", 1),
    (names.GEN_AI_TOP_K, "top_k", -1),
    (names.GEN_AI_SEED, "seed", None),
)


class Target(NamedTuple):
    """The name and attributes that all requests to one URL share."""

    name: str
    span_attributes: Attributes
    metric_attributes: Attributes


@lru_cache(maxsize=256)
def _target(call: str, method: str, path: str, url: str) -> Target:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    common: dict[str, Any] = {names.HTTP_METHOD: method, names.SERVER_ADDRESS: parts.hostname or ""}
    if port is not None:
        common[names.SERVER_PORT] = port
    span_attributes = {**common, names.URL_FULL: parts._replace(query="", fragment="").geturl()}
    # A path that ends with the operation's name contains no id, so it is its own template.
    if path.endswith(f"/{call}"):
        return Target(f"{method} {path}", span_attributes, {**common, names.URL_TEMPLATE: path})
    return Target(method, {**span_attributes, names.OPERATION: call}, common)


class Attempt:
    """One HTTP request of an operation."""

    def __init__(self, operation: Operation, call: str, target: Target) -> None:
        self._operation = operation
        self._call = call
        self._target = target
        self._method = str(target.metric_attributes[names.HTTP_METHOD])
        self._sent = self._received = 0
        self._outcome: dict[str, Any] = {}
        self._sizes: dict[str, Any] = {}

    def sending(self, size: int) -> None:
        """Record the size of the request body in bytes."""
        self._sent = self._sizes[names.HTTP_REQUEST_SIZE] = size
        if resends := _resends(self._operation, self._call):
            self._sizes[names.HTTP_RESEND_COUNT] = resends

    def responded(self, status: int, size: int) -> None:
        """Record the status code and the size of the response body in bytes."""
        self._received = self._sizes[names.HTTP_RESPONSE_SIZE] = size
        self._outcome[names.HTTP_STATUS] = status
        if status >= 400:
            self._outcome[names.ERROR_TYPE] = str(status)
            self._span.set_status(Status(StatusCode.ERROR))

    def __enter__(self) -> Self:
        self._span: Span = trace.INVALID_SPAN
        self._attached: Token[Context] | None = None
        if self._operation.detailed:
            name, attributes, _ = self._target
            parent = otel_context.get_current()
            self._span = spans.start(name, attributes, kind=SpanKind.CLIENT, parent=parent)
            self._attached = otel_context.attach(trace.set_span_in_context(self._span, parent))
        self._started = time.perf_counter()
        if self._operation.measured:
            metrics.in_flight(self._method, 1)
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if self._attached is not None:
            otel_context.detach(self._attached)
        if error is not None:
            self._outcome[names.ERROR_TYPE] = type(error).__name__
            spans.fail(self._span, error)
        if self._operation.detailed:
            self._span.set_attributes({**self._outcome, **self._sizes})
            self._span.end()
        if self._operation.measured:
            metrics.in_flight(self._method, -1)
            seconds = time.perf_counter() - self._started
            attributes = {**self._target.metric_attributes, **self._outcome}
            metrics.request_ended(seconds, self._sent, self._received, attributes)


class CountedAttempt(Attempt):
    """A request without a span or metrics of its own; it only counts for its operation."""

    def __init__(self, operation: Operation, call: str) -> None:
        self._operation = operation
        self._call = call

    def sending(self, size: int) -> None:
        _resends(self._operation, self._call)

    def responded(self, status: int, size: int) -> None:
        """Does nothing: failures are events of the operation."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Does nothing."""


def _resends(operation: Operation, call: str) -> int:
    """Count an attempt and return the number of previous ones. Polls are not resends."""
    if call == "retrieve_future":
        return 0
    operation.attempts += 1
    stage = current_stage.get()
    if stage is None or stage.name is not Stage.SUBMIT:
        return 0
    stage.attempts += 1
    return stage.attempts - 1


def attempt(operation: Operation, call: str, method: str, path: str, url: object) -> Attempt:
    """Trace the block as an HTTP request of an observed operation.

    `url` is the request URL without the query; it is only converted to text if it is reported.
    """
    if not operation.staged:
        return CountedAttempt(operation, call)
    return Attempt(operation, call, _target(call, method, path, str(url)))


def sample_attributes(
    model: str | None, *, prompt_tokens: int, num_samples: int, params: object
) -> Attributes:
    """The attributes of a sample request; `params` are the API's sampling parameters."""
    attributes: dict[str, Any] = {
        names.GEN_AI_OPERATION: _COMPLETION,
        names.GEN_AI_PROVIDER: _PROVIDER,
        **model_attributes(model),
        names.GEN_AI_INPUT_TOKENS: prompt_tokens,
    }
    # By the conventions, the count is left out if it is one.
    if num_samples != 1:
        attributes[names.GEN_AI_CHOICES] = num_samples
    for name, parameter, default in _PARAMETERS:
        value = getattr(params, parameter, None)
        if value != default and isinstance(value, int | float):
            attributes[name] = value
    return attributes


def model_attributes(model: str | None) -> Attributes:
    """The model as an attribute: its name or the path of its checkpoint."""
    return {} if model is None else {names.GEN_AI_MODEL: model}


def record_usage(operation: Operation, body: object) -> None:
    """Add token counts and stop reasons of a sample result to an operation.

    A result that is decoded later provides them through its `outline` method.
    """
    result = body if isinstance(body, dict) else _outline(body)
    items = result.get("sequences")
    if not isinstance(items, list):
        return
    sequences = [sequence for sequence in items if isinstance(sequence, dict)]
    operation.set(
        {
            names.GEN_AI_OUTPUT_TOKENS: sum(_length(seq.get("tokens")) for seq in sequences),
            names.GEN_AI_FINISH_REASONS: [str(seq.get("stop_reason")) for seq in sequences],
        }
    )


def _outline(body: object) -> dict[str, Any]:
    """The outline of a result that is not decoded yet; empty for other objects."""
    method = getattr(body, "outline", None)
    outline = method() if callable(method) else None
    return outline if isinstance(outline, dict) else {}


def _length(tokens: object) -> int:
    return len(tokens) if isinstance(tokens, list | range) else 0
