"""The stages of an operation, as spans and as durations.

A stage belongs to the operation that is current. Where there is neither an SDK nor a recording nor
a meter it costs one look at a context variable. Stages in which nothing else happens are in
`short_stages`.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self

from opentelemetry import context as otel_context
from opentelemetry import trace

from tinker_ext.tracing import metrics, names, spans
from tinker_ext.tracing.logs import request_log_context
from tinker_ext.tracing.names import Stage
from tinker_ext.tracing.operations import Operation, current_operation
from tinker_ext.tracing.short_stages import CallerStage, Decoding, ShortStage

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from types import TracebackType

    from opentelemetry.trace import Span

    from tinker_ext.tracing.names import Attributes

_stage: ContextVar[RunningStage | None] = ContextVar("tinker_ext_stage", default=None)
_NOTHING: AbstractContextManager[Any] = nullcontext()


class RunningStage:
    """One stage of an operation, without a span: what happens in it is told by the operation's."""

    __slots__ = ("_about", "_began", "_paused_since", "_token", "attempts", "name", "of")

    def __init__(self, of: Operation, name: Stage, about: str | None = None) -> None:
        self.of = of
        self.name = name
        self.attempts = 0
        self._paused_since: float | None = None
        self._about = None if about is None else request_log_context(about)

    def polled(self, state: str, reason: str | None) -> None:
        """The server has answered that the result is not there yet."""
        attributes = {names.QUEUE_STATE: state}
        if reason:
            attributes[names.QUEUE_REASON] = reason[: names.LONGEST_TEXT]
        self.tell(names.POLL_EVENT, attributes)
        self._end_queueing()
        if state.startswith("paused"):
            self._paused_since = time.perf_counter()

    def tell(self, event: str, attributes: Attributes) -> None:
        """Add an event where it will be looked for."""
        self.of.span.add_event(event, attributes)

    def _end_queueing(self) -> None:
        if self._paused_since is not None and self.of.measured:
            metrics.queued(self.of.name, time.perf_counter() - self._paused_since)
        self._paused_since = None

    def __enter__(self) -> Self:
        self._token = _stage.set(self)
        if self._about is not None:
            self._about.__enter__()
        self._began = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._about is not None:
            self._about.__exit__()
        _stage.reset(self._token)
        self._end_queueing()
        if self.of.measured:
            metrics.stage_ended(self.of.name, self.name, time.perf_counter() - self._began)


class SpannedStage(RunningStage):
    """A stage with a span, which for the block is the parent of what happens in it."""

    __slots__ = ("_attached", "_attributes", "_span")

    def __init__(
        self, of: Operation, name: Stage, attributes: Attributes, about: str | None = None
    ) -> None:
        super().__init__(of, name, about)
        self._attributes = attributes

    def tell(self, event: str, attributes: Attributes) -> None:
        self._span.add_event(event, attributes)

    def __enter__(self) -> Self:
        here = otel_context.get_current()
        self._span: Span = spans.start(names.STAGE_SPANS[self.name], self._attributes, parent=here)
        self._attached = otel_context.attach(trace.set_span_in_context(self._span, here))
        return super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, traceback)
        otel_context.detach(self._attached)
        if error is not None:
            spans.fail(self._span, error)
        self._span.end()


def stage(name: Stage, attributes: Attributes | None = None) -> AbstractContextManager[Any]:
    """A stage of the current operation, for the block."""
    current = current_operation()
    if current is None or not current.active:
        return _NOTHING
    if name in names.SHORT_STAGES:
        return ShortStage(current, name) if current.staged else _NOTHING
    # A pause is told in any case: somebody will ask where the time went.
    if current.detailed or name is Stage.PAUSE:
        return SpannedStage(current, name, attributes or {})
    return RunningStage(current, name)


def current_stage() -> RunningStage | None:
    """The innermost stage that this thread or task is in."""
    return _stage.get()


def submitting(session_id: str | None, key: str) -> AbstractContextManager[Any]:
    """For the block, a request is sent until it is accepted; `key` is its idempotency key."""
    current = current_operation()
    if current is None or not current.active:
        return request_log_context(key)
    if session_id is not None:
        current.set({names.SESSION_ID: session_id})
    return _running(current, Stage.SUBMIT, key)


def on_server(request_id: str) -> AbstractContextManager[Any]:
    """For the block, the server has the request and the client asks for its result."""
    current = current_operation()
    if current is None or not current.active:
        return request_log_context(request_id)
    return _running(current, Stage.SERVER, request_id)


def _running(of: Operation, name: Stage, about: str) -> RunningStage:
    return SpannedStage(of, name, {}, about) if of.detailed else RunningStage(of, name, about)


def fetching(call: str, status: int) -> AbstractContextManager[Any]:
    """For the block, an answer's body is read; a stage of its own where that is a result."""
    if call != "retrieve_future" or status != 200:
        return _NOTHING
    return stage(Stage.FETCH)


def waiting(of: Operation | None) -> AbstractContextManager[Any]:
    """For the block, the user waits for the result of `of`."""
    if of is None or not of.staged:
        return _NOTHING
    return CallerStage(of, Stage.WAIT)


def decoding(of: Operation | None) -> AbstractContextManager[None]:
    """For the block, this thread makes the result of `of`, which may have ended long ago."""
    if of is None or not of.staged:
        return _NOTHING
    return Decoding(of, Stage.DECODE)


def polled(state: str, reason: str | None = None) -> None:
    """The server has no result yet, and says this of its queue."""
    current = _stage.get()
    if current is not None:
        current.polled(state, reason)


def retrying(attempt: int, delay: float, reason: str, error: Exception) -> None:
    """Attempt number `attempt` has failed, and there will be another in `delay` seconds."""
    current = _stage.get()
    if current is None:
        return
    cause = _cause(error)
    attributes: Attributes = {
        names.ATTEMPT: attempt,
        names.RETRY_DELAY: delay,
        names.RETRY_REASON: reason[: names.LONGEST_TEXT],
        names.ERROR_TYPE: cause,
    }
    current.tell(names.RETRY_EVENT, attributes)
    if current.of.measured:
        metrics.retried(current.of.name, cause)


def gave_up(attempts: int, reason: str, error: Exception) -> None:
    """Attempt number `attempts` has failed, and there will be no other."""
    current = _stage.get()
    if current is None:
        return
    attributes: Attributes = {
        names.ATTEMPT: attempts,
        names.RETRY_REASON: reason[: names.LONGEST_TEXT],
        names.ERROR_TYPE: _cause(error),
    }
    current.tell(names.GAVE_UP_EVENT, attributes)


def _cause(error: Exception) -> str:
    """The HTTP status, where there is one, else the class of the error."""
    status = getattr(error, "status_code", None)
    return type(error).__name__ if status is None else str(status)
