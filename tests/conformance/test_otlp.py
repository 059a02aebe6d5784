"""Spans and metrics exported through OTLP, as a collector receives them.

The collector implements OTLP over HTTP with the published protobufs (`opentelemetry-proto`). The
exporting program runs in a process of its own, with the embedded backend.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tinker_ext.tracing.names import ATTRIBUTES, SHORT_STAGES

PROGRAM = """
import sys
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

import tinker_ext as tinker

resource = Resource.create({"service.name": "my-training"})
spans = TracerProvider(resource=resource)
spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(sys.argv[1] + "/v1/traces")))
trace.set_tracer_provider(spans)
reader = PeriodicExportingMetricReader(OTLPMetricExporter(sys.argv[1] + "/v1/metrics"))
meters = MeterProvider([reader], resource=resource)
metrics.set_meter_provider(meters)

datum = tinker.Datum(
    model_input=tinker.ModelInput.from_ints([10, 11, 12]),
    loss_fn_inputs={"target_tokens": [11, 12, 13], "weights": [1.0, 1.0, 1.0]},
)
with tinker.ServiceClient(base_url="embedded") as service:
    training = service.create_lora_training_client("embedded/tiny", rank=4)
    with trace.get_tracer("mine").start_as_current_span("my training loop"):
        for i in range(2):
            with tinker.step(i):
                gradients = training.forward_backward([datum] * 4, "cross_entropy")
                training.optim_step(tinker.AdamParams(learning_rate=1e-3)).result()
                gradients.result()
    sampler = training.save_weights_and_get_sampling_client()
    prompt = tinker.ModelInput.from_ints([10, 11])
    sampler.sample(prompt, 2, tinker.SamplingParams(max_tokens=5)).result()
spans.shutdown()
meters.shutdown()
"""


class Collector(ThreadingHTTPServer):
    """Stores the requests of exporters."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Endpoint)
        self.traces: list[ExportTraceServiceRequest] = []
        self.metrics: list[ExportMetricsServiceRequest] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for request in self.traces
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class Endpoint(BaseHTTPRequestHandler):
    """OTLP/HTTP: POST /v1/traces and /v1/metrics, with protobuf bodies, optionally compressed."""

    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        assert self.headers["Content-Type"] == "application/x-protobuf"
        if self.path == "/v1/traces":
            self.server.traces.append(ExportTraceServiceRequest.FromString(body))
            response = ExportTraceServiceResponse().SerializeToString()
        else:
            assert self.path == "/v1/metrics"
            self.server.metrics.append(ExportMetricsServiceRequest.FromString(body))
            response = ExportMetricsServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(response)))
        self.end_headers()
        self.wfile.write(response)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """A collector that has received the spans and metrics of one run."""
    with Collector() as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            subprocess.run([sys.executable, "-c", PROGRAM, running.url], check=True, timeout=110)
            yield running
        finally:
            running.shutdown()
            thread.join()


def values(attributes: Any) -> dict[str, Any]:
    """Attributes as Python values."""
    result: dict[str, Any] = {}
    for attribute in attributes:
        kind = attribute.value.WhichOneof("value")
        value = getattr(attribute.value, kind)
        if kind == "array_value":
            value = [getattr(item, item.WhichOneof("value")) for item in value.values]
        result[attribute.key] = value
    return result


def tree(spans: list[Span], parent: bytes) -> list[Any]:
    """The names of the spans below `parent`, by start time, each with its own tree."""
    children = sorted(
        (span for span in spans if span.parent_span_id == parent),
        key=lambda span: span.start_time_unix_nano,
    )
    return [[child.name, *tree(spans, child.span_id)] for child in children]


def without(names: set[str], spans: list[Any]) -> list[Any]:
    """A tree without the named spans, which depend on the speed of the machine."""
    return [[span[0], *without(names, span[1:])] for span in spans if span[0] not in names]


def polls(stage: list[Any]) -> list[Any]:
    """The polls of a stage: at least one; the number depends on the speed of the machine."""
    return [["POST /api/v1/retrieve_future"]] * max(1, len(stage) - 1)


def test_exported_spans_form_the_expected_tree(collector: Collector) -> None:
    spans = collector.spans
    [loop] = [span for span in spans if span.name == "my training loop"]
    mine = [span for span in spans if span.trace_id == loop.trace_id]
    result = tree(mine, loop.span_id)
    assert [item[0] for item in result] == ["tinker.step", "tinker.step"]
    short = {f"tinker.{stage.value}" for stage in SHORT_STAGES}
    for step in without({*short, "tinker.pause"}, result):
        assert step == [
            "tinker.step",
            [
                "tinker.forward_backward",
                ["tinker.submit", ["POST /api/v1/forward_backward"]],
                ["tinker.server", *polls(step[1][2])],
            ],
            [
                "tinker.optim_step",
                ["tinker.submit", ["POST /api/v1/optim_step"]],
                ["tinker.server", *polls(step[2][2])],
            ],
        ]
    for span in mine:
        assert span.end_time_unix_nano >= span.start_time_unix_nano


def test_exported_spans_have_parent_and_resource(collector: Collector) -> None:
    spans = collector.spans
    ids = {span.span_id for span in spans}
    assert len(ids) == len(spans)
    assert {span.parent_span_id for span in spans} - {b""} <= ids
    [resource, *others] = [
        values(resource.resource.attributes)["service.name"]
        for request in collector.traces
        for resource in request.resource_spans
    ]
    assert {resource, *others} == {"my-training"}


def test_sample_span_follows_semantic_conventions(collector: Collector) -> None:
    [sample] = [span for span in collector.spans if span.name == "tinker.sample"]
    attributes = values(sample.attributes)
    assert set(attributes) <= set(ATTRIBUTES)
    assert attributes["gen_ai.operation.name"] == "text_completion"
    assert attributes["gen_ai.provider.name"] == "tinker"
    assert attributes["gen_ai.usage.input_tokens"] == 2
    assert 0 < attributes["gen_ai.usage.output_tokens"] <= 10
    assert len(attributes["gen_ai.response.finish_reasons"]) == 2
    assert sample.kind == sample.SPAN_KIND_CLIENT


def test_exported_metrics(collector: Collector) -> None:
    result: dict[str, list[Any]] = defaultdict(list)
    for request in collector.metrics:
        for resource in request.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    kind = metric.WhichOneof("data") or ""
                    result[metric.name] += getattr(metric, kind).data_points
    durations = {
        values(point.attributes)["tinker.operation"]: point.count
        for point in result["tinker.client.operation.duration"]
    }
    assert durations["forward_backward"] == 2
    assert durations["sample"] == 1
    trained = [
        point.as_int
        for point in result["tinker.client.tokens"]
        if values(point.attributes)["tinker.token.use"] == "trained"
    ]
    assert trained == [24]
    assert result["http.client.request.duration"]
    assert result["gen_ai.client.token.usage"]
