"""An OpenTelemetry SDK that collects the spans and metrics of a test.

A process can only set its providers once, so they are set on first use, and a sampler drops all
spans between tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes


class Switch(Sampler):
    """Keeps all spans, or none."""

    on = False

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        decision = Decision.RECORD_AND_SAMPLE if self.on else Decision.DROP
        return SamplingResult(decision, attributes)

    def get_description(self) -> str:
        return "Switch"


class Sdk:
    """The providers of this process, and the spans and metrics they received."""

    def __init__(self) -> None:
        self.switch = Switch()
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(sampler=self.switch)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        trace.set_tracer_provider(self.provider)
        metrics.set_meter_provider(MeterProvider([self.reader]))

    @property
    def spans(self) -> list[ReadableSpan]:
        """The ended spans, in order of their ends."""
        return list(self.exporter.get_finished_spans())

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    def single(self, name: str) -> ReadableSpan:
        [span] = self.named(name)
        return span

    def children(self, parent: ReadableSpan) -> list[ReadableSpan]:
        """The child spans, in order of their starts."""
        span_id = id_of(parent)
        children = [span for span in self.spans if span.parent and span.parent.span_id == span_id]
        return sorted(children, key=lambda span: span.start_time or 0)

    def tree(self, span: ReadableSpan) -> list[Any]:
        """The span's name and the trees of its children."""
        return [span.name, *(self.tree(child) for child in self.children(span))]

    def points(self) -> dict[str, list[Any]]:
        """The data points by metric name, since the start of the process."""
        data = self.reader.get_metrics_data()
        result: dict[str, list[Any]] = {}
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    result.setdefault(metric.name, []).extend(metric.data.data_points)
        return result


@cache
def _sdk() -> Sdk:
    return Sdk()


@contextmanager
def recording_sdk() -> Iterator[Sdk]:
    """The process's SDK, switched on for the block and empty at its start."""
    sdk = _sdk()
    sdk.exporter.clear()
    sdk.switch.on = True
    try:
        yield sdk
    finally:
        sdk.switch.on = False


def id_of(span: ReadableSpan) -> int:
    context = span.get_span_context()
    assert context is not None
    return context.span_id


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    """The span's attributes."""
    return dict(span.attributes or {})
