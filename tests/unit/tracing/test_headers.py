"""`traceparent` in requests, and no duplicate spans."""

from __future__ import annotations

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from opentelemetry import baggage, context
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.trace import TraceFlags, format_span_id

import tinker_ext as tinker
from tests.builders import PARAMS, PROMPT
from tests.unit.tracing.sdk import Sdk, id_of
from tinker_ext import tracing
from tinker_ext.testing import FakeServer, make_client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def sample(server: FakeServer, **config: Any) -> None:
    with make_client(server, **config) as service:
        service.create_sampling_client(base_model="fake/model").sample(PROMPT, 1, PARAMS).result(30)


def test_traceparent_is_span_of_attempt(sdk: Sdk) -> None:
    server = FakeServer()
    sample(server)
    [request] = server.calls("asample")
    version, _, span_id, flags = request.headers["traceparent"].split("-")
    assert (version, int(flags, 16) & TraceFlags.SAMPLED) == ("00", TraceFlags.SAMPLED)
    assert span_id == format_span_id(id_of(sdk.single("POST /api/v1/asample")))


def test_trace_headers_false_sends_no_traceparent(sdk: Sdk) -> None:
    server = FakeServer()
    sample(server, trace_headers=False)
    assert not [request for request in server.received if "traceparent" in request.headers]


def test_baggage_is_not_sent(sdk: Sdk) -> None:
    server = FakeServer()
    token = context.attach(baggage.set_baggage("customer", "hidden"))
    try:
        sample(server)
    finally:
        context.detach(token)
    assert not [request for request in server.received if "hidden" in str(request.headers)]


WITHOUT_SDK = """
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
import tinker_ext as tinker
from tinker_ext.testing import FakeServer, make_client
server = FakeServer()
with make_client(server) as service:
    sampler = service.create_sampling_client(base_model="fake/model")
    sample = tinker.ModelInput.from_ints([1]), 1, tinker.SamplingParams(max_tokens=1)
    sampler.sample(*sample).result(30)
    with trace.use_span(NonRecordingSpan(SpanContext(0xABC, 0xDEF, True, TraceFlags(0)))):
        sampler.sample(*sample).result(30)
print([call.headers.get("traceparent") for call in server.calls("asample")])
"""


def test_without_sdk_remote_trace_is_propagated_and_none_is_created() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_SDK], capture_output=True, text=True, check=True, timeout=60
    )
    propagated = f"00-{0xABC:032x}-{0xDEF:016x}-00"
    assert ran.stdout.strip() == str([None, propagated])


def test_recording_sends_traceparent(tmp_path: Path) -> None:
    server = FakeServer()
    sample(server, trace_file=tmp_path / "run.jsonl")
    span_id = server.calls("asample")[0].headers["traceparent"].split("-")[2]
    tracing.stop_recording()
    assert f'"id":"{span_id}"' in (tmp_path / "run.jsonl").read_text()


class Models(BaseHTTPRequestHandler):
    """A server on a socket, because the instrumentation patches the real transport."""

    def do_GET(self) -> None:
        body = b'{"supported_models": [{"model_name": "fake/model"}]}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Models)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_httpx_instrumentation_does_not_duplicate_spans(sdk: Sdk, url: str) -> None:
    HTTPXClientInstrumentor().instrument()
    try:
        httpx.get(url)  # Not a call of the client, so the instrumentation traces it.
        instrumented = len(sdk.spans)
        with tinker.ServiceClient(base_url=url, api_key="tml-test") as service:
            assert service.get_server_capabilities().supported_models
    finally:
        HTTPXClientInstrumentor().uninstrument()
    assert instrumented == 1
    [call] = sdk.named("tinker.get_server_capabilities")
    requests = [span for span in sdk.spans if "http.request.method" in (span.attributes or {})]
    assert [span.name for span in requests] == ["GET /api/v1/get_server_capabilities"]
    assert call.context is not None
    assert requests[0].context is not None
    assert requests[0].context.trace_id == call.context.trace_id
