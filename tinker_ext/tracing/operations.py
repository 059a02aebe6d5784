"""A user's operation, as a span and as durations.

An operation begins on the thread of the user who calls it, is handed to the event loop with its
request, and ends there with the result. What is current travels in context variables, which
`asyncio` copies into every task, so no function needs an argument for it.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self

from opentelemetry import context as otel_context
from opentelemetry.context import _SUPPRESS_HTTP_INSTRUMENTATION_KEY as _SUPPRESS
from opentelemetry.trace import SpanKind

from tinker_ext.tracing import metrics, names, spans
from tinker_ext.tracing.recording import RecordedSpan
from tinker_ext.tracing.token_bucket import in_detail

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from types import TracebackType

    from tinker_ext.tracing.names import Attributes

_operation: ContextVar[Operation | None] = ContextVar("tinker_ext_operation", default=None)


class Operation:
    """One operation while it runs. Entered as a context, it is the current one.

    Leaving the context ends it, unless it was handed over: then the end of its task does. It is
    `active` if anybody looks: an SDK, a recording, or a meter; `detailed` if its stages and
    attempts are spans too, which in a recording they always are; and `staged` if anybody looks at
    these, as a span or as a duration.
    """

    def __init__(self, name: str, attributes: Attributes) -> None:
        self.name = name
        self.span = spans.start(names.span_name(name), attributes, kind=SpanKind.CLIENT)
        recorded = isinstance(self.span, RecordedSpan)
        told = self.span.is_recording()
        self.detailed = recorded or (told and in_detail.take())
        self.measured = metrics.enabled()
        self.active = told or self.measured
        self.staged = self.detailed or self.measured
        self.handed_over = False
        self.attempts = 0
        #: What its requests carry of the trace, once it is known.
        self.headers: Mapping[str, str] | None = None
        self._known: dict[str, Any] = dict(attributes) if self.active else {}
        self._told = attributes
        self._ended = False
        self._started = time.perf_counter()
        if isinstance(self.span, RecordedSpan):
            self.span.begin()

    def set(self, attributes: Attributes) -> None:
        """Set attributes of its span; they are handed to the SDK in one go, at the end."""
        if self.active:
            self._known.update(attributes)

    def append(self, name: str, value: str | int) -> None:
        """Add a value to an attribute that is a list."""
        if self.active:
            self.set({name: (*self._known.get(name, ()), value)})

    def hand_over(self) -> None:
        """Leave the end to a task: from now on `finish` ends it, and not the context."""
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
        if self.attempts > len(self._known.get(names.REQUEST_ID, ())):
            self._known[names.ATTEMPT_COUNT] = self.attempts
        self.span.set_attributes(self._untold())
        self.span.end()
        if self.measured:
            seconds = time.perf_counter() - self._started
            metrics.operation_ended(self.name, seconds, self._known, error)

    def _untold(self) -> Attributes:
        """What its span was not started with: each attribute costs the SDK a few microseconds."""
        told = self._told
        if not told:
            return self._known
        return {name: value for name, value in self._known.items() if told.get(name) != value}

    def __enter__(self) -> Self:
        self._mine = _operation.set(self)
        inside = spans.below(self.span)
        if self.active:
            # Its requests are told here: instrumentation of httpx is not to tell them too.
            inside = otel_context.set_value(_SUPPRESS, True, inside)
        self._current = otel_context.attach(inside)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        otel_context.detach(self._current)
        _operation.reset(self._mine)
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


def current_operation() -> Operation | None:
    """The operation that this thread or task works for."""
    return _operation.get()


class as_current:  # noqa: N801  # It reads as a function, and costs less than a generator.
    """For the block, this thread works for `of`."""

    __slots__ = ("_of", "_token")

    def __init__(self, of: Operation) -> None:
        self._of = of

    def __enter__(self) -> None:
        self._token = _operation.set(self._of)

    def __exit__(self, *_: object) -> None:
        _operation.reset(self._token)


def pending_operation() -> Operation | None:
    """The operation that is being begun here and not handed over yet."""
    current = _operation.get()
    return None if current is None or current.handed_over else current


def annotate(attributes: Attributes) -> None:
    """Set attributes of the current operation, if there is one."""
    current = _operation.get()
    if current is not None and current.active:
        current.set(attributes)


def annotate_detailed(attributes: Attributes) -> None:
    """As `annotate`, but only where the operation is told in detail: others say the same."""
    current = _operation.get()
    if current is not None and current.detailed:
        current.set(attributes)


def append_id(name: str, value: str | int) -> None:
    """Add an id to the current operation's list `name`: an operation may be several requests."""
    current = _operation.get()
    if current is not None and current.active:
        current.append(name, value[: names.LONGEST_TEXT] if isinstance(value, str) else value)
