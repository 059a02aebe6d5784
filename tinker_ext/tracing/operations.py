"""Traces the user's operations, as spans and as durations.

An operation begins on the caller's thread, is handed over to the event loop with its request, and
ends there with the result. The current operation is a context variable, which `asyncio` copies
into each task, so it is not passed as an argument.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Self

from opentelemetry import context as otel_context
from opentelemetry.context import _SUPPRESS_HTTP_INSTRUMENTATION_KEY as _SUPPRESS
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind

from tinker_ext.tracing import metrics, names, spans
from tinker_ext.tracing.names import Attributes
from tinker_ext.tracing.recording import RecordedSpan
from tinker_ext.tracing.token_bucket import detail_bucket

#: The current operation of a thread or task.
current_operation: ContextVar[Operation | None] = ContextVar("tinker_ext_operation", default=None)


class Operation:
    """A running operation; as a context manager, it makes itself the current operation.

    Leaving the context ends the operation, unless it was handed over to a task, which then ends it.

    Attributes:
        active: an SDK, a recording or a meter provider observes the operation.
        detailed: its stages and requests have spans. In a recording they always do.
        measured: the program has a meter provider.
        staged: its stages and requests have spans or metrics.
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
        if spans.observed():
            self._begin(name, attributes)

    def _begin(self, name: str, attributes: Attributes) -> None:
        self.span = spans.start(names.span_name(name), attributes, kind=SpanKind.CLIENT)
        recorded = isinstance(self.span, RecordedSpan)
        recording = self.span.is_recording()
        self.detailed = recorded or (recording and detail_bucket.take())
        self.measured = metrics.enabled()
        self.active = recording or self.measured
        self.staged = self.detailed or self.measured
        self._attributes: dict[str, Any] = dict(attributes) if self.active else {}
        self._initial = attributes
        self._ended = False
        self._started = time.perf_counter()
        if isinstance(self.span, RecordedSpan):
            self.span.begin()

    def set(self, attributes: Attributes) -> None:
        """Set attributes; they are added to the span together when the operation ends."""
        if self.active:
            self._attributes.update(attributes)

    def append(self, name: str, value: str | int) -> None:
        """Append a value to a list attribute."""
        if self.active:
            self.set({name: (*self._attributes.get(name, ()), value)})

    def hand_over(self) -> None:
        """Let a task end the operation by `finish`, instead of the context."""
        self.handed_over = True

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
        if self.active or self.span is not INVALID_SPAN:
            context = spans.below(self.span)
            if self.active:
                # Instrumentation of httpx would report the requests a second time.
                context = otel_context.set_value(_SUPPRESS, True, context)
            self._attached = otel_context.attach(context)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._attached is not None:
            otel_context.detach(self._attached)
        current_operation.reset(self._token)
        if error is not None or not self.handed_over:
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


def observed_operation() -> Operation | None:
    """The current operation if an SDK, a recording or a meter provider observes it."""
    current = current_operation.get()
    return current if current is not None and current.active else None


def pending_operation() -> Operation | None:
    """The current operation if it has not been handed over yet."""
    current = current_operation.get()
    return None if current is None or current.handed_over else current


def annotate(attributes: Attributes) -> None:
    """Set attributes of the current operation, if there is one."""
    current = current_operation.get()
    if current is not None and current.active:
        current.set(attributes)


def annotate_detailed(attributes: Attributes) -> None:
    """Like `annotate`, but only for operations traced in detail: the others have equal values."""
    current = current_operation.get()
    if current is not None and current.detailed:
        current.set(attributes)


def append_id(name: str, value: str | int) -> None:
    """Append an id to a list attribute of the current operation, which may have many requests."""
    current = current_operation.get()
    if current is not None and current.active:
        current.append(name, value[: names.MAX_TEXT] if isinstance(value, str) else value)
