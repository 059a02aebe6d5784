"""The stages and HTTP requests of an operation, as spans and as durations, and `traceparent`.

A stage belongs to the current operation; without an SDK, a recording or a meter provider it only
costs the lookup of a context variable. The functions for the stages and requests of every call take
the operation, so they are only called if something observes it.

Requests follow the conventions for HTTP clients. Operations suppress
`opentelemetry-instrumentation-httpx`, which would report each request again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar, Token
from functools import lru_cache
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tinker_ext.tracing import metrics, names, spans
from tinker_ext.tracing.logs import log_request_id
from tinker_ext.tracing.names import Attributes, Stage
from tinker_ext.tracing.operations import Operation, current_operation, observed_operation

_stage: ContextVar[RunningStage | None] = ContextVar("tinker_ext_stage", default=None)
_NO_STAGE: AbstractContextManager[Any] = nullcontext()
_propagator = TraceContextTextMapPropagator()


class RunningStage:
    """A stage in which requests are sent or the operation pauses.

    With `span_attributes` it has a span, which is the current span inside the stage. Without them
    its events are added to the span of the operation. Messages logged inside it have `request_id`.
    """

    __slots__ = (
        "_attached",
        "_log_token",
        "_paused_since",
        "_request_id",
        "_span",
        "_span_attributes",
        "_started",
        "_token",
        "attempts",
        "name",
        "operation",
    )

    def __init__(
        self,
        operation: Operation,
        name: Stage,
        *,
        span_attributes: Attributes | None = None,
        request_id: str | None = None,
    ) -> None:
        self.operation = operation
        self.name = name
        self.attempts = 0
        self._span = operation.span
        self._span_attributes = span_attributes
        self._attached: Token[Context] | None = None
        self._paused_since: float | None = None
        self._request_id = request_id

    def polled(self, state: str, reason: str | None) -> None:
        """Record a poll whose response says that the result is not ready."""
        attributes = {names.QUEUE_STATE: state}
        if reason:
            attributes[names.QUEUE_REASON] = reason[: names.MAX_TEXT]
        self.add_event(names.POLL_EVENT, attributes)
        self._record_queue_wait()
        if state.startswith("paused"):
            self._paused_since = time.perf_counter()

    def add_event(self, event: str, attributes: Attributes) -> None:
        self._span.add_event(event, attributes)

    def _record_queue_wait(self) -> None:
        if self._paused_since is not None and self.operation.measured:
            metrics.queued(self.operation.name, time.perf_counter() - self._paused_since)
        self._paused_since = None

    def __enter__(self) -> Self:
        if self._span_attributes is not None:
            parent = otel_context.get_current()
            name = names.STAGE_SPANS[self.name]
            self._span = spans.start(name, self._span_attributes, parent=parent)
            self._attached = otel_context.attach(trace.set_span_in_context(self._span, parent))
        self._token = _stage.set(self)
        if self._request_id is not None:
            self._log_token = log_request_id.set(self._request_id)
        self._started = time.perf_counter()
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if self._request_id is not None:
            log_request_id.reset(self._log_token)
        _stage.reset(self._token)
        self._record_queue_wait()
        if self.operation.measured:
            seconds = time.perf_counter() - self._started
            metrics.stage_ended(self.operation.name, self.name, seconds)
        if self._attached is not None:
            otel_context.detach(self._attached)
            if error is not None:
                spans.fail(self._span, error)
            self._span.end()


class ShortStage:
    """A stage that contains no requests; it is only recorded if it takes a millisecond.

    A span costs a tenth of a millisecond, and a sample would have ten of these stages.
    """

    __slots__ = ("_made_current", "_name", "_on_caller_thread", "_operation", "_started", "_token")

    def __init__(
        self,
        operation: Operation,
        name: Stage,
        *,
        on_caller_thread: bool = False,
        make_current: bool = False,
    ) -> None:
        self._operation = operation
        self._name = name
        # There the operation is not current, so its span is not the implicit parent.
        self._on_caller_thread = on_caller_thread
        self._made_current = make_current

    def __enter__(self) -> None:
        if self._made_current:
            self._token = observed_operation.set(self._operation)
        self._started = spans.now()

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        elapsed = spans.now() - self._started
        if elapsed >= names.SHORTEST_SPAN:
            self._record(elapsed, error)
        if self._made_current:
            observed_operation.reset(self._token)

    def _record(self, elapsed: int, error: BaseException | None) -> None:
        operation = self._operation
        if operation.detailed:
            parent = spans.below(operation.span) if self._on_caller_thread else None
            name = names.STAGE_SPANS[self._name]
            span = spans.start(name, {}, parent=parent, start_time=self._started)
            if error is not None:
                spans.fail(span, error)
            span.end()
        if operation.measured:
            metrics.stage_ended(operation.name, self._name, elapsed / 1e9)


def stage(name: Stage, attributes: Attributes | None = None) -> AbstractContextManager[Any]:
    """Run the block as a stage of the current operation."""
    current = observed_operation.get()
    if current is None:
        return _NO_STAGE
    if name in names.SHORT_STAGES:
        return ShortStage(current, name) if current.staged else _NO_STAGE
    # A pause always has a span, because it explains a slow operation.
    if current.detailed or name is Stage.PAUSE:
        return RunningStage(current, name, span_attributes=attributes or {})
    return RunningStage(current, name)


def submitting(operation: Operation, session_id: str | None, key: str) -> RunningStage:
    """The stage of sending a request until it is accepted; `key` is its idempotency key."""
    if session_id is not None:
        operation.set({names.SESSION_ID: session_id})
    return _request_stage(operation, Stage.SUBMIT, key)


def on_server(operation: Operation, request_id: str) -> RunningStage:
    """The stage in which the server has the request and the client polls for its result."""
    return _request_stage(operation, Stage.SERVER, request_id)


def _request_stage(operation: Operation, name: Stage, request_id: str) -> RunningStage:
    span_attributes: Attributes | None = {} if operation.detailed else None
    return RunningStage(operation, name, span_attributes=span_attributes, request_id=request_id)


def fetching(call: str, status: int) -> AbstractContextManager[Any]:
    """The stage of reading a response body; no stage unless the body is a result."""
    return stage(Stage.FETCH) if call == "retrieve_future" and status == 200 else _NO_STAGE


def waiting(operation: Operation) -> ShortStage:
    """The stage in which the user waits for the result of a staged operation."""
    return ShortStage(operation, Stage.WAIT, on_caller_thread=True)


def decoding(operation: Operation) -> ShortStage:
    """The stage of decoding the result on this thread, possibly long after `operation` ended."""
    return ShortStage(operation, Stage.DECODE, on_caller_thread=True, make_current=True)


def polled(state: str, reason: str | None = None) -> None:
    """Record a poll without a result, and the state of the server's queue."""
    current = _stage.get()
    if current is not None:
        current.polled(state, reason)


def retrying(attempt: int, delay: float, reason: str, error: Exception) -> None:
    """Record that attempt number `attempt` failed and the next one follows in `delay` seconds."""
    current = _stage.get()
    if current is None:
        return
    cause = _cause(error)
    attributes: Attributes = {
        names.ATTEMPT: attempt,
        names.RETRY_DELAY: delay,
        names.RETRY_REASON: reason[: names.MAX_TEXT],
        names.ERROR_TYPE: cause,
    }
    current.add_event(names.RETRY_EVENT, attributes)
    if current.operation.measured:
        metrics.retried(current.operation.name, cause)


def gave_up(attempts: int, reason: str, error: Exception) -> None:
    """Record that attempt number `attempts` failed and there is no further attempt."""
    current = _stage.get()
    if current is None:
        return
    attributes: Attributes = {
        names.ATTEMPT: attempts,
        names.RETRY_REASON: reason[: names.MAX_TEXT],
        names.ERROR_TYPE: _cause(error),
    }
    current.add_event(names.GAVE_UP_EVENT, attributes)


def _cause(error: Exception) -> str:
    """The HTTP status code if there is one, else the class of the error."""
    status = getattr(error, "status_code", None)
    return type(error).__name__ if status is None else str(status)


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
    stage = _stage.get()
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


def trace_headers() -> Mapping[str, str]:
    """`traceparent` and, if set, `tracestate` of the current span; empty if there is no span.

    Never includes baggage, which may contain any data of the program.
    """
    operation = current_operation.get()
    span = INVALID_SPAN if operation is None else operation.span
    if span is not INVALID_SPAN and span is not trace.get_current_span():
        operation = None  # The span of a stage or a request is inside that of the operation.
    if operation is not None and operation.headers is not None:
        return operation.headers
    headers: dict[str, str] = {}
    if trace.get_current_span().get_span_context().is_valid:
        _propagator.inject(headers)
    if operation is not None:
        operation.headers = headers
    return headers
