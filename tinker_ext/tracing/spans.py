"""Starts spans: of the SDK if the program has one, and of the recording if there is one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from tinker_ext.tracing import metrics, names
from tinker_ext.tracing.names import Attributes
from tinker_ext.tracing.recording import RecordedSpan, now, recorder
from tinker_ext.version import __version__

__all__ = ["below", "fail", "loading_tokenizer", "now", "observed", "start", "step"]

_tracer = trace.get_tracer("tinker_ext", __version__)


def observed() -> bool:
    """Whether the program has an SDK of traces or metrics, or there is a recording."""
    return (
        recorder() is not None
        or metrics.enabled()
        or not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    )


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
    """Mark a span as failed. Records only the error's class: its message may quote request data."""
    span.set_attribute(names.ERROR_TYPE, type(error).__name__)
    span.set_status(Status(StatusCode.ERROR, type(error).__name__))


def below(span: Span) -> Context:
    """A context in which `span` is the current span."""
    return trace.set_span_in_context(span, otel_context.get_current())


@contextmanager
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


@contextmanager
def loading_tokenizer(model: str) -> Iterator[None]:
    """A span of the time in which a tokenizer is loaded, which may be a download."""
    with _span(names.TOKENIZER_SPAN, {names.GEN_AI_MODEL: model}):
        yield


@contextmanager
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
