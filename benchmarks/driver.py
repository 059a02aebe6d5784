"""One measurement with one client, in the environment that runs it; prints a JSON line.

    python benchmarks/driver.py MODULE URL sampling IN_FLIGHT COUNT
    python benchmarks/driver.py MODULE URL training DATUMS TOKENS
    python benchmarks/driver.py MODULE URL import

MODULE is `tinker_ext` or `tinker`. The script is the same for both, because their names are.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import sys
import time
from collections import deque
from typing import Any

#: Timed training steps, after a warm-up. Three small ones take only 20 ms.
STEPS = 10


def main(module: str, url: str, case: str, *sizes: str) -> dict[str, float]:
    started = time.perf_counter()
    tinker = importlib.import_module(module)
    if case == "import":
        assert tinker.ServiceClient  # One of the two imports it on first use.
        return {"import_s": time.perf_counter() - started, "modules": len(sys.modules)}
    os.environ["TINKER_TELEMETRY"] = "0"
    service = tinker.ServiceClient(api_key="tml-benchmark", base_url=url)
    measure = {"sampling": sampling, "training": training}[case]
    return measure(tinker, service, *map(int, sizes))


def sampling(tinker: Any, service: Any, in_flight: int, count: int) -> dict[str, float]:
    """Samples of 64 tokens with logprobs, `in_flight` at a time."""
    sampler = service.create_sampling_client(base_model="stub/model")
    prompt = tinker.ModelInput.from_ints(list(range(100)))
    params = tinker.SamplingParams(max_tokens=64, temperature=1.0)

    def start() -> tuple[float, Any]:
        return time.perf_counter(), sampler.sample(prompt, 1, params)

    start()[1].result()
    before, cpu = time.perf_counter(), time.process_time()
    running = deque(start() for _ in range(in_flight))
    latencies = []
    left = count - in_flight
    while running:
        began, future = running.popleft()
        assert len(future.result().sequences[0].tokens) == 64
        latencies.append(time.perf_counter() - began)
        if left > 0:
            left -= 1
            running.append(start())
    seconds = time.perf_counter() - before
    latencies.sort()
    return {
        "samples_per_s": count / seconds,
        "p99_s": latencies[int(len(latencies) * 0.99)],
        "cpu_s_per_1000": (time.process_time() - cpu) / count * 1000,
        "peak_mb": peak_mb(),
    }


def training(tinker: Any, service: Any, datums: int, tokens: int) -> dict[str, float]:
    """forward_backward with numpy inputs; building the data and reading the result are included."""
    import numpy as np

    client = service.create_lora_training_client(base_model="stub/model")
    ids = np.arange(tokens, dtype=np.int64) % 32_000
    weights = np.random.default_rng(0).random(tokens, dtype=np.float32)

    def step() -> None:
        data = [
            tinker.Datum(
                model_input=tinker.ModelInput.from_ints(ids.tolist()),
                loss_fn_inputs={
                    "target_tokens": tinker.TensorData.from_numpy(ids),
                    "weights": tinker.TensorData.from_numpy(weights),
                },
            )
            for _ in range(datums)
        ]
        output = client.forward_backward(data, "cross_entropy").result()
        assert len(output.loss_fn_outputs) == datums
        for loss_fn_output in output.loss_fn_outputs:
            assert loss_fn_output["logprobs"].to_numpy().shape == (tokens,)

    step()
    gc.collect()  # Garbage of the start must not be collected in a timed step.
    cpu, before = time.process_time(), time.perf_counter()
    for _ in range(STEPS):
        step()
    return {
        "cpu_s": (time.process_time() - cpu) / STEPS,
        "wall_s": (time.perf_counter() - before) / STEPS,
        "peak_mb": peak_mb(),
    }


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])), flush=True)
    # Don't wait for retries that a client still makes.
    os._exit(0)
