"""What tracing costs: processor time per sample, in each way of using it.

    python benchmarks/tracing.py [--rounds 7] [--samples 1500] [--in-flight 16]

Each measurement is a process of its own that samples from a stub server on this machine; the ways
take turns, and the least of the rounds counts, because other work on the machine only adds. "bare"
is the client with its calls into tracing replaced by functions that do nothing, which is what the
others are compared with. A busy machine makes these figures differ by a tenth from run to run;
`--calls` measures what the client says to tracing in a sample, and nothing else, to a percent.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
WAYS = {
    "bare": "calls into tracing replaced by nothing",
    "api only": "opentelemetry-api, no SDK: what everybody has",
    "recording": "TINKER_EXT_TRACE=file, no SDK",
    "sdk, spans": "SDK, batch processor, official OTLP/HTTP exporter to a sink",
    "sdk, all": "the same, and metrics",
}
SINK = """
import http.server, sys
class Sink(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Sink).serve_forever()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--samples", type=int, default=1500)
    parser.add_argument("--in-flight", type=int, default=16)
    parser.add_argument("--calls", action="store_true", help="only the calls into tracing")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--ports", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way is not None:
        print(json.dumps(measure(options)))
        return
    with servers() as ports:
        found: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(options.rounds):
            for way in WAYS:
                found[way].append(run(way, ports, options))
                print(f"{way}: {found[way][-1]:.3f}", file=sys.stderr)
    report(found, options)


def run(way: str, ports: tuple[int, int], options: argparse.Namespace) -> float:
    """One measurement in a process of its own: milliseconds of processor time per sample."""
    command = [sys.executable, __file__, "--way", way, "--ports", *map(str, ports)]
    command += ["--samples", str(options.samples), "--in-flight", str(options.in_flight)]
    command += ["--calls"] if options.calls else []
    ran = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    return float(json.loads(ran.stdout))


def measure(options: argparse.Namespace) -> float:
    """In the process that is measured."""
    os.environ["TINKER_TELEMETRY"] = "0"
    server, sink = (f"http://127.0.0.1:{port}" for port in options.ports)
    with prepared(options.way, sink) as settings:
        if options.calls:
            if "trace_file" in settings:
                from tinker_ext import tracing

                tracing.record_to(settings["trace_file"])
            return calls_alone()
        import driver  # type: ignore[import-not-found]  # beside this file

        import tinker_ext

        with tinker_ext.ServiceClient(
            api_key="tml-benchmark", base_url=server, **settings
        ) as service:
            driver.sampling(tinker_ext, service, options.in_flight, options.samples // 5)
            before = time.process_time()
            driver.sampling(tinker_ext, service, options.in_flight, options.samples)
            # What is still to be exported belongs to it.
            flush()
            return float((time.process_time() - before) / options.samples * 1000)


@contextmanager
def prepared(way: str, sink: str) -> Iterator[dict[str, Any]]:
    """Set this process up for one way; the client's settings for it."""
    if way == "bare":
        remove_tracing()
    if way.startswith("sdk"):
        set_up_sdk(sink, with_metrics=way == "sdk, all")
    if way != "recording":
        yield {}
        return
    with tempfile.TemporaryDirectory() as folder:
        yield {"trace_file": Path(folder) / "run.jsonl"}


def calls_alone(rounds: int = 9, count: int = 500) -> float:
    """Microseconds for what the client says to tracing in a sample, without the sample."""
    from tinker_ext import tracing

    def sample() -> None:
        with tracing.operation("sample") as traced:
            with tracing.stage(tracing.Stage.ENCODE):
                pass
            for path, stage in (("asample", tracing.submitting), ("retrieve_future", _on_server)):
                with stage("id", "key"), tracing.attempt(path, "POST", f"/api/v1/{path}") as sent:
                    tracing.trace_headers()
                    if sent is not None:
                        sent.sending(f"http://127.0.0.1/api/v1/{path}", 500)
                        sent.answered(200, 500)
            tracing.note_id(tracing.REQUEST_ID, "1")
        with tracing.waiting(traced), tracing.decoding(traced):
            pass

    def _on_server(request_id: str, _: str) -> Any:
        return tracing.on_server(request_id)

    best = float("inf")
    for _ in range(rounds):
        before = time.process_time()
        for _ in range(count):
            sample()
        flush()
        best = min(best, (time.process_time() - before) / count)
    return best * 1e6


def remove_tracing() -> None:
    """Replace what the client calls on every sample by what does nothing at all."""
    from tinker_ext import tracing

    class Nothing:
        name = "sample"
        active = False

        def hand_over(self) -> None:
            pass

        def task_ended(self, _: object) -> None:
            pass

    empty, nothing = nullcontext(), Nothing()
    begun = nullcontext(nothing)
    replacements: dict[str, Any] = {
        "operation": lambda *_: begun,
        "begun_operation": lambda: None,
        "trace_headers": dict,
        **dict.fromkeys(
            ("stage", "waiting", "decoding", "submitting", "on_server", "fetching", "attempt"),
            lambda *_: empty,
        ),
        **dict.fromkeys(("note_id", "annotate", "sampled", "polled"), lambda *_: None),
    }
    for name, replacement in replacements.items():
        assert hasattr(tracing, name), name
        setattr(tracing, name, replacement)


def set_up_sdk(sink: str, *, with_metrics: bool) -> None:
    from opentelemetry import metrics, trace
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    exporter = OTLPSpanExporter(f"{sink}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=1 << 16))
    trace.set_tracer_provider(provider)
    if with_metrics:
        reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{sink}/v1/metrics"))
        metrics.set_meter_provider(MeterProvider([reader]))


def flush() -> None:
    """Export what is waiting, where there is an SDK."""
    from opentelemetry import trace

    force: Any = getattr(trace.get_tracer_provider(), "force_flush", None)
    if force is not None:
        force()


@contextmanager
def servers() -> Iterator[tuple[int, int]]:
    """The stub and the sink, each in a process of its own; their ports."""
    ports = free_port(), free_port()
    started = [
        subprocess.Popen([sys.executable, str(HERE / "stub_server.py"), str(ports[0])]),
        subprocess.Popen([sys.executable, "-c", SINK, str(ports[1])]),
    ]
    try:
        for port in ports:
            wait_for(port)
        yield ports
    finally:
        for process in started:
            process.terminate()
            process.wait()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens at {port}")


def report(found: dict[str, list[float]], options: argparse.Namespace) -> None:
    if options.calls:
        for way, values in found.items():
            print(f"{way:12} {min(values):8.1f} microseconds a sample  {WAYS[way]}")
        return
    bare = min(found["bare"])
    print(f"{options.samples} samples, {options.in_flight} in flight, {options.rounds} rounds")
    print(f"{'':12} {'ms/sample':>10} {'over bare':>10}")
    for way, values in found.items():
        rest = f"median {statistics.median(values):.3f}, most {max(values):.3f}"
        print(f"{way:12} {min(values):10.3f} {min(values) / bare - 1:10.1%}  {rest}  {WAYS[way]}")


if __name__ == "__main__":
    main()
