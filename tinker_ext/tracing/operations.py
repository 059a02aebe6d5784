"""Traces the user's operations and their stages, as spans and as durations.

An operation begins on the caller's thread, is handed over to the event loop with its request, and
ends there with the result. The current operation is a context variable, which `asyncio` copies
into each task, so it is not passed as an argument. A second context variable holds it only if an
SDK, a recording or a meter provider observes it, which is decided once, when it begins: code that
reports to an operation looks there, and does nothing else if there is none. The functions for the
stages and requests of every call take the operation, so they are only called if something observes
it.
"""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar, Token
from typing import Any, Self

from opentelemetry import context as otel_context
from opentelemetry.context import _SUPPRESS_HTTP_INSTRUMENTATION_KEY as _SUPPRESS
from opentelemetry.context import Context
from opentelemetry.metrics import get_meter_provider
from opentelemetry.trace import (
    INVALID_SPAN,
    ProxyTracerProvider,
    Span,
    SpanKind,
    get_current_span,
    get_tracer_provider,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tinker_ext.tracing import metrics, names, spans
from tinker_ext.tracing.logs import log_request_id
from tinker_ext.tracing.names import Attributes, Stage

#: The current operation of a thread or task.
current_operation: ContextVar[Operation | None] = ContextVar("tinker_ext_operation", default=None)
#: The current operation if an SDK, a recording or a meter provider observes it.
observed_operation: ContextVar[Operation | None] = ContextVar("tinker_ext_observed", default=None)
#: The innermost stage of a thread or task.
current_stage: ContextVar[RunningStage | None] = ContextVar("tinker_ext_stage", default=None)

_NO_STAGE: AbstractContextManager[Any] = nullcontext()
_propagator = TraceContextTextMapPropagator()

# The modules that hold the providers of the program, in variables that are None until it sets one.
# They are not public, but without a provider the functions look up an environment variable on each
# call. If a variable is missing, the function is called.
_TRACE_API = sys.modules[get_tracer_provider.__module__]
_METRICS_API = sys.modules[get_meter_provider.__module__]


class TokenBucket:
    """Limits how many operations are traced in detail, to bound the cost of tracing; thread-safe.

    A span costs the SDK and its exporter about a tenth of a sample's processor time, and a sample
    traced in detail has five. A program that makes a few calls per second gets the details of all
    of them. A program that makes hundreds gets a span and the errors of each operation, and the
    details of some.
    """

    def __init__(self, capacity: int, per_second: float) -> None:
        self._capacity = self._tokens = float(capacity)
        self._per_second = per_second
        self._updated = time.monotonic()
        self._lock = threading.Lock()

    def set_rate(self, per_second: float) -> None:
        """Change the refill rate; infinity removes the limit."""
        with self._lock:
            self._per_second = per_second

    def take(self, now: float | None = None) -> bool:
        """Take a token; False if there is none. `now` is in seconds of the monotonic clock."""
        now = time.monotonic() if now is None else now
        with self._lock:
            if self._per_second == math.inf:
                return True
            earned = max(0.0, now - self._updated) * self._per_second
            self._tokens = min(self._capacity, self._tokens + earned)
            self._updated = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True


#: Shared by all clients of the process, because the process bears the cost of its spans. The rate
#: is chosen for the costs above.
detail_bucket = TokenBucket(capacity=100, per_second=5.0)


class Operation:
    """A running operation; as a context manager, it makes itself the current operation.

    Leaving the context ends the operation, unless it was handed over to a task, which then ends it.

    Attributes:
        active: an SDK, a recording or a meter provider observes the operation.
        detailed: its stages and requests have spans. In a recording they always do.
        measured: the program has a meter provider.
        staged: its stages and requests have spans or metrics.
        handed_over: a task ends the operation by `finish`, instead of the context.
        attempts: HTTP requests sent so far, without polls.
        headers: the trace headers of its requests, once known.
    """

    # Of an operation that nothing observes; most programs have neither an SDK nor a recording.
    span: Span = INVALID_SPAN
    active = detailed = measured = staged = handed_over = False
    attempts = 0
    headers: Mapping[str, str] | None = None
    _attached: Token[Context] | None = None

    def __init__(self, name: str, attributes: Attributes) -> None:
        self.name = name
        traced = spans.current_recorder is not None
        if getattr(_TRACE_API, "_TRACER_PROVIDER", True) is not None:
            traced = traced or not isinstance(get_tracer_provider(), ProxyTracerProvider)
        if getattr(_METRICS_API, "_METER_PROVIDER", True) is not None:
            provider = type(get_meter_provider())
            self.measured = not provider.__module__.startswith("opentelemetry.metrics")
        if traced or self.measured:
            self._begin(name, attributes)

    def _begin(self, name: str, attributes: Attributes) -> None:
        self.span = spans.start(names.span_name(name), attributes, kind=SpanKind.CLIENT)
        recorded = isinstance(self.span, spans.RecordedSpan)
        recording = self.span.is_recording()
        self.detailed = recorded or (recording and detail_bucket.take())
        self.active = recording or self.measured
        self.staged = self.detailed or self.measured
        self._attributes: dict[str, Any] = dict(attributes) if self.active else {}
        self._initial = attributes
        self._ended = False
        self._started = time.perf_counter()
        if isinstance(self.span, spans.RecordedSpan):
            self.span.begin()

    def set(self, attributes: Attributes) -> None:
        """Set attributes; they are added to the span together when the operation ends."""
        if self.active:
            self._attributes.update(attributes)

    def append(self, name: str, value: str | int) -> None:
        """Append an id to a list attribute: an operation may have many requests."""
        if self.active:
            item = value[: names.MAX_TEXT] if isinstance(value, str) else value
            self._attributes[name] = (*self._attributes.get(name, ()), item)

    def finish(self, error: BaseException | None = None) -> None:
        """End the operation; further calls do nothing. `error` is the reason of its failure."""
        if not self.active or self._ended:
            return
        self._ended = True
        if error is not None:
            spans.fail(self.span, error)
        if self.attempts > len(self._attributes.get(names.REQUEST_ID, ())):
            self._attributes[names.ATTEMPT_COUNT] = self.attempts
        self.span.set_attributes(self._added_attributes())
        self.span.end()
        if self.measured:
            seconds = time.perf_counter() - self._started
            metrics.operation_ended(self.name, seconds, self._attributes, error)

    def _added_attributes(self) -> Attributes:
        """Attributes the span was not started with; setting one costs the SDK microseconds."""
        initial = self._initial
        if not initial:
            return self._attributes
        return {n: value for n, value in self._attributes.items() if initial.get(n) != value}

    def __enter__(self) -> Self:
        self._token = current_operation.set(self)
        self._observed_token = observed_operation.set(self if self.active else None)
        if self.active or self.span is not INVALID_SPAN:
            context = spans.below(self.span)
            if self.active:
                # Instrumentation of httpx would report the requests a second time.
                context = otel_context.set_value(_SUPPRESS, True, context)
            self._attached = otel_context.attach(context)
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if self._attached is not None:
            otel_context.detach(self._attached)
        observed_operation.reset(self._observed_token)
        current_operation.reset(self._token)
        if self.active and (error is not None or not self.handed_over):
            self.finish(error)


def operation(name: str, attributes: Attributes | None = None) -> AbstractContextManager[Operation]:
    """Run the block as an operation.

    Several layers of one call may begin the same operation: until it is handed over, beginning an
    operation of the same name returns the current one and adds the attributes to it.
    """
    current = current_operation.get()
    if current is not None and current.name == name and not current.handed_over:
        current.set(attributes or {})
        return nullcontext(current)
    return Operation(name, attributes or {})


def trace_headers() -> Mapping[str, str]:
    """`traceparent` and, if set, `tracestate` of the current span; empty if there is no span.

    Never includes baggage, which may contain any data of the program.
    """
    operation = current_operation.get()
    span = INVALID_SPAN if operation is None else operation.span
    if span is not INVALID_SPAN and span is not get_current_span():
        operation = None  # The span of a stage or a request is inside that of the operation.
    if operation is not None and operation.headers is not None:
        return operation.headers
    headers: dict[str, str] = {}
    if get_current_span().get_span_context().is_valid:
        _propagator.inject(headers)
    if operation is not None:
        operation.headers = headers
    return headers


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
            self._attached = otel_context.attach(set_span_in_context(self._span, parent))
        self._token = current_stage.set(self)
        if self._request_id is not None:
            self._log_token = log_request_id.set(self._request_id)
        self._started = time.perf_counter()
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if self._request_id is not None:
            log_request_id.reset(self._log_token)
        current_stage.reset(self._token)
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
    current = current_stage.get()
    if current is not None:
        current.polled(state, reason)


def retrying(attempt: int, delay: float, reason: str, error: Exception) -> None:
    """Record that attempt number `attempt` failed and the next one follows in `delay` seconds."""
    current = current_stage.get()
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
    current = current_stage.get()
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
