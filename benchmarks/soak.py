"""A long run under faults: `python benchmarks/soak.py [--samples 20000] [--steps 500]`.

Samples with 400 in flight and a training run go on at the same time, against a server on a loopback
socket, in a process of its own, that spoils one answer in five, each time in another way, and
refuses connections now and then. At the end all must be done, the server must have counted every
number once, and memory must be flat. Nothing is simulated; backoffs take their time. Prints a table
of it all, and exits with 1 when something is not as it should be.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import threading
import time
from collections import Counter, deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

import tinker_ext as tinker
from tinker_ext.testing import FaultServer, Received, Reply, faults

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

IN_FLIGHT = 400
FAULT_SHARE = 0.2
GROWTH_ALLOWED = 0.10
PARAMS = tinker.SamplingParams(max_tokens=4)
PROMPT = tinker.ModelInput.from_ints([1, 2, 3])
DATUM = tinker.Datum(
    model_input=tinker.ModelInput.from_ints([1, 2]),
    loss_fn_inputs={"target_tokens": [1, 2], "weights": [1.0, 1.0]},
)
KINDS = {
    "408": Reply(408, {"detail": "slow"}),
    "429": Reply(429, None, {"Retry-After": "0.05"}),
    "500 as text": Reply(500, "Internal Server Error"),
    "502 of a proxy": faults.proxy_page(502),
    "503": Reply(503, {"detail": "busy"}),
    "504": Reply(504),
    "520": Reply(520, "error code: 520"),
    "200, HTML of a portal": faults.proxy_page(200),
    "200, no body": Reply(200, ""),
    "request lost": faults.lost_request(),
    "answer lost": faults.dropped(),
    "half of the body": faults.half_sent(),
    "reset": faults.reset(),
    "no HTTP": faults.not_http(),
    "half of the JSON": faults.truncated_json(),
    "no JSON": faults.invalid_json(),
    "wrong content type": faults.wrong_content_type(),
    "NaN and Infinity": faults.not_a_number(),
    "a trickle": faults.trickled(),
    "a delay": faults.delayed(0.2),
    "unknown fields": faults.unknown_fields(),
    "unknown words": faults.unknown_values(),
}
# A poll may be held for 45 s, so silence there would only measure that.
OF_POLLS = {"try again": Reply(200, {"type": "try_again", "queue_state": "active"})}
OF_OTHERS = {"silence": faults.silent()}
# Now and then all connections end, and new ones are refused for so many seconds.
REFUSED_EVERY, REFUSED_FOR = 2000, 0.3
REQUEST_TIMEOUT = 5.0


class FaultyServer(FaultServer):
    """Spoils a share of its answers at random, and keeps only what the count needs."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._chance = random.Random(seed)
        self.spoiled: Counter[str] = Counter()
        self.requests = 0

    def decide(self, received: Received) -> object:
        self.requests += 1
        if self.requests % REFUSED_EVERY == 0:
            self.spoiled["refused"] += 1
            self._loop.call_later(REFUSED_FOR, self._listen_again)
            return faults.refused()
        if self._chance.random() >= FAULT_SHARE:
            return None
        is_poll = received.operation == "retrieve_future"
        kinds = {**KINDS, **(OF_POLLS if is_poll else OF_OTHERS)}
        kind = self._chance.choice(list(kinds))
        self.spoiled[kind] += 1
        return kinds[kind]

    def _listen_again(self) -> None:
        self._listening = self._loop.create_task(self._listen())


@frozen
class Count:
    """What the server saw."""

    requests: int
    spoiled: Counter[str]
    samples: int
    training: int
    conflicts: int


def serve(pipe: Connection, seed: int) -> None:
    """The server's process: says where it is, and at the end what it saw."""
    with FaultyServer(seed) as server:
        pipe.send(server.url)
        pipe.recv()
        counted = Counter(key[0] for key in server.counted)
        pipe.send(
            Count(
                server.requests,
                server.spoiled,
                counted["sampling_session_id"],
                counted["model_id"],
                len(server.conflicts),
            )
        )


def sample_all(service: tinker.ServiceClient, count: int, memory: list[int]) -> int:
    """Keep `IN_FLIGHT` samples going until `count` are done; how many have the right tokens."""
    sampler = service.create_sampling_client(base_model="fake/model")
    going: deque[tinker.APIFuture[tinker.SampleResponse]] = deque()
    right = started = 0
    while started < count or going:
        while started < count and len(going) < IN_FLIGHT:
            going.append(sampler.sample(PROMPT, 1, PARAMS))
            started += 1
        right += going.popleft().result(600).sequences[0].tokens == [1, 2, 3]
        if right % max(1, count // 100) == 0:
            memory.append(resident())
    return right


def train(service: tinker.ServiceClient, count: int, done: list[int]) -> None:
    """Steps of forward_backward and optim_step, ten of them under way at a time."""
    training = service.create_lora_training_client("fake/model")
    going: deque[tinker.APIFuture[object]] = deque()
    for _ in range(count):
        going.append(training.forward_backward([DATUM], "cross_entropy").map(_right_loss))
        going.append(training.optim_step(tinker.AdamParams()).map(lambda step: True))
        while len(going) > 20:
            done.append(bool(going.popleft().result(600)))
    done.extend(bool(item.result(600)) for item in going)


def _right_loss(output: tinker.ForwardBackwardOutput) -> object:
    return output.metrics["loss:sum"] == 2.0


def resident() -> int:
    """Resident memory of this process in bytes (Linux)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    memory: list[int] = []
    trained: list[int] = []
    started = time.monotonic()
    context = multiprocessing.get_context("spawn")
    pipe, other_end = context.Pipe()
    process = context.Process(target=serve, args=(other_end, wanted.seed), daemon=True)
    process.start()
    settings: dict[str, Any] = {"base_url": pipe.recv(), "timeout": REQUEST_TIMEOUT}
    with tinker.ServiceClient(api_key="tml-soak", **settings) as service:
        training = threading.Thread(target=train, args=(service, wanted.steps, trained))
        training.start()
        right = sample_all(service, wanted.samples, memory)
        training.join()
    took = time.monotonic() - started
    pipe.send("done")
    count: Count = pipe.recv()
    process.join()
    return report(wanted, took, right, sum(trained), count, memory)


def report(
    wanted: argparse.Namespace,
    took: float,
    right: int,
    trained: int,
    count: Count,
    memory: list[int],
) -> int:
    early, late = memory[len(memory) // 10], max(memory[len(memory) // 10 :])
    spoiled, kinds = sum(count.spoiled.values()), len(count.spoiled)
    growth = late / early - 1
    rows = [
        ("samples done", right, right == wanted.samples),
        ("samples the server counted", count.samples, count.samples == wanted.samples),
        ("training requests done", trained, trained == 2 * wanted.steps),
        (
            "training requests the server counted",
            count.training,
            count.training == 2 * wanted.steps,
        ),
        ("numbers used for two requests", count.conflicts, not count.conflicts),
        ("requests received", f"{count.requests:,}", True),
        (
            f"answers spoiled, in {kinds} ways",
            f"{spoiled:,} ({spoiled / count.requests:.0%})",
            {*KINDS, *OF_POLLS, *OF_OTHERS} <= set(count.spoiled),
        ),
        ("time", f"{took:.0f} s, of which {time.process_time():.0f} s on the processor", True),
        ("resident memory after the first tenth", f"{early / 1e6:.1f} MB", True),
        (
            "resident memory at most after that",
            f"{late / 1e6:.1f} MB ({growth:+.1%})",
            growth <= GROWTH_ALLOWED,
        ),
    ]
    print("| | | holds |\n|---|---|---|")
    for name, value, holds in rows:
        print(f"| {name} | {value} | {'yes' if holds else 'NO'} |")
    return 0 if all(holds for *_, holds in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
