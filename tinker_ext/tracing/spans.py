"""Starts spans: of the SDK if the program has one, and of the recording if there is one.

A recording is a file to which spans are written as they end, without an SDK or a collector. It has
one JSON object per line: a header per process, `begin` when an operation starts (which reveals
operations that never end), and `span` when a span ends. Each line is a single write to a file
opened for appending, so threads and processes can share it and a killed process loses nothing.

A file may have several runs, one after the other. The header of a process has the id of its parent
process, from which `trace_report.recordings` finds the processes of a run.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    format_span_id,
    format_trace_id,
)
from opentelemetry.util.types import AnyValue, AttributeValue

from tinker_ext.private_files import open_private
from tinker_ext.tracing import names
from tinker_ext.tracing.logs import log
from tinker_ext.tracing.names import Attributes
from tinker_ext.version import __version__

_tracer = trace.get_tracer("tinker_ext", __version__)

FORMAT = 1

# Offset of a monotonic clock, in nanoseconds since 1970.
_EPOCH = time.time_ns() - time.perf_counter_ns()
#: The recorder of this process; read by each operation that starts.
current_recorder: Recorder | None = None
_lock = threading.Lock()


def now() -> int:
    """Nanoseconds since 1970."""
    return _EPOCH + time.perf_counter_ns()


class Recorder:
    """Appends lines to a file; thread-safe."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = open_private(path, os.O_WRONLY | os.O_APPEND)
        self._close = weakref.finalize(self, os.close, self._file)
        if os.fstat(self._file).st_size:
            log.info("%s has an earlier recording, to which this one is appended", path)
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._append(
            {
                "kind": "recording",
                "format": FORMAT,
                "version": __version__,
                "process": self._process,
                "parent": os.getppid(),
                "start": now(),
            }
        )

    def write(self, line: Mapping[str, Any]) -> None:
        """Append a line. Ignores errors, because a full disk must not stop a training run."""
        if self._process != os.getpid():  # After a fork.
            self._begin()
        self._append(line)

    def _append(self, line: Mapping[str, Any]) -> None:
        with contextlib.suppress(OSError):
            os.write(self._file, orjson.dumps(line, default=str) + b"\n")


class RecordedSpan(Span):
    """A span that is written to the recording when it ends. Wraps the span of an SDK, if any."""

    def __init__(
        self,
        recorder: Recorder,
        inner: Span,
        name: str,
        *,
        parent: SpanContext,
        kind: SpanKind,
        attributes: Attributes,
        start_time: int | None = None,
    ) -> None:
        self._recorder = recorder
        self._inner = inner
        self._name = name
        self._kind = kind
        self._parent = parent.span_id if parent.is_valid else None
        self._context = inner.get_span_context() if inner.is_recording() else _child_of(parent)
        self._attributes: dict[str, AnyValue] = dict(attributes)
        self._events: list[dict[str, Any]] = []
        self._failed = False
        self._start = start_time or now()
        self._ended = False

    def begin(self) -> None:
        """Write that the span has started."""
        self._recorder.write({"kind": "begin", **self._head()})

    def end(self, end_time: int | None = None) -> None:
        if self._ended:
            return
        self._ended = True
        self._inner.end(end_time)
        line = {"kind": "span", **self._head(), "end": end_time or now()}
        if self._failed:
            line["status"] = "error"
        if self._events:
            line["events"] = self._events
        self._recorder.write(line)

    def _head(self) -> dict[str, Any]:
        return {
            "name": self._name,
            "trace": format_trace_id(self._context.trace_id),
            "id": format_span_id(self._context.span_id),
            "parent": None if self._parent is None else format_span_id(self._parent),
            "span_kind": self._kind.name.lower(),
            "process": os.getpid(),
            "thread": threading.current_thread().name,
            "start": self._start,
            "attributes": self._attributes,
        }

    def get_span_context(self) -> SpanContext:
        return self._context

    def set_attributes(self, attributes: Mapping[str, AnyValue]) -> None:
        self._attributes.update(attributes)
        self._inner.set_attributes(attributes)

    def set_attribute(self, key: str, value: AnyValue) -> None:
        self._attributes[key] = value
        self._inner.set_attribute(key, value)

    def add_event(
        self,
        name: str,
        attributes: Mapping[str, AnyValue] | None = None,
        timestamp: int | None = None,
    ) -> None:
        self._events.append(
            {"name": name, "time": timestamp or now(), "attributes": dict(attributes or {})}
        )
        self._inner.add_event(name, attributes, timestamp)

    def update_name(self, name: str) -> None:
        self._name = name
        self._inner.update_name(name)

    def is_recording(self) -> bool:
        return not self._ended

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        code = status.status_code if isinstance(status, Status) else status
        self._failed = code is StatusCode.ERROR
        self._inner.set_status(status, description)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Mapping[str, AttributeValue] | None = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Does nothing: messages and tracebacks may contain confidential data."""


def _child_of(parent: SpanContext) -> SpanContext:
    """A context with a new span id, in the trace of the parent if there is one."""
    return SpanContext(
        trace_id=parent.trace_id if parent.is_valid else random.getrandbits(128) or 1,
        span_id=random.getrandbits(64) or 1,
        is_remote=False,
        trace_flags=parent.trace_flags if parent.is_valid else TraceFlags(TraceFlags.SAMPLED),
    )


def record_to(path: Path) -> None:
    """Write the spans of this process to `path`; a second call with the same path does nothing.

    Raises:
        OSError: the file can't be written.
    """
    global current_recorder
    with _lock:
        if current_recorder is None or current_recorder.path != path:
            current_recorder = Recorder(path)


def stop_recording() -> None:
    """Stop recording new spans; open spans are still written when they end."""
    global current_recorder
    current_recorder = None


def recorder() -> Recorder | None:
    """The current recorder, if any."""
    return current_recorder


def start(
    name: str,
    attributes: Attributes,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    parent: Context | None = None,
    start_time: int | None = None,
) -> Span:
    """Start a span as a child of the current one, or of that of `parent`; does not make it current.

    `start_time` is for spans that began earlier, in nanoseconds as returned by `now`. Without an
    SDK and a recording, the span is a no-op whose `is_recording()` is false.
    """
    # Passed to the SDK, which otherwise looks it up several times.
    context = otel_context.get_current() if parent is None else parent
    inner = _tracer.start_span(
        name,
        context=context,
        kind=kind,
        attributes=attributes,
        # The SDK uses the system clock, which may have been adjusted since.
        start_time=None if start_time is None else time.time_ns() - (now() - start_time),
        record_exception=False,
        set_status_on_exception=False,
    )
    writer = current_recorder
    if writer is None:
        return inner
    above = trace.get_current_span(context).get_span_context()
    return RecordedSpan(
        writer, inner, name, parent=above, kind=kind, attributes=attributes, start_time=start_time
    )


def fail(span: Span, error: BaseException) -> None:
    """Mark a span as failed. Records only the error's class: its message may quote request data."""
    span.set_attribute(names.ERROR_TYPE, type(error).__name__)
    span.set_status(Status(StatusCode.ERROR, type(error).__name__))


def below(span: Span) -> Context:
    """A context in which `span` is the current span."""
    return trace.set_span_in_context(span, otel_context.get_current())


@contextlib.contextmanager
def step(number: int) -> Iterator[None]:
    """Group the calls in the block as training step `number`, in traces and recordings.

    Calls made in the block are children of the step, including those of coroutines started in it.
    The remaining time of the step is the user's own. Without an SDK or a recording, this does
    nothing.

    Example:
        >>> for i, batch in enumerate(batches):
        ...     with tinker_ext.step(i):
        ...         training.forward_backward(batch, "cross_entropy").result()
        ...         training.optim_step(params).result()
    """
    with _span(names.STEP_SPAN, {names.STEP: number}):
        yield


@contextlib.contextmanager
def loading_tokenizer(model: str) -> Iterator[None]:
    """A span of the time in which a tokenizer is loaded, which may be a download."""
    with _span(names.TOKENIZER_SPAN, {names.GEN_AI_MODEL: model}):
        yield


@contextlib.contextmanager
def _span(name: str, attributes: Attributes) -> Iterator[None]:
    """A span around the block, as the current span; fails with its exception."""
    span = start(name, attributes)
    with trace.use_span(
        span, end_on_exit=True, record_exception=False, set_status_on_exception=False
    ):
        try:
            yield
        except Exception as error:
            fail(span, error)
            raise
