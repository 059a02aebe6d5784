"""A long run under faults: `python benchmarks/soak.py [--samples 20000] [--steps 500]`.

Keeps 400 samples in flight next to a training run. The server, in another process on a loopback
socket, makes one response in five faulty, in random ways, and refuses connections now and then. At
the end all requests must be complete, the server must have counted every sequence number once, and
memory must not have grown. Nothing is simulated: pauses take real time. Prints a table of the
results, and exits with 1 if one of them is wrong.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import threading
import time
from collections import Counter, deque
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from attrs import frozen

import tinker_ext as tinker
from tinker_ext.testing import FaultServer, Received, Reply, faults

IN_FLIGHT = 400
FAULT_SHARE = 0.2
GROWTH_ALLOWED = 0.10
PARAMS = tinker.SamplingParams(max_tokens=4)
PROMPT = tinker.ModelInput.from_ints([1, 2, 3])
DATUM = tinker.Datum(
    model_input=tinker.ModelInput.from_ints([1, 2]),
    loss_fn_inputs={"target_tokens": [1, 2], "weights": [1.0, 1.0]},
)
FAULTS = {
    "408": Reply(408, {"detail": "slow"}),
    "429": Reply(429, None, {"Retry-After": "0.05"}),
    "500, plain text": Reply(500, "Internal Server Error"),
    "502, HTML page of a proxy": faults.proxy_page(502),
    "503": Reply(503, {"detail": "busy"}),
    "504": Reply(504),
    "520": Reply(520, "error code: 520"),
    "200, HTML page of a captive portal": faults.proxy_page(200),
    "200, empty body": Reply(200, ""),
    "connection closed before processing": faults.lost_request(),
    "connection closed before the response": faults.dropped(),
    "connection closed in the body": faults.half_sent(),
    "connection reset in the body": faults.reset(),
    "response is not HTTP": faults.not_http(),
    "truncated JSON": faults.truncated_json(),
    "invalid JSON": faults.invalid_json(),
    "wrong content type": faults.wrong_content_type(),
    "NaN and Infinity": faults.not_a_number(),
    "body in small pieces": faults.trickled(),
    "delayed response": faults.delayed(0.2),
    "unknown fields": faults.unknown_fields(),
    "unknown enum values": faults.unknown_values(),
}
# A poll may be held for 45 s, so "no response" is only useful for other requests.
POLL_FAULTS = {"try_again": Reply(200, {"type": "try_again", "queue_state": "active"})}
OTHER_FAULTS = {"no response": faults.silent()}
# Every so many requests all connections are closed, and new ones are refused for some seconds.
REFUSED_EVERY, REFUSED_FOR = 2000, 0.3
REQUEST_TIMEOUT = 5.0


class FaultyServer(FaultServer):
    """Makes a share of its responses faulty at random, and counts them."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = random.Random(seed)
        self.faulty: Counter[str] = Counter()
        self.requests = 0

    def decide(self, received: Received) -> object:
        self.requests += 1
        if self.requests % REFUSED_EVERY == 0:
            self.faulty["refused"] += 1
            self._loop.call_later(REFUSED_FOR, self._listen_again)
            return faults.refused()
        if self._random.random() >= FAULT_SHARE:
            return None
        is_poll = received.operation == "retrieve_future"
        responses = {**FAULTS, **(POLL_FAULTS if is_poll else OTHER_FAULTS)}
        name = self._random.choice(list(responses))
        self.faulty[name] += 1
        return responses[name]

    def _listen_again(self) -> None:
        self._listening = self._loop.create_task(self._listen())


@frozen
class Count:
    """The counts of the server."""

    requests: int
    faulty: Counter[str]
    samples: int
    training: int
    conflicts: int


def serve(pipe: Connection, seed: int) -> None:
    """The server's process: sends its URL, and at the end its counts."""
    with FaultyServer(seed) as server:
        pipe.send(server.url)
        pipe.recv()
        counted = Counter(key[0] for key in server.counted)
        pipe.send(
            Count(
                server.requests,
                server.faulty,
                counted["sampling_session_id"],
                counted["model_id"],
                len(server.conflicts),
            )
        )


def sample_all(service: tinker.ServiceClient, count: int, memory: list[int]) -> int:
    """Keep `IN_FLIGHT` samples in flight until `count` are complete; count the right ones."""
    sampler = service.create_sampling_client(base_model="fake/model")
    pending: deque[tinker.APIFuture[tinker.SampleResponse]] = deque()
    right = started = 0
    while started < count or pending:
        while started < count and len(pending) < IN_FLIGHT:
            pending.append(sampler.sample(PROMPT, 1, PARAMS))
            started += 1
        right += pending.popleft().result(600).sequences[0].tokens == [1, 2, 3]
        if right % max(1, count // 100) == 0:
            memory.append(resident())
    return right


def train(service: tinker.ServiceClient, count: int, done: list[int]) -> None:
    """Run steps of forward_backward and optim_step, ten at a time."""
    training = service.create_lora_training_client("fake/model")
    pending: deque[tinker.APIFuture[object]] = deque()
    for _ in range(count):
        pending.append(training.forward_backward([DATUM], "cross_entropy").map(_right_loss))
        pending.append(training.optim_step(tinker.AdamParams()).map(lambda step: True))
        while len(pending) > 20:
            done.append(bool(pending.popleft().result(600)))
    done.extend(bool(item.result(600)) for item in pending)


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
    options = parser.parse_args()
    memory: list[int] = []
    trained: list[int] = []
    started = time.monotonic()
    context = multiprocessing.get_context("spawn")
    pipe, other_end = context.Pipe()
    process = context.Process(target=serve, args=(other_end, options.seed), daemon=True)
    process.start()
    settings: dict[str, Any] = {"base_url": pipe.recv(), "timeout": REQUEST_TIMEOUT}
    with tinker.ServiceClient(api_key="tml-soak", **settings) as service:
        training = threading.Thread(target=train, args=(service, options.steps, trained))
        training.start()
        right = sample_all(service, options.samples, memory)
        training.join()
    took = time.monotonic() - started
    pipe.send("done")
    count: Count = pipe.recv()
    process.join()
    return report(options, took, right, sum(trained), count, memory)


def report(
    options: argparse.Namespace,
    took: float,
    right: int,
    trained: int,
    count: Count,
    memory: list[int],
) -> int:
    early, late = memory[len(memory) // 10], max(memory[len(memory) // 10 :])
    faulty, ways = sum(count.faulty.values()), len(count.faulty)
    growth = late / early - 1
    rows = [
        ("samples completed", right, right == options.samples),
        ("samples the server counted", count.samples, count.samples == options.samples),
        ("training requests completed", trained, trained == 2 * options.steps),
        (
            "training requests the server counted",
            count.training,
            count.training == 2 * options.steps,
        ),
        ("sequence numbers used for two requests", count.conflicts, not count.conflicts),
        ("requests received", f"{count.requests:,}", True),
        (
            f"faulty responses, in {ways} ways",
            f"{faulty:,} ({faulty / count.requests:.0%})",
            {*FAULTS, *POLL_FAULTS, *OTHER_FAULTS} <= set(count.faulty),
        ),
        ("time", f"{took:.0f} s, of which {time.process_time():.0f} s of CPU time", True),
        ("resident memory after the first tenth", f"{early / 1e6:.1f} MB", True),
        (
            "its later maximum",
            f"{late / 1e6:.1f} MB ({growth:+.1%})",
            growth <= GROWTH_ALLOWED,
        ),
    ]
    print("| | | right |\n|---|---|---|")
    for name, value, passed in rows:
        print(f"| {name} | {value} | {'yes' if passed else 'NO'} |")
    return 0 if all(passed for *_, passed in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
