"""The overhead of tracing: CPU time per sample, for each way of using it.

    python benchmarks/tracing.py [--rounds 15] [--samples 400] [--in-flight 16]

Two processes, one without and one with an SDK, sample from a local stub server. In each, the
variants take turns, 400 samples per turn, so that other work on the machine affects all of them
alike. "bare" is the client with its tracing calls replaced by functions that do nothing. The figure
of a variant is the mean of its fastest quarter of rounds, because other work only adds time.
"paired" is the median of the ratios to "bare" in the same round; if the two differ much, the
machine was too busy. CPU time includes that of the exporters.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import driver

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
VARIANTS = {
    "none": {
        "bare": "tracing calls replaced by no-ops",
        "api only": "opentelemetry-api, no SDK: the default",
        "recording": "TINKER_EXT_TRACE=file, no SDK",
    },
    "sdk": {
        "bare": "tracing calls replaced by no-ops",
        "sdk, spans": "SDK, batch processor, official OTLP/HTTP exporter to a sink",
        "sdk, detail": "the same, with details of every sample",
        "sdk, all": "spans and metrics",
    },
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
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--samples", type=int, default=400, help="per variant and round")
    parser.add_argument("--in-flight", type=int, default=16)
    parser.add_argument("--setup", choices=VARIANTS, help=argparse.SUPPRESS)
    parser.add_argument("--ports", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.setup is not None:
        print(json.dumps(measure(options)))
        return
    print(f"{options.rounds} rounds of {options.samples} samples, {options.in_flight} in flight")
    print(f"{'':12} {'ms/sample':>10} {'over bare':>10} {'paired':>10}")
    with servers() as ports:
        for setup in VARIANTS:
            report(setup, run(setup, ports, options))


def run(setup: str, ports: tuple[int, int], options: argparse.Namespace) -> list[dict[str, float]]:
    """For each round the milliseconds of CPU time per sample, by variant."""
    command = [sys.executable, __file__, "--setup", setup, "--ports", *map(str, ports)]
    command += ["--samples", str(options.samples), "--in-flight", str(options.in_flight)]
    command += ["--rounds", str(options.rounds)]
    completed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=1200)
    result: list[dict[str, float]] = json.loads(completed.stdout)
    return result


def report(setup: str, rounds: list[dict[str, float]]) -> None:
    bare = fastest_mean([item["bare"] for item in rounds])
    for variant, meaning in VARIANTS[setup].items():
        result = fastest_mean([item[variant] for item in rounds])
        paired = statistics.median(item[variant] / item["bare"] - 1 for item in rounds)
        print(f"{variant:12} {result:10.3f} {result / bare - 1:10.1%} {paired:10.1%}   {meaning}")


def fastest_mean(values: list[float]) -> float:
    """The mean of the lowest quarter; other work on the machine only adds time."""
    return statistics.mean(sorted(values)[: max(1, len(values) // 4)])


def measure(options: argparse.Namespace) -> list[dict[str, float]]:
    """Run the rounds, in the measured process."""
    os.environ["TINKER_TELEMETRY"] = "0"
    server, sink = (f"http://127.0.0.1:{port}" for port in options.ports)
    import tinker_ext

    if options.setup == "sdk":
        set_up_sdk(sink)
    rounds = []
    with (
        tempfile.TemporaryDirectory() as folder,
        tinker_ext.ServiceClient(api_key="tml-benchmark", base_url=server) as service,
    ):
        variants = contexts(options.setup, Path(folder) / "run.jsonl")
        samples = driver.Samples(tinker_ext, service)

        def sample(variant: str) -> float:
            with variants[variant]():
                gc.collect()
                before = time.process_time()
                sample_all(samples, options.in_flight, options.samples)
                flush()  # The time of pending exports is part of the figure.
                return float((time.process_time() - before) / options.samples * 1000)

        for number in range(options.rounds + 1):
            order = list(variants) if number % 2 else list(reversed(variants))
            rounds.append({variant: sample(variant) for variant in order})
    return rounds[1:]  # The first round is a warm-up.


def sample_all(samples: driver.Samples, in_flight: int, count: int) -> None:
    """Take `count` samples, `in_flight` at a time, waiting for the oldest."""
    running = deque(samples.start(number) for number in range(in_flight))
    for number in range(in_flight, count):
        driver.check(running.popleft().result())
        running.append(samples.start(number))
    for future in running:
        driver.check(future.result())


def contexts(setup: str, path: Path) -> dict[str, Any]:
    """The context manager of each variant of a setup."""
    if setup == "none":
        return {"bare": without_tracing, "api only": nullcontext, "recording": lambda: record(path)}
    return {
        "bare": without_tracing,
        "sdk, spans": without_metrics,
        "sdk, detail": in_detail,
        "sdk, all": nullcontext,
    }


@contextmanager
def without_tracing() -> Iterator[None]:
    """Replace the tracing functions that the client calls for every sample by no-ops."""
    from tinker_ext import tracing

    class NoOperation:
        active = False

    empty, operation = nullcontext(), nullcontext(NoOperation())
    replacements: dict[str, Any] = {
        "operation": lambda *_: operation,
        "stage": lambda *_: empty,
        "trace_headers": dict,
    }
    with replaced(tracing, replacements):
        yield


@contextmanager
def without_metrics() -> Iterator[None]:
    from opentelemetry.metrics import NoOpMeterProvider

    from tinker_ext.tracing import operations

    with replaced(operations, {"get_meter_provider": NoOpMeterProvider}):
        yield


@contextmanager
def in_detail() -> Iterator[None]:
    from tinker_ext.tracing import operations

    with without_metrics(), replaced(operations.detail_bucket, {"take": lambda: True}):
        yield


@contextmanager
def record(path: Path) -> Iterator[None]:
    from tinker_ext import tracing

    tracing.record_to(path)
    try:
        yield
    finally:
        tracing.stop_recording()


@contextmanager
def replaced(owner: Any, replacements: dict[str, Any]) -> Iterator[None]:
    """Replace attributes of `owner` within the block."""
    originals = {name: getattr(owner, name) for name in replacements}
    try:
        for name, replacement in replacements.items():
            setattr(owner, name, replacement)
        yield
    finally:
        for name, original in originals.items():
            setattr(owner, name, original)


def set_up_sdk(sink: str) -> None:
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
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{sink}/v1/metrics"))
    metrics.set_meter_provider(MeterProvider([reader]))


def flush() -> None:
    """Export pending spans, if there is an SDK."""
    from opentelemetry import trace

    force: Any = getattr(trace.get_tracer_provider(), "force_flush", None)
    if force is not None:
        force()


@contextmanager
def servers() -> Iterator[tuple[int, int]]:
    """Run the stub server and the sink in two processes; yield their ports."""
    ports = free_port(), free_port()
    processes = [
        subprocess.Popen([sys.executable, str(HERE / "stub_server.py"), str(ports[0])]),
        subprocess.Popen([sys.executable, "-c", SINK, str(ports[1])]),
    ]
    try:
        for port in ports:
            wait_for(port)
        yield ports
    finally:
        for process in processes:
            process.terminate()
            process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"no server listens on port {port}")


if __name__ == "__main__":
    main()
