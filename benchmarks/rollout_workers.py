"""Sample in several processes that share one sampling session, and compare their throughput.

    python benchmarks/rollout_workers.py [--workers 2] [--samples 2000] [--ray]

The parent process opens the session and passes the sampling client to its workers, by
`multiprocessing` or, with `--ray` (`pip install ray`), as an argument of a remote function.
Pickled, the client contains no API key: a worker reads its own from `TINKER_API_KEY`. The server
(`stub_server.py`) runs in another process on this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import time
from typing import TYPE_CHECKING, Any

import tinker_ext as tinker
from benchmarks.compare import stub_server

if TYPE_CHECKING:
    from collections.abc import Callable

IN_FLIGHT = 64
PARAMS = tinker.SamplingParams(max_tokens=64, temperature=1.0)
KEY = "tml-benchmark"


def roll_out(sampler: tinker.SamplingClient, samples: int) -> tuple[float, float]:
    """Take `samples` samples, 64 at a time; returns when the first began and the last ended."""
    return asyncio.run(_roll_out(sampler, samples))


async def _roll_out(sampler: tinker.SamplingClient, samples: int) -> tuple[float, float]:
    prompt = tinker.ModelInput.from_ints(list(range(256)))
    await sampler.sample_async(prompt, 1, PARAMS)  # Connects, and joins the session.
    numbers = iter(range(samples))

    async def worker() -> None:
        for _ in numbers:
            response = await sampler.sample_async(prompt, 1, PARAMS)
            assert len(response.sequences[0].tokens) == 64

    began = time.time()
    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    return began, time.time()


def with_processes(
    sampler: tinker.SamplingClient, workers: int, samples: int
) -> list[tuple[float, float]]:
    """Workers started by the standard library. `spawn`, because threads do not survive `fork`."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers) as pool:
        return pool.starmap(roll_out, [(sampler, samples)] * workers)


def with_ray(
    sampler: tinker.SamplingClient, workers: int, samples: int
) -> list[tuple[float, float]]:
    """Workers started by Ray, with the key in their environment."""
    import ray  # type: ignore[import-not-found]  # optional

    environment = {"env_vars": {"TINKER_API_KEY": os.environ["TINKER_API_KEY"]}}
    ray.init(num_cpus=workers, include_dashboard=False, runtime_env=environment)
    try:
        remote: Any = ray.remote(num_cpus=1)(roll_out)
        futures = [remote.remote(sampler, samples) for _ in range(workers)]
        result: list[tuple[float, float]] = ray.get(futures)
        return result
    finally:
        ray.shutdown()


def report(title: str, spans: list[tuple[float, float]], samples: int) -> None:
    seconds = max(end for _, end in spans) - min(began for began, _ in spans)
    rate = samples * len(spans) / seconds
    print(f"{title}: {len(spans)} x {samples} samples in {seconds:.2f} s, {rate:.0f}/s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--samples", type=int, default=2000, help="of each worker")
    parser.add_argument("--ray", action="store_true", help="also with Ray")
    options = parser.parse_args()
    os.environ["TINKER_API_KEY"] = KEY
    starters: dict[str, Callable[..., list[tuple[float, float]]]] = {
        "multiprocessing": with_processes
    }
    if options.ray:
        starters["Ray"] = with_ray
    with (
        stub_server("0.38.0") as url,
        tinker.ServiceClient(base_url=url, telemetry=False) as service,
    ):
        sampler = service.create_sampling_client(base_model="stub/model")
        report("one process", [roll_out(sampler, options.samples)], options.samples)
        for title, start in starters.items():
            report(title, start(sampler, options.workers, options.samples), options.samples)


if __name__ == "__main__":
    main()
