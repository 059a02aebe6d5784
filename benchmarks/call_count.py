"""Count the function calls of this package for one sample and one forward_backward.

    python benchmarks/call_count.py            print the counts
    python benchmarks/call_count.py --record   write them to tests/call_budget.json
    python benchmarks/call_count.py --profile  print the calls by file

Unlike times, the counts do not depend on the machine: of several repetitions the lowest is used,
because a response that arrives in two pieces adds some. They depend on the version of Python, and
tests/unit/test_call_budget.py fails if they exceed the recorded ones.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tinker_ext as tinker
from benchmarks.compare import stub_server
from tinker_ext.testing import FakeServer, make_client

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

ROOT = Path(__file__).parents[1]
BUDGET = ROOT / "tests" / "call_budget.json"
PACKAGE = f"{Path(tinker.__file__).parent}/"
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
TESTING = "/testing/"  # The server in memory.
REPETITIONS = 9
SETTINGS: dict[str, Any] = {"telemetry": False, "heartbeat_interval": 1000}
#: Seconds in which an operation and its background work end.
SETTLE = 0.2


class Calls:
    """Counts calls of functions of this package, in all threads started after `install`."""

    def __init__(self) -> None:
        self.by_function: Counter[tuple[str, str]] = Counter()
        self._counting = False

    def install(self) -> None:
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)

    def count(self, function: Callable[[], Any]) -> Counter[tuple[str, str]]:
        """The calls by file and function from `function`, which returns a future, to its result.

        The result is retrieved when it is there, because the number of calls would depend on the
        moment otherwise.
        """
        self.by_function = Counter()
        self._counting = True
        future = function()
        time.sleep(SETTLE)
        future.result()
        self._counting = False
        return self.by_function

    def _profile(self, frame: FrameType, event: str, _: object) -> None:
        if self._counting and event == "call":
            code = frame.f_code
            if code.co_filename.startswith(PACKAGE) and TESTING not in code.co_filename:
                self.by_function[code.co_filename[len(PACKAGE) :], code.co_qualname] += 1


def measure() -> dict[str, Counter[tuple[str, str]]]:
    """The calls of each operation: with a server in memory, and with one over the network.

    The second includes this package's part of the HTTP transport and the protobuf decoder, and each
    resumption of a coroutine.
    """
    calls = Calls()
    calls.install()
    with make_client(FakeServer(), **SETTINGS) as service:
        in_memory = measure_with(calls, service)
    with (
        stub_server("0.38.0") as url,
        tinker.ServiceClient(api_key="tml-benchmark", base_url=url, **SETTINGS) as service,
    ):
        over_network = measure_with(calls, service)
    return {**in_memory, **{f"{name}, network": count for name, count in over_network.items()}}


def measure_with(
    calls: Calls, service: tinker.ServiceClient
) -> dict[str, Counter[tuple[str, str]]]:
    """The calls of each operation, of the repetition with the fewest."""
    training = service.create_lora_training_client("stub/model")
    sampler = service.create_sampling_client(base_model="stub/model")
    prompt, params = tinker.ModelInput.from_ints([1, 2]), tinker.SamplingParams(max_tokens=64)
    datum = tinker.Datum(
        model_input=tinker.ModelInput.from_ints([1, 2, 3]),
        loss_fn_inputs={"target_tokens": [2, 3, 4], "weights": [1.0, 1.0, 1.0]},
    )
    operations: dict[str, Callable[[], Any]] = {
        "sample": lambda: sampler.sample(prompt, 1, params),
        "forward_backward": lambda: training.forward_backward([datum], "cross_entropy"),
    }
    for operation in operations.values():
        operation().result()
    return {
        name: min((calls.count(operation) for _ in range(REPETITIONS)), key=Counter.total)
        for name, operation in operations.items()
    }


def summary(calls: Counter[tuple[str, str]]) -> dict[str, int]:
    return {"calls": calls.total(), "files": len({file for file, _ in calls})}


def record(counts: dict[str, dict[str, int]]) -> None:
    """Write the counts of this version of Python."""
    budgets = json.loads(BUDGET.read_text(encoding="utf-8")) if BUDGET.exists() else {}
    budgets[VERSION] = counts
    text = json.dumps(dict(sorted(budgets.items())), indent=2)
    BUDGET.write_text(f"{text}\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--record", action="store_true", help=f"write {BUDGET.relative_to(ROOT)}")
    parser.add_argument("--profile", action="store_true", help="print the calls by file")
    options = parser.parse_args()
    calls = measure()
    if options.profile:
        for name, counter in calls.items():
            by_file: Counter[str] = Counter()
            for (file, _), number in counter.items():
                by_file[file] += number
            print(name, *(f"{number:5} {file}" for file, number in by_file.most_common()), sep="\n")
    counts = {name: summary(counter) for name, counter in calls.items()}
    print(json.dumps(counts))
    if options.record:
        record(counts)


if __name__ == "__main__":
    main()
