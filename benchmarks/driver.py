"""One measurement with one client, in the environment that runs it; prints a JSON line.

    python benchmarks/driver.py '{"client": "tinker_ext", "url": URL, "case": "sampling",
                                  "in_flight": 64, "caller": "async", "seconds": 3}'

`client` is the name of a module: `tinker_ext`, `tinker` or `benchmarks.floor`. The script is the
same for all, because their names are. It imports only the standard library and numpy, which all of
them depend on. The other options are the parameters of the functions in `CASES`; `cpu` is the core
to run on.
"""

from __future__ import annotations

import asyncio
import gc
import http.client
import importlib
import json
import os
import resource
import sys
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL = "stub/model"
PROMPT_TOKENS = 256
SAMPLED_TOKENS = 64
VOCABULARY = 150_000
#: Fewest timed training steps. Three small ones take only 20 ms.
LEAST_STEPS = 3


def main(options: dict[str, Any]) -> dict[str, float]:
    module, url, case = options.pop("client"), options.pop("url"), options.pop("case")
    cpu = options.pop("cpu", None)
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    os.environ["TINKER_TELEMETRY"] = "0"
    sys.path.insert(0, str(Path(__file__).parents[1]))
    other_before = other_cpu_seconds()
    started, cpu_before = time.perf_counter(), time.process_time()
    tinker = importlib.import_module(module)
    service_type = tinker.ServiceClient  # One of the clients imports it on first use.
    imported = {
        "import_s": time.perf_counter() - started,
        "import_cpu_s": time.process_time() - cpu_before,
        "import_mb": memory_mb("VmRSS"),
        "modules": len(sys.modules),
    }
    service = service_type(api_key="tml-benchmark", base_url=url)
    if case == "start":
        return {**imported, **ready(service, started, cpu_before, other_before)}
    result: dict[str, float] = CASES[case](tinker, service, Server(url), **options)
    return result


def ready(service: Any, started: float, cpu_before: float, other_before: float) -> dict[str, float]:
    """The time from the start of the import until the first sample could be sent."""
    resolve(service.create_sampling_client(base_model=MODEL))
    seconds = time.perf_counter() - started
    return {
        "ready_s": seconds,
        "ready_cpu_s": time.process_time() - cpu_before,
        "ready_mb": memory_mb("VmRSS"),
        "other_share": max(0.0, other_cpu_seconds() - other_before) / seconds,
    }


def resolve(client: Any) -> Any:
    """The client itself; 0.38.0 returns a future of it."""
    return client.result() if hasattr(client, "result") else client


class Server:
    """Reads the figures of the stub server."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url).netloc

    def usage(self) -> dict[str, float]:
        """Its CPU seconds, and the received bytes of training data."""
        connection = http.client.HTTPConnection(self._address, timeout=30)
        try:
            connection.request("GET", "/stub/usage")
            usage: dict[str, float] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return usage


class Meter:
    """Measures time, CPU time and the server's CPU time from its creation on."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._server_cpu = server.usage()["cpu_s"]
        self._other = other_cpu_seconds()
        self._cpu, self._began = time.process_time(), time.perf_counter()

    def seconds(self) -> float:
        return time.perf_counter() - self._began

    def read(self, count: int) -> dict[str, float]:
        """Figures of `count` samples or steps.

        `other_share` is the share of the time that the core spent on other work.
        """
        cpu, seconds = time.process_time() - self._cpu, self.seconds()
        other = max(0.0, other_cpu_seconds() - self._other)
        return {
            "per_s": count / seconds,
            "cpu_s_per_1000": cpu / count * 1000,
            "client_share": cpu / seconds,
            "other_share": other / seconds,
            "stub_share": (self._server.usage()["cpu_s"] - self._server_cpu) / seconds,
        }


class Window:
    """The timed part of a run: from the completion number `skip` on, for some seconds."""

    def __init__(self, server: Server, skip: int, seconds: float) -> None:
        self._server = server
        self._skip = skip
        self._seconds = seconds
        self._completed = 0
        self._latencies: list[float] = []
        self._resident = memory_mb("VmRSS")
        self._meter: Meter | None = None
        self.result: dict[str, float] | None = None
        reset_peak()

    def completed(self, began: float) -> bool:
        """Count a completed sample. Returns True when the time is over."""
        if self.result is not None:
            return True
        self._completed += 1
        if self._meter is None:
            if self._completed >= self._skip:
                self._meter = Meter(self._server)
            return False
        self._latencies.append(time.perf_counter() - began)
        if self._meter.seconds() >= self._seconds:
            self.result = self._summary(self._meter)
        return self.result is not None

    def _summary(self, meter: Meter) -> dict[str, float]:
        count = len(self._latencies)
        latencies = sorted(self._latencies)
        return {
            **meter.read(count),
            "p50_s": latencies[count // 2],
            "p99_s": latencies[int(count * 0.99)],
            "growth_mb": memory_mb("VmHWM") - self._resident,
        }


def sampling(
    tinker: Any,
    service: Any,
    server: Server,
    *,
    in_flight: int,
    caller: str,
    seconds: float,
    stagger: float = 0.0,
) -> dict[str, float]:
    """Samples of 64 tokens with logprobs, `in_flight` at a time, each followed by another.

    Args:
        caller: "async": one task per sample in flight. "sync": one thread that waits for the oldest
            sample and starts the next.
        stagger: seconds over which the first samples are started, so that those of a slow server
            don't end together.
    """
    samples = Samples(tinker, service)
    check(samples.start(0).result())
    window = Window(server, max(in_flight, 20), seconds)
    if caller == "async":
        asyncio.run(sample_in_tasks(samples, window, in_flight, stagger))
    else:
        sample_in_thread(samples, window, in_flight, stagger)
    assert window.result is not None
    return window.result


class Samples:
    """Starts samples, with one of several prompts."""

    def __init__(self, tinker: Any, service: Any) -> None:
        import random

        self._sampler = resolve(service.create_sampling_client(base_model=MODEL))
        numbers = random.Random(0)
        self._prompts = [
            tinker.ModelInput.from_ints(
                [numbers.randrange(VOCABULARY) for _ in range(PROMPT_TOKENS)]
            )
            for _ in range(16)
        ]
        self._params = tinker.SamplingParams(max_tokens=SAMPLED_TOKENS, temperature=1.0)

    def start(self, number: int) -> Any:
        return self._sampler.sample(self._prompts[number % 16], 1, self._params)

    def start_async(self, number: int) -> Any:
        return self._sampler.sample_async(self._prompts[number % 16], 1, self._params)


async def sample_in_tasks(samples: Samples, window: Window, in_flight: int, stagger: float) -> None:
    async def repeat(worker: int) -> None:
        await asyncio.sleep(stagger * worker / in_flight)
        over = False
        while not over:
            began = time.perf_counter()
            check(await samples.start_async(worker))
            over = window.completed(began)

    tasks = [asyncio.create_task(repeat(worker)) for worker in range(in_flight)]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:  # The exception of a sample that failed.
        if task.done():
            task.result()
    report(window.result)


def sample_in_thread(samples: Samples, window: Window, in_flight: int, stagger: float) -> None:
    running: deque[tuple[float, Any]] = deque()
    for number in range(in_flight):
        running.append((time.perf_counter(), samples.start(number)))
        if stagger:
            time.sleep(stagger / in_flight)
    number = in_flight
    while True:
        began, future = running.popleft()
        check(future.result())
        if window.completed(began):
            report(window.result)
        running.append((time.perf_counter(), samples.start(number)))
        number += 1


def check(response: Any) -> None:
    """Access what a program reads: the tokens and their logprobs."""
    [sequence] = response.sequences
    assert len(sequence.tokens) == len(sequence.logprobs) == SAMPLED_TOKENS


def training(
    tinker: Any, service: Any, server: Server, *, datums: int, tokens: int, seconds: float
) -> dict[str, float]:
    """forward_backward of numpy arrays, from building the datums to reading the logprobs.

    `growth_mb` is the peak memory of the first step over that before the call, with the datums
    already built.
    """
    client = resolve(service.create_lora_training_client(base_model=MODEL))
    build = Datums(tinker, datums, tokens)
    read_result(client.forward_backward(Datums(tinker, 1, 8)(), "cross_entropy").result())
    data = build()
    gc.collect()
    received = server.usage()["training_bytes"]
    resident = memory_mb("VmRSS")
    reset_peak()
    output = client.forward_backward(data, "cross_entropy").result()
    growth = memory_mb("VmHWM") - resident
    body = (server.usage()["training_bytes"] - received) / 1e6
    assert read_result(output) == datums * tokens
    del data, output
    gc.collect()  # Garbage of the start must not be collected in a timed step.
    meter = Meter(server)
    steps = 0
    while steps < LEAST_STEPS or meter.seconds() < seconds:
        read_result(client.forward_backward(build(), "cross_entropy").result())
        steps += 1
    figures = meter.read(steps)
    return {
        **figures,
        "cpu_s": figures["cpu_s_per_1000"] / 1000,
        "wall_s": 1 / figures["per_s"],
        "growth_mb": growth * 1024 * 1024 / 1e6,
        "body_mb": body,
        "growth_per_body": growth * 1024 * 1024 / 1e6 / body,
    }


class Datums:
    """Builds training data from numpy arrays."""

    def __init__(self, tinker: Any, datums: int, tokens: int) -> None:
        import numpy as np

        generator = np.random.default_rng(0)
        self._tinker = tinker
        self._count = datums
        self._ids = generator.integers(0, VOCABULARY, tokens)
        self._weights = generator.random(tokens, dtype=np.float32)
        try:
            tinker.ModelInput.from_ints(self._ids)
            self._takes_arrays = True
        except ValueError:  # The official SDKs accept only lists of token ids.
            self._takes_arrays = False

    def __call__(self) -> list[Any]:
        tinker, ids, weights = self._tinker, self._ids, self._weights
        return [
            tinker.Datum(
                model_input=tinker.ModelInput.from_ints(
                    ids if self._takes_arrays else ids.tolist()
                ),
                loss_fn_inputs={
                    "target_tokens": tinker.TensorData.from_numpy(ids),
                    "weights": tinker.TensorData.from_numpy(weights),
                },
            )
            for _ in range(self._count)
        ]


def read_result(output: Any) -> int:
    """Read the logprobs, and return their number."""
    return sum(item["logprobs"].to_numpy().size for item in output.loss_fn_outputs)


def steps(
    tinker: Any, service: Any, server: Server, *, count: int, pipelined: bool
) -> dict[str, float]:
    """Small steps: forward_backward of 4 datums with 64 tokens, and optim_step.

    With `pipelined`, all are submitted before the first is waited for.
    """
    client = resolve(service.create_lora_training_client(base_model=MODEL))
    build = Datums(tinker, 4, 64)
    params = tinker.AdamParams(learning_rate=1e-4)

    def submit() -> list[Any]:
        return [client.forward_backward(build(), "cross_entropy"), client.optim_step(params)]

    def run(number: int) -> None:
        pending: deque[Any] = deque()
        for _ in range(number):
            pending += submit()
            while pending and not pipelined:
                pending.popleft().result()
        for future in pending:
            future.result()

    run(5)
    gc.collect()
    meter = Meter(server)
    run(count)
    return meter.read(count)


def faults(
    tinker: Any, service: Any, server: Server, *, count: int, in_flight: int, limit: float
) -> dict[str, float]:
    """`count` samples from a server whose requests fail at random, for at most `limit` seconds."""
    samples = Samples(tinker, service)
    check(samples.start(0).result())
    numbers = iter(range(count))
    done = failed = 0

    async def worker() -> None:
        nonlocal done, failed
        for number in numbers:
            try:
                check(await samples.start_async(number))
                done += 1
            except Exception:
                failed += 1

    async def run() -> None:
        tasks = [asyncio.create_task(worker()) for _ in range(in_flight)]
        await asyncio.wait(tasks, timeout=limit)
        seconds = meter.seconds()
        report({**meter.read(count), "seconds": seconds, "done": done, "failed": failed})

    meter = Meter(server)
    asyncio.run(run())
    raise AssertionError("run reports and ends the process")


CASES: dict[str, Callable[..., dict[str, float]]] = {
    "sampling": sampling,
    "training": training,
    "steps": steps,
    "faults": faults,
}


def memory_mb(name: str) -> float:
    """A figure of /proc/self/status in MiB; without it the peak of the process."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            fields = dict(line.split(":", 1) for line in status)
        return int(fields[name].split()[0]) / 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def other_cpu_seconds() -> float:
    """The CPU seconds that the core of this process has spent on other work; 0 if unknown.

    Not from `schedstat`: there a thread of this process also waits for its other threads.
    """
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    stat = Path("/proc/stat")
    if len(cores) != 1 or not stat.exists():
        return 0.0
    name = f"cpu{cores.pop()}"
    [ticks] = [
        line.split()[1:]
        for line in stat.read_text(encoding="ascii").splitlines()
        if line.split()[0] == name
    ]
    user, nice, system, _idle, _iowait, irq, softirq, steal, *_ = map(int, ticks)
    busy = user + nice + system + irq + softirq + steal
    return busy / os.sysconf("SC_CLK_TCK") - time.process_time()


def reset_peak() -> None:
    """Make `VmHWM` the peak from now on."""
    if os.path.exists("/proc/self/clear_refs"):
        with open("/proc/self/clear_refs", "w", encoding="ascii") as control:
            control.write("5")


def report(result: dict[str, float] | None) -> None:
    """Print the result and end the process, without waiting for retries that a client makes."""
    print(json.dumps(result), flush=True)
    os._exit(0)


if __name__ == "__main__":
    report(main(json.loads(sys.argv[1])))
