"""Attempts: one HTTP request each, by the conventions for HTTP clients, and `traceparent`.

`opentelemetry-instrumentation-httpx` would report the same requests once more, from below; the
operation tells it not to.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import urlsplit

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tinker_ext.tracing import metrics, names, spans
from tinker_ext.tracing.names import Stage
from tinker_ext.tracing.operations import Operation, current_operation
from tinker_ext.tracing.stages import current_stage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from contextvars import Token
    from types import TracebackType

    from opentelemetry.context import Context

    from tinker_ext.tracing.names import Attributes

_NOTHING: AbstractContextManager[None] = nullcontext()
_propagator = TraceContextTextMapPropagator()


class Target(NamedTuple):
    """What is known of a request before it is sent, and the same for all of its kind."""

    name: str
    of_span: Attributes
    of_metrics: Attributes


@lru_cache(maxsize=256)
def _target(call: str, method: str, path: str, url: str) -> Target:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    common: dict[str, Any] = {names.HTTP_METHOD: method, names.SERVER_ADDRESS: parts.hostname or ""}
    if port is not None:
        common[names.SERVER_PORT] = port
    of_span = {**common, names.URL_FULL: parts._replace(query="", fragment="").geturl()}
    # A path that is the operation's name has no id in it, is its own template, and names the span.
    if path.endswith(f"/{call}"):
        return Target(f"{method} {path}", of_span, {**common, names.URL_TEMPLATE: path})
    return Target(method, {**of_span, names.OPERATION: call}, common)


class Attempt:
    """One HTTP request of an operation."""

    def __init__(self, of: Operation, call: str, target: Target) -> None:
        self._of = of
        self._call = call
        self._target = target
        self._method = str(target.of_metrics[names.HTTP_METHOD])
        self._sent = self._received = 0
        self._outcome: dict[str, Any] = {}
        self._sizes: dict[str, Any] = {}

    def sending(self, size: int) -> None:
        """The request is built: the bytes of its body."""
        self._sent = self._sizes[names.HTTP_REQUEST_SIZE] = size
        if resends := _resends(self._of, self._call):
            self._sizes[names.HTTP_RESEND_COUNT] = resends

    def answered(self, status: int, size: int) -> None:
        """The answer is here: its status, and the bytes of its body."""
        self._received = self._sizes[names.HTTP_RESPONSE_SIZE] = size
        self._outcome[names.HTTP_STATUS] = status
        if status >= 400:
            self._outcome[names.ERROR_TYPE] = str(status)
            self._span.set_status(Status(StatusCode.ERROR))

    def __enter__(self) -> Self:
        self._span: Span = trace.INVALID_SPAN
        self._attached: Token[Context] | None = None
        if self._of.detailed:
            name, attributes, _ = self._target
            here = otel_context.get_current()
            self._span = spans.start(name, attributes, kind=SpanKind.CLIENT, parent=here)
            self._attached = otel_context.attach(trace.set_span_in_context(self._span, here))
        self._began = time.perf_counter()
        if self._of.measured:
            metrics.in_flight(self._method, 1)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._attached is not None:
            otel_context.detach(self._attached)
        if error is not None:
            self._outcome[names.ERROR_TYPE] = type(error).__name__
            spans.fail(self._span, error)
        if self._of.detailed:
            self._span.set_attributes({**self._outcome, **self._sizes})
            self._span.end()
        if self._of.measured:
            metrics.in_flight(self._method, -1)
            seconds = time.perf_counter() - self._began
            described = {**self._target.of_metrics, **self._outcome}
            metrics.request_ended(seconds, self._sent, self._received, described)


class CountedAttempt(Attempt):
    """A request of which only its operation tells: it is counted."""

    def __init__(self, of: Operation, call: str) -> None:
        self._of = of
        self._call = call

    def sending(self, size: int) -> None:
        _resends(self._of, self._call)

    def answered(self, status: int, size: int) -> None:
        """The operation's events tell of failures."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing has been begun."""


def _resends(of: Operation, call: str) -> int:
    """How many attempts came before; polls are not repetitions of each other."""
    if call == "retrieve_future":
        return 0
    of.attempts += 1
    stage = current_stage()
    if stage is None or stage.name is not Stage.SUBMIT:
        return 0
    stage.attempts += 1
    return stage.attempts - 1


def attempt(
    call: str, method: str, path: str, url: object
) -> AbstractContextManager[Attempt | None]:
    """An HTTP request of the current operation, for the block; None where nobody looks.

    `url` is what goes out but for its query; it is turned into text only where somebody looks.
    """
    current = current_operation()
    if current is None or not current.active:
        return _NOTHING
    if not current.staged:
        return CountedAttempt(current, call)
    return Attempt(current, call, _target(call, method, path, str(url)))


def trace_headers() -> Mapping[str, str]:
    """`traceparent`, and `tracestate` where there is one, of the current span; else nothing.

    Never baggage, which holds whatever the program put there.
    """
    span = trace.get_current_span()
    current = current_operation()
    if current is None or current.span is not span:
        return _headers_of(span)
    if current.headers is None:
        current.headers = _headers_of(span)
    return current.headers


def _headers_of(span: Span) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    if span.get_span_context().is_valid:
        _propagator.inject(headers)
    return headers
