"""Attempts: one HTTP request each, by the conventions for HTTP clients, and `traceparent`.

`opentelemetry-instrumentation-httpx` would report the same requests once more, from below; it is
told not to, by the context key that exists for this.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import _SUPPRESS_HTTP_INSTRUMENTATION_KEY as _SUPPRESS
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tinker_ext.tracing import metrics, names, spans
from tinker_ext.tracing.names import Stage
from tinker_ext.tracing.operations import Operation, current_operation
from tinker_ext.tracing.stages import current_stage

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from types import TracebackType

_propagator = TraceContextTextMapPropagator()


class Attempt:
    """One HTTP request of an operation."""

    def __init__(self, of: Operation, call: str, method: str, path: str) -> None:
        self._of = of
        self._call = call
        self._method = method
        self._sent = self._received = 0
        # A path that is the operation's name has no id in it, and is its own template.
        self._template = path if path.endswith(f"/{call}") else None
        name = method if self._template is None else f"{method} {path}"
        self._described: dict[str, Any] = {names.HTTP_METHOD: method}
        if self._template is not None:
            self._described[names.URL_TEMPLATE] = self._template
        self._details: dict[str, Any] = {}
        self._span: Span = (
            spans.start(name, {names.OPERATION: call}, kind=SpanKind.CLIENT)
            if of.detailed
            else trace.INVALID_SPAN
        )

    def sending(self, url: str, size: int) -> None:
        """The request is built: its URL without the query, and the bytes of its body."""
        self._sent = size
        self._described |= _server(url)
        self._details = {names.URL_FULL: url, names.HTTP_REQUEST_SIZE: size}
        if resends := self._resends():
            self._details[names.HTTP_RESEND_COUNT] = resends

    def answered(self, status: int, size: int) -> None:
        """The answer is here: its status, and the bytes of its body."""
        self._received = size
        self._described[names.HTTP_STATUS] = status
        self._details[names.HTTP_RESPONSE_SIZE] = size
        if status >= 400:
            self._described[names.ERROR_TYPE] = str(status)
            self._span.set_status(Status(StatusCode.ERROR))

    def _resends(self) -> int:
        """How many attempts came before; polls are not repetitions of each other."""
        stage = current_stage()
        if self._call == "retrieve_future":
            return 0
        self._of.attempts += 1
        if stage is None or stage.name is not Stage.SUBMIT:
            return 0
        stage.attempts += 1
        return stage.attempts - 1

    def __enter__(self) -> Self:
        here = otel_context.set_value(_SUPPRESS, True, spans.below(self._span))
        self._token = otel_context.attach(
            here if self._of.detailed else otel_context.set_value(_SUPPRESS, True)
        )
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
        otel_context.detach(self._token)
        if error is not None:
            self._described[names.ERROR_TYPE] = type(error).__name__
            spans.fail(self._span, error)
        self._span.set_attributes({**self._described, **self._details})
        self._span.end()
        if self._of.measured:
            metrics.in_flight(self._method, -1)
            seconds = time.perf_counter() - self._began
            metrics.request_ended(seconds, self._sent, self._received, self._described)


@lru_cache
def _server(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    address: dict[str, Any] = {names.SERVER_ADDRESS: parts.hostname or ""}
    return address if port is None else {**address, names.SERVER_PORT: port}


def attempt(call: str, method: str, path: str) -> AbstractContextManager[Attempt | None]:
    """An HTTP request of the current operation, for the block; None where nobody looks."""
    current = current_operation()
    if current is None or not current.active:
        return nullcontext()
    return Attempt(current, call, method, path)


def trace_headers() -> dict[str, str]:
    """`traceparent`, and `tracestate` where there is one, of the current span; else nothing.

    Never baggage, which holds whatever the program put there.
    """
    headers: dict[str, str] = {}
    if trace.get_current_span().get_span_context().is_valid:
        _propagator.inject(headers)
    return headers
