"""A user's operation and its stages, as spans and as durations.

An operation begins on the thread of the user who calls it, is handed to the event loop with its
request, and ends there with the result. What is current travels in context variables, which
`asyncio` copies into every task, so no function needs an argument for it. Where there is neither
an SDK nor a recording, a stage costs one look at a context variable.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, nullcontext
from contextvars import Context, ContextVar, Token
from typing import TYPE_CHECKING, Any, Self

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind

from tinker_ext.tracing import metrics, names, spans
from tinker_ext.tracing.names import Stage
from tinker_ext.tracing.recording import RecordedSpan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from types import TracebackType

    from tinker_ext.tracing.names import Attributes

_operation: ContextVar[Operation | None] = ContextVar("tinker_ext_operation", default=None)
_stage: ContextVar[RunningStage | None] = ContextVar("tinker_ext_stage", default=None)
_NOTHING: AbstractContextManager[Any] = nullcontext()


class Operation:
    """One operation while it runs. Entered as a context, it is the current one.

    Leaving the context ends it, unless `hand_over` was called: then `finish` does. It is `active`
    if anybody looks: an SDK, a recording, or a meter.
    """

    def __init__(self, name: str, attributes: Attributes) -> None:
        self.name = name
        self.span = spans.start(names.span_name(name), attributes, kind=SpanKind.CLIENT)
        self.detailed = self.span.is_recording()
        self.measured = metrics.enabled()
        self.active = self.detailed or self.measured
        self.handed_over = False
        self.attempts = 0
        self._known: dict[str, Any] = dict(attributes) if self.active else {}
        self._ended = False
        self._started = time.perf_counter()
        self._tokens: list[tuple[Token[Operation | None], Token[otel_context.Context]]] = []
        if isinstance(self.span, RecordedSpan):
            self.span.begin()

    def set(self, attributes: Attributes) -> None:
        """Set attributes of its span."""
        if self.active:
            self._known.update(attributes)
            self.span.set_attributes(attributes)

    def append(self, name: str, value: str | int) -> None:
        """Add a value to an attribute that is a list."""
        if self.active:
            self.set({name: (*self._known.get(name, ()), value)})

    def hand_over(self) -> None:
        """From now on leaving the context does not end it; `finish` will."""
        self.handed_over = True

    def finish(self, error: BaseException | None = None) -> None:
        """End it, once; `error` is what it failed with."""
        if self._ended:
            return
        self._ended = True
        if not self.active:
            return
        if error is not None:
            spans.fail(self.span, error)
        if self.attempts:
            self.span.set_attribute(names.ATTEMPT_COUNT, self.attempts)
        self.span.end()
        if self.measured:
            seconds = time.perf_counter() - self._started
            metrics.operation_ended(self.name, seconds, self._known, error)

    def __enter__(self) -> Self:
        mine = _operation.set(self)
        self._tokens.append((mine, otel_context.attach(spans.below(self.span))))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        mine, current = self._tokens.pop()
        otel_context.detach(current)
        _operation.reset(mine)
        if error is not None or not self.handed_over:
            self.finish(error)


def operation(name: str, attributes: Attributes | None = None) -> AbstractContextManager[Operation]:
    """Begin an operation, for the block.

    The layers of one call may each say so: until it is handed over, an operation that is begun
    again under its own name is the same one, and gets the further attributes.
    """
    current = _operation.get()
    if current is not None and current.name == name and not current.handed_over:
        current.set(attributes or {})
        return nullcontext(current)
    return Operation(name, attributes or {})


@contextmanager
def operation_span(name: str, attributes: Attributes) -> Iterator[Span]:
    """An operation that begins and ends with the block; its span."""
    with operation(name, attributes) as running:
        yield running.span


def current_operation() -> Operation | None:
    """The operation that this thread or task works for."""
    return _operation.get()


def begun_operation() -> Operation | None:
    """The operation that is being begun here and not handed over yet."""
    current = _operation.get()
    return None if current is None or current.handed_over else current


def annotate(attributes: Attributes) -> None:
    """Set attributes of the current operation, if there is one."""
    current = _operation.get()
    if current is not None and current.active:
        current.set(attributes)


def note_id(name: str, value: str | int) -> None:
    """Add an id to the current operation's list `name`: an operation may be several requests."""
    current = _operation.get()
    if current is not None and current.active:
        current.append(name, value)


def no_operation() -> Context:
    """An empty context, for tasks that outlive the call in which they are started."""
    return Context()


class RunningStage:
    """One stage of an operation; for the block it is the parent of what happens in it."""

    __slots__ = ("_began", "_token", "_tokens", "attempts", "current", "name", "of", "span")

    def __init__(
        self,
        of: Operation,
        name: Stage,
        attributes: Attributes,
        *,
        parent: otel_context.Context | None = None,
        current: bool = True,
    ) -> None:
        self.of = of
        self.name = name
        self.current = current
        self.attempts = 0
        self.span: Span = (
            spans.start(names.span_name(name), attributes, parent=parent)
            if of.detailed
            else trace.INVALID_SPAN
        )

    def __enter__(self) -> Self:
        self._token: Token[RunningStage | None] | None = None
        self._tokens: Token[otel_context.Context] | None = None
        if self.current:
            self._token = _stage.set(self)
            if self.of.detailed:
                self._tokens = otel_context.attach(spans.below(self.span))
        self._began = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._tokens is not None:
            otel_context.detach(self._tokens)
        if self._token is not None:
            _stage.reset(self._token)
        if error is not None:
            spans.fail(self.span, error)
        self.span.end()
        if self.of.measured:
            metrics.stage_ended(self.of.name, self.name, time.perf_counter() - self._began)


def stage(
    name: Stage, attributes: Attributes | None = None
) -> AbstractContextManager[RunningStage | None]:
    """A stage of the current operation, for the block."""
    current = _operation.get()
    if current is None or not current.active:
        return _NOTHING
    return RunningStage(current, name, attributes or {})


def current_stage() -> RunningStage | None:
    return _stage.get()


def waiting(of: Operation | None) -> AbstractContextManager[Any]:
    """For the block, the user waits for the result of `of`."""
    if of is None or not of.active:
        return _NOTHING
    return RunningStage(of, Stage.WAIT, {}, parent=spans.below(of.span), current=False)


class Decoding:
    """For the block, the user's thread makes the result of an operation that has ended."""

    def __init__(self, of: Operation) -> None:
        self._of = of
        self._stage = RunningStage(of, Stage.DECODE, {}, parent=spans.below(of.span))

    def __enter__(self) -> Self:
        self._token = _operation.set(self._of)
        self._stage.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stage.__exit__(kind, error, traceback)
        _operation.reset(self._token)


def decoding(of: Operation | None) -> AbstractContextManager[Any]:
    """For the block, this thread decodes the result of `of`."""
    return _NOTHING if of is None or not of.active else Decoding(of)


def polled(state: str, reason: str | None = None) -> None:
    """The server has asked to wait: an event on the current stage."""
    current = _stage.get()
    if current is None:
        return
    attributes = {names.QUEUE_STATE: state}
    if reason:
        attributes[names.QUEUE_REASON] = reason[: names.LONGEST_TEXT]
    current.span.add_event(names.POLL_EVENT, attributes)


def retrying(attempt: int, delay: float, reason: str, cause: str) -> None:
    """An attempt has failed and there will be another: an event on the current stage."""
    current = _stage.get()
    if current is None:
        return
    attributes: Attributes = {
        names.ATTEMPT: attempt,
        names.RETRY_DELAY: delay,
        names.RETRY_REASON: reason[: names.LONGEST_TEXT],
        names.ERROR_TYPE: cause,
    }
    current.span.add_event(names.RETRY_EVENT, attributes)
    if current.of.measured:
        metrics.retried(current.of.name, cause)
