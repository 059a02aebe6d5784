"""The scenarios of the benchmark, and the goals against release 0.38.0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.results import Results

#: The clients by the name of their column. `tinker_ext` is ours with its defaults.
OURS, NEW, OLD, FLOOR = "tinker_ext", "0.38.0", "0.4.1", "floor"
#: Ours from a server of 0.4.1, which takes training data as JSON.
OURS_JSON = "tinker_ext, JSON"

Kind = Literal["start", "sampling", "training", "steps", "faults"]


@frozen
class Scenario:
    """One measurement of all clients.

    Attributes:
        options: the parameters of the function in `driver.py`.
        server: the options of the stub server.
        shrink: the parameters that `--quick` replaces.
        clients: the names of the clients that are measured besides ours.
    """

    name: str
    title: str
    kind: Kind
    options: Mapping[str, Any] = field(factory=dict)
    server: tuple[str, ...] = ()
    shrink: Mapping[str, Any] = field(factory=dict)
    clients: tuple[str, ...] = (NEW, OLD)


@frozen
class Goal:
    """A figure of a scenario that has to reach a limit.

    Attributes:
        scenarios: the scenarios whose results `figure` needs.
        at_least: whether the limit is a minimum; otherwise it is a maximum.
    """

    title: str
    scenarios: tuple[str, ...]
    figure: Callable[[Results], float]
    limit: float
    at_least: bool = False

    def is_reached(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit


def _sampling(in_flight: int, caller: str, seconds: float = 0.0) -> Scenario:
    name = f"sampling-{in_flight}-{caller}" + (f"-wait-{seconds:g}" if seconds else "")
    wait = f", server takes {seconds:g} s" if seconds else ""
    return Scenario(
        name,
        f"{in_flight} in flight, {caller}{wait}",
        "sampling",
        {
            "in_flight": in_flight,
            "caller": caller,
            "seconds": max(3.0, 3 * seconds),
            "stagger": seconds,
        },
        server=("--seconds", str(seconds)) if seconds else (),
        shrink={"seconds": max(1.5, 2 * seconds)},
        clients=(NEW, OLD, FLOOR),
    )


def _training(datums: int, tokens: int) -> Scenario:
    return Scenario(
        f"training-{datums}x{tokens}",
        f"forward_backward, {datums} x {tokens} tokens",
        "training",
        {"datums": datums, "tokens": tokens, "seconds": 3.0},
        shrink={"seconds": 0.5},
        clients=(OURS_JSON, NEW, OLD),
    )


CALLERS = ("async", "sync")
SAMPLING = tuple(_sampling(n, caller) for n in (1, 64, 400, 2000) for caller in CALLERS)
SLOW = tuple(
    _sampling(n, caller, wait) for n, wait in ((400, 0.5), (2000, 2.0)) for caller in CALLERS
)
TRAINING = (
    _training(256, 2048),
    _training(8, 32_768),
    _training(1024, 1024),
    _training(4096, 1024),
)
STEPS = tuple(
    Scenario(
        f"steps-{name}",
        f"200 small steps, {title}",
        "steps",
        {"count": 200, "pipelined": pipelined},
        shrink={"count": 60},
    )
    for name, title, pipelined in (
        ("pipelined", "pipelined", True),
        ("sequential", "one by one", False),
    )
)
FAULTS = Scenario(
    "faults",
    "1,000 samples under faults, 64 in flight",
    "faults",
    {"count": 1000, "in_flight": 64, "limit": 60.0},
    server=("--faults",),
    shrink={"limit": 40.0},
    clients=(NEW,),
)
START = Scenario("start", "import and first client", "start")
SCENARIOS = (START, *SAMPLING, *SLOW, *TRAINING, *STEPS, FAULTS)


def _ratio(
    scenario: str, figure: str, client: str = OURS, other: str = NEW
) -> Callable[[Results], float]:
    return lambda results: results.ratio(scenario, figure, client, other)


def _rate_goals(in_flight: int, rate: float, cpu: float) -> list[Goal]:
    goals = []
    for caller in CALLERS:
        name = f"sampling-{in_flight}-{caller}"
        title = f"{in_flight} in flight, {caller}: "
        goals += [
            Goal(f"{title}samples/s of 0.38.0's", (name,), _ratio(name, "per_s"), rate, True),
            Goal(f"{title}CPU of 0.38.0's", (name,), _ratio(name, "cpu_s_per_1000"), cpu),
        ]
        if in_flight == 64:
            floor = _ratio(name, "per_s", OURS, FLOOR)
            goals.append(Goal(f"{title}samples/s of the floor's", (name,), floor, 0.5, True))
        if in_flight > 1:
            goals.append(Goal(f"{title}p99 of p50", (name,), _tail(name), 1.5))
    return goals


def _tail(name: str) -> Callable[[Results], float]:
    return lambda results: results.median(name, OURS, lambda run: run["p99_s"] / run["p50_s"])


def _limit_goals(in_flight: int, seconds: float) -> list[Goal]:
    limit = in_flight / seconds

    def rate(name: str) -> Callable[[Results], float]:
        return lambda results: results.median(name, OURS, lambda run: run["per_s"] / limit)

    def memory(name: str) -> Callable[[Results], float]:
        return lambda results: results.median(
            name, OURS, lambda run: run["growth_mb"] * 1024 / in_flight
        )

    goals = []
    for caller in CALLERS:
        name = f"sampling-{in_flight}-{caller}-wait-{seconds:g}"
        title = f"{in_flight} in flight, {caller}, server takes {seconds:g} s: "
        goals.append(
            Goal(f"{title}samples/s of the limit of {limit:g}", (name,), rate(name), 0.95, True)
        )
        if in_flight == 2000:
            goals.append(Goal(f"{title}KB per request in flight", (name,), memory(name), 40.0))
    return goals


def _flatness(caller: str) -> Goal:
    few, many = f"sampling-64-{caller}", f"sampling-2000-{caller}"
    return Goal(
        f"CPU per sample with 2,000 in flight of that with 64, {caller}",
        (few, many),
        lambda results: (
            results.figure(many, OURS, "cpu_s_per_1000")
            / results.figure(few, OURS, "cpu_s_per_1000")
        ),
        1.3,
    )


def _training_goals(name: str, title: str) -> list[Goal]:
    return [
        Goal(f"{title}: CPU of 0.38.0's", (name,), _ratio(name, "cpu_s"), 0.4),
        Goal(f"{title}, JSON: CPU of 0.38.0's", (name,), _ratio(name, "cpu_s", OURS_JSON), 0.8),
        Goal(
            f"{title}: peak memory over the start, of the body",
            (name,),
            lambda results: results.figure(name, OURS, "growth_per_body"),
            1.5,
        ),
    ]


def _linear_goals() -> list[Goal]:
    small, large = "training-1024x1024", "training-4096x1024"

    def growth(figure: str) -> Callable[[Results], float]:
        return lambda results: (
            results.figure(large, OURS, figure) / results.figure(small, OURS, figure)
        )

    return [
        Goal(
            "4,096 x 1,024: CPU of four times 1,024 x 1,024's",
            (small, large),
            lambda results: growth("cpu_s")(results) / 4,
            1.1,
        ),
        Goal(
            "4,096 x 1,024: peak memory over the start, of the 50 MB in flight",
            (large,),
            lambda results: results.figure(large, OURS, "growth_mb") / 50,
            1.5,
        ),
    ]


def _faults_goals() -> list[Goal]:
    return [
        Goal(
            "1,000 samples under faults: completed",
            ("faults",),
            lambda results: results.figure("faults", OURS, "done") / 1000,
            1.0,
            True,
        ),
        Goal(
            "1,000 samples under faults: time of the simulated ideal",
            ("faults", "sampling-64-async"),
            lambda results: results.figure("faults", OURS, "seconds") / results.ideal_seconds(),
            1.5,
        ),
    ]


GOALS = (
    *_rate_goals(64, 6.0, 0.17),
    *_rate_goals(400, 5.0, 0.2),
    *_rate_goals(1, 4.0, 0.2),
    *_limit_goals(400, 0.5),
    *_limit_goals(2000, 2.0),
    _flatness("async"),
    _flatness("sync"),
    *_training_goals("training-256x2048", "256 x 2048"),
    *_training_goals("training-8x32768", "8 x 32768"),
    *_linear_goals(),
    Goal(
        "small steps, pipelined: steps/s of 0.38.0's",
        ("steps-pipelined",),
        _ratio("steps-pipelined", "per_s"),
        5.0,
        True,
    ),
    Goal(
        "small steps, one by one: steps/s of 0.38.0's",
        ("steps-sequential",),
        _ratio("steps-sequential", "per_s"),
        3.0,
        True,
    ),
    *_faults_goals(),
    Goal("import: time of 0.38.0's", ("start",), _ratio("start", "import_s"), 0.4),
    Goal("import: memory of 0.38.0's", ("start",), _ratio("start", "import_mb"), 0.6),
    Goal("ready to send: time of 0.38.0's", ("start",), _ratio("start", "ready_s"), 0.4),
    Goal("ready to send: memory of 0.38.0's", ("start",), _ratio("start", "ready_mb"), 0.6),
)
