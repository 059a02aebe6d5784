"""Traces the user's operations, as spans and as durations.

An operation begins on the caller's thread, is handed over to the event loop with its request, and
ends there with the result. The current operation is a context variable, which `asyncio` copies
into each task, so it is not passed as an argument. A second context variable holds it only if an
SDK, a recording or a meter provider observes it, which is decided once, when it begins: code that
reports to an operation looks there, and does nothing else if there is none.
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
    get_tracer_provider,
)

from tinker_ext.tracing import metrics, names, spans
from tinker_ext.tracing.names import Attributes

#: The current operation of a thread or task.
current_operation: ContextVar[Operation | None] = ContextVar("tinker_ext_operation", default=None)
#: The current operation if an SDK, a recording or a meter provider observes it.
observed_operation: ContextVar[Operation | None] = ContextVar("tinker_ext_observed", default=None)

# The modules that hold the providers of the program, in variables that are None until it sets one.
# They are not public, but without a provider the functions look up an environment variable on each
# call. If a variable is missing, the function is called.
_TRACE_API = sys.modules[get_tracer_provider.__module__]
_METRICS_API = sys.modules[get_meter_provider.__module__]

# Attributes of sampling by OpenTelemetry's conventions for GenAI clients: counts, no contents.
# Sampling continues tokens; it is not a chat.
_COMPLETION = "text_completion"
_PROVIDER = "tinker"
#: Attribute, name of the parameter in the API, and the default value, which is left out.
_PARAMETERS = (
    (names.GEN_AI_MAX_TOKENS, "max_tokens", None),
    (names.GEN_AI_TEMPERATURE, "temperature", None),
    (names.GEN_AI_TOP_P, "top_p", 1),
    (names.GEN_AI_TOP_K, "top_k", -1),
    (names.GEN_AI_SEED, "seed", None),
)


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


def sample_attributes(
    model: str | None, *, prompt_tokens: int, num_samples: int, params: object
) -> Attributes:
    """The attributes of a sample request; `params` are the API's sampling parameters."""
    attributes: dict[str, Any] = {
        names.GEN_AI_OPERATION: _COMPLETION,
        names.GEN_AI_PROVIDER: _PROVIDER,
        **model_attributes(model),
        names.GEN_AI_INPUT_TOKENS: prompt_tokens,
    }
    # By the conventions, the count is left out if it is one.
    if num_samples != 1:
        attributes[names.GEN_AI_CHOICES] = num_samples
    for name, parameter, default in _PARAMETERS:
        value = getattr(params, parameter, None)
        if value != default and isinstance(value, int | float):
            attributes[name] = value
    return attributes


def model_attributes(model: str | None) -> Attributes:
    """The model as an attribute: its name or the path of its checkpoint."""
    return {} if model is None else {names.GEN_AI_MODEL: model}


def record_usage(operation: Operation, body: object) -> None:
    """Add token counts and stop reasons of a sample result to an operation.

    A result that is decoded later provides them through its `outline` method.
    """
    result = body if isinstance(body, dict) else _outline(body)
    items = result.get("sequences")
    if not isinstance(items, list):
        return
    sequences = [sequence for sequence in items if isinstance(sequence, dict)]
    operation.set(
        {
            names.GEN_AI_OUTPUT_TOKENS: sum(_length(seq.get("tokens")) for seq in sequences),
            names.GEN_AI_FINISH_REASONS: [str(seq.get("stop_reason")) for seq in sequences],
        }
    )


def _outline(body: object) -> dict[str, Any]:
    """The outline of a result that is not decoded yet; empty for other objects."""
    method = getattr(body, "outline", None)
    outline = method() if callable(method) else None
    return outline if isinstance(outline, dict) else {}


def _length(tokens: object) -> int:
    return len(tokens) if isinstance(tokens, list | range) else 0
