"""Starting a span: the SDK's, if the program has one, and the recording's, if there is one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from tinker_ext.tracing import names
from tinker_ext.tracing.recording import RecordedSpan, now, recorder
from tinker_ext.version import __version__

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from tinker_ext.tracing.names import Attributes

__all__ = ["below", "fail", "now", "start"]

_tracer = trace.get_tracer("tinker_ext", __version__)


def start(
    name: str,
    attributes: Attributes,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    parent: Context | None = None,
    start_time: int | None = None,
) -> Span:
    """Start a span below the current one, or below that of `parent`; it is not made current.

    `start_time` is for what began a while ago, in nanoseconds as `now` gives them.
    With no SDK and no recording it is a span that does nothing, and `is_recording()` is false.
    """
    # Told once, the SDK does not look it up several times.
    context = otel_context.get_current() if parent is None else parent
    inner = _tracer.start_span(
        name,
        context=context,
        kind=kind,
        attributes=attributes,
        # The SDK reads the time of day, which may have been set since.
        start_time=None if start_time is None else time.time_ns() - (now() - start_time),
        record_exception=False,
        set_status_on_exception=False,
    )
    writer = recorder()
    if writer is None:
        return inner
    above = trace.get_current_span(context).get_span_context()
    return RecordedSpan(
        writer,
        inner,
        name,
        parent=above,
        kind=kind,
        attributes=attributes,
        start_time=start_time,
    )


def fail(span: Span, error: BaseException) -> None:
    """Mark a span as failed, by the error's class only: its message may quote what was sent."""
    span.set_attribute(names.ERROR_TYPE, type(error).__name__)
    span.set_status(Status(StatusCode.ERROR, type(error).__name__))


def below(span: Span) -> Context:
    """A context in which `span` is the current one."""
    return trace.set_span_in_context(span, otel_context.get_current())
