"""The results of a benchmark: runs by scenario and client, their medians, ratios and goals."""

from __future__ import annotations

import heapq
import json
import random
import statistics
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import asdict, define, field

from benchmarks.stub_server import FAULTS, RETRY_AFTER
from tinker_ext.rules.retry import backoff

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: The figures of one run.
Run: TypeAlias = dict[str, float]


@define
class Results:
    """The runs, in rounds: run number n of each client of a scenario is of round n.

    Attributes:
        machine: the date, processors and versions.
        runs: by scenario, then by client. A run that failed is empty.
    """

    machine: dict[str, str] = field(factory=dict)
    runs: dict[str, dict[str, list[Run]]] = field(factory=dict)

    def add(self, scenario: str, client: str, run: Run) -> None:
        self.runs.setdefault(scenario, {}).setdefault(client, []).append(run)

    def values(self, scenario: str, client: str, figure: str) -> list[float]:
        """The figure of each run that succeeded."""
        runs = self.runs.get(scenario, {}).get(client, [])
        return [run[figure] for run in runs if figure in run]

    def figure(self, scenario: str, client: str, figure: str) -> float:
        """The median of all rounds."""
        return self.median(scenario, client, lambda run: run[figure])

    def median(self, scenario: str, client: str, value: Callable[[Run], float]) -> float:
        """The median of a value of each run. Raises KeyError if there is no run."""
        values = [value(run) for run in self.runs[scenario][client] if run]
        if not values:
            raise KeyError(scenario, client)
        return statistics.median(values)

    def ratio(self, scenario: str, figure: str, client: str, other: str) -> float:
        """The median of the ratios within a round, between which the machine's load changes."""
        clients = self.runs[scenario]
        pairs = zip(clients[client], clients[other], strict=False)
        ratios = [a[figure] / b[figure] for a, b in pairs if a and b]
        if not ratios:
            raise KeyError(scenario, client, other)
        return statistics.median(ratios)

    def ideal_seconds(self) -> float:
        """The simulated time of the faults scenario, at this client's rate without faults."""
        rate = self.figure("sampling-64-async", "tinker_ext", "per_s")
        return ideal_seconds(1000, 64, 1 / (2 * rate))

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Results:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(**content)


def ideal_seconds(count: int, in_flight: int, cost: float, *, seeds: int = 51) -> float:
    """The median time of `count` samples under the stub server's faults.

    Each sample is two requests. A request takes `cost` seconds of the one core that the client runs
    on. After a 429 it is repeated after `Retry-After`, after another fault after exponential
    backoff with full jitter. Requests wait for nothing else.
    """
    return statistics.median(
        _simulate(count, in_flight, cost, random.Random(seed)) for seed in range(seeds)
    )


def _simulate(count: int, in_flight: int, cost: float, numbers: random.Random) -> float:
    core = 0.0
    started = min(in_flight, count)
    # When a request can be sent, requests of the sample that are left, attempts of this request.
    queue = [(0.0, number, 2, 0) for number in range(started)]
    heapq.heapify(queue)
    end = 0.0
    while queue:
        moment, number, left, attempt = heapq.heappop(queue)
        core = max(core, moment) + cost
        delay = _fault_delay(numbers, attempt + 1)
        if delay is not None:
            heapq.heappush(queue, (core + delay, number, left, attempt + 1))
        elif left > 1:
            heapq.heappush(queue, (core, number, left - 1, 0))
        else:
            end = core
            if started < count:
                heapq.heappush(queue, (core, started, 2, 0))
                started += 1
    return end


def _fault_delay(numbers: random.Random, attempt: int) -> float | None:
    """The wait after a request that failed; None if it succeeded."""
    number = numbers.random()
    if number < FAULTS["429"]:
        return RETRY_AFTER
    return backoff(attempt, numbers.random()) if number < sum(FAULTS.values()) else None
