"""The stages of an operation, as spans and as durations.

A stage belongs to the current operation. Without an SDK, a recording or a meter provider, a stage
only costs the lookup of a context variable; the functions for those of every request then return
None, so that the request passes through no context manager.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Self

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context

from tinker_ext.tracing import metrics, names, spans
from tinker_ext.tracing.logs import log_request_id
from tinker_ext.tracing.names import Attributes, Stage
from tinker_ext.tracing.operations import (
    Operation,
    current_operation,
    observed_operation,
)

_stage: ContextVar[RunningStage | None] = ContextVar("tinker_ext_stage", default=None)
_NO_STAGE: AbstractContextManager[Any] = nullcontext()


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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
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
            self._token = current_operation.set(self._operation)
        self._started = spans.now()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        elapsed = spans.now() - self._started
        if elapsed >= names.SHORTEST_SPAN:
            self._record(elapsed, error)
        if self._made_current:
            current_operation.reset(self._token)

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
    current = current_operation.get()
    if current is None or not current.active:
        return _NO_STAGE
    if name in names.SHORT_STAGES:
        return ShortStage(current, name) if current.staged else _NO_STAGE
    # A pause always has a span, because it explains a slow operation.
    if current.detailed or name is Stage.PAUSE:
        return RunningStage(current, name, span_attributes=attributes or {})
    return RunningStage(current, name)


def current_stage() -> RunningStage | None:
    """The innermost stage of this thread or task."""
    return _stage.get()


def submitting(session_id: str | None, key: str) -> AbstractContextManager[Any] | None:
    """The stage of sending a request until it is accepted; `key` is its idempotency key."""
    current = current_operation.get()
    if current is None or not current.active:
        return None
    if session_id is not None:
        current.set({names.SESSION_ID: session_id})
    return _request_stage(current, Stage.SUBMIT, key)


def on_server(request_id: str) -> AbstractContextManager[Any] | None:
    """The stage in which the server has the request and the client polls for its result."""
    current = current_operation.get()
    if current is None or not current.active:
        return None
    return _request_stage(current, Stage.SERVER, request_id)


def _request_stage(operation: Operation, name: Stage, request_id: str) -> RunningStage:
    span_attributes: Attributes | None = {} if operation.detailed else None
    return RunningStage(operation, name, span_attributes=span_attributes, request_id=request_id)


def fetching(call: str, status: int) -> AbstractContextManager[Any] | None:
    """The stage of reading a response body; no stage unless the body is a result."""
    if call != "retrieve_future" or status != 200 or observed_operation() is None:
        return None
    return stage(Stage.FETCH)


def waiting(operation: Operation | None) -> AbstractContextManager[Any] | None:
    """The stage in which the user waits for the result of `operation`."""
    if operation is None or not operation.staged:
        return None
    return ShortStage(operation, Stage.WAIT, on_caller_thread=True)


def decoding(operation: Operation | None) -> AbstractContextManager[None] | None:
    """The stage of decoding the result on this thread, possibly long after `operation` ended."""
    if operation is None or not operation.staged:
        return None
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
