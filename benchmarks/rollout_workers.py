"""Sample in several processes that share one sampling session, and compare their throughput.

    python benchmarks/rollout_workers.py [--workers 2] [--samples 4000] [--rounds 3] [--ray]

The parent process opens the session and sends the sampling client and the prompts to its workers,
by `multiprocessing` or, with `--ray` (`pip install ray`), to Ray actors. The workers return the
sampled tokens. The measured time begins when all workers are connected and ends when the parent has
all tokens. Pickled, the client contains no API key: a worker reads its own from `TINKER_API_KEY`.
The server (`stub_server.py`) runs in another process on this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import time
from typing import TYPE_CHECKING, Any, TypeAlias

import tinker_ext as tinker
from benchmarks.compare import stub_server

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from threading import Barrier

IN_FLIGHT = 64
PROMPT = list(range(256))
PARAMS = tinker.SamplingParams(max_tokens=64, temperature=1.0)
KEY = "tml-benchmark"
#: Seconds in which all workers must have started.
START_TIMEOUT = 300.0

Prompts: TypeAlias = list[list[int]]
Samples: TypeAlias = list[list[int]]


class RolloutWorker:
    """Takes samples with a client that another process created. Ray runs it as an actor."""

    def __init__(self, sampler: tinker.SamplingClient) -> None:
        self._sampler = sampler

    def connect(self) -> None:
        """Join the session with a first sample."""
        self._sampler.sample(tinker.ModelInput.from_ints(PROMPT), 1, PARAMS).result()

    def roll_out(self, prompts: Prompts) -> Samples:
        """One sample of each prompt, 64 at a time."""
        return asyncio.run(sample_each(self._sampler, prompts))


async def sample_each(sampler: tinker.SamplingClient, prompts: Prompts) -> Samples:
    # Not a method: Ray runs all methods of an actor with coroutine methods on an event loop.
    places = asyncio.Semaphore(IN_FLIGHT)

    async def sample(prompt: list[int]) -> list[int]:
        async with places:
            model_input = tinker.ModelInput.from_ints(prompt)
            response = await sampler.sample_async(model_input, 1, PARAMS)
            return response.sequences[0].tokens

    return await asyncio.gather(*map(sample, prompts))


def in_one_process(sampler: tinker.SamplingClient, shards: Sequence[Prompts]) -> float:
    """Sample all prompts in this process; returns the seconds."""
    worker = RolloutWorker(sampler)
    worker.connect()
    return seconds_of(lambda: [worker.roll_out([prompt for shard in shards for prompt in shard])])


_worker: RolloutWorker


def start_worker(sampler: tinker.SamplingClient, connected: Barrier) -> None:
    global _worker
    _worker = RolloutWorker(sampler)
    _worker.connect()
    connected.wait(START_TIMEOUT)


def roll_out(prompts: Prompts) -> Samples:
    return _worker.roll_out(prompts)


def with_processes(sampler: tinker.SamplingClient, shards: Sequence[Prompts]) -> float:
    """Workers started by the standard library. `spawn`, because threads do not survive `fork`."""
    context = multiprocessing.get_context("spawn")
    connected = context.Barrier(len(shards) + 1)
    with context.Pool(len(shards), start_worker, (sampler, connected)) as pool:
        connected.wait(START_TIMEOUT)
        return seconds_of(lambda: pool.map(roll_out, shards, chunksize=1))


def with_ray(sampler: tinker.SamplingClient, shards: Sequence[Prompts]) -> float:
    """Actors of a local Ray cluster, which inherit the environment of this process."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray  # type: ignore[import-not-found]  # optional

    ray.init(
        num_cpus=len(shards),
        object_store_memory=128 * 2**20,
        include_dashboard=False,
        _node_ip_address="127.0.0.1",
    )
    try:
        actor: Any = ray.remote(num_cpus=1)(RolloutWorker)
        workers = [actor.remote(sampler) for _ in shards]
        ray.get([worker.connect.remote() for worker in workers], timeout=START_TIMEOUT)
        return seconds_of(
            lambda: ray.get(
                [
                    worker.roll_out.remote(prompts)
                    for worker, prompts in zip(workers, shards, strict=True)
                ]
            )
        )
    finally:
        ray.shutdown()


def seconds_of(sample_all: Callable[[], list[Samples]]) -> float:
    """The time in which all samples reach this process."""
    began = time.monotonic()
    results = sample_all()
    seconds = time.monotonic() - began
    assert all(len(tokens) == 64 for samples in results for tokens in samples)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--samples", type=int, default=4000, help="of all workers together")
    parser.add_argument("--ray", action="store_true", help="also with Ray")
    parser.add_argument("--rounds", type=int, default=3, help="the fastest counts")
    options = parser.parse_args()
    os.environ["TINKER_API_KEY"] = KEY
    ways: dict[str, Callable[[tinker.SamplingClient, Sequence[Prompts]], float]] = {
        "one process": in_one_process,
        "multiprocessing": with_processes,
    }
    if options.ray:
        ways["Ray"] = with_ray
    share = options.samples // options.workers
    shards = [[PROMPT] * share for _ in range(options.workers)]
    rounds: list[dict[str, float]] = []
    with (
        stub_server("0.38.0") as url,
        tinker.ServiceClient(base_url=url, telemetry=False) as service,
    ):
        sampler = service.create_sampling_client(base_model="stub/model")
        for _ in range(options.rounds):  # In turns, so that other work affects all alike.
            rounds.append({title: run(sampler, shards) for title, run in ways.items()})
            print({title: round(seconds, 2) for title, seconds in rounds[-1].items()}, flush=True)
    print(
        f"{options.workers} workers, {share} samples each; the fastest of {options.rounds} rounds"
    )
    fastest = {title: min(seconds[title] for seconds in rounds) for title in ways}
    for title, seconds in fastest.items():
        rate, ratio = share * options.workers / seconds, fastest["one process"] / seconds
        print(f"{title}: {rate:.0f}/s, {ratio:.2f}x one process")


if __name__ == "__main__":
    main()
