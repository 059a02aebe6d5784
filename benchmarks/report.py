"""Shows the results of the benchmark and writes docs/performance.md and its picture."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from benchmarks.scenarios import (
    FAULTS,
    GOALS,
    NEW,
    OURS,
    SAMPLING,
    SCENARIOS,
    SLOW,
    START,
    STEPS,
    TRAINING,
    Scenario,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes

    from benchmarks.results import Results

DOCS = Path(__file__).parents[1] / "docs"
BEGIN, END = "<!-- begin: make benchmark -->", "<!-- end: make benchmark -->"

#: The figures of each kind of scenario, with their titles.
FIGURES = {
    "start": {
        "import_s": "import, s",
        "import_cpu_s": "import, CPU s",
        "import_mb": "memory after the import, MiB",
        "modules": "modules imported",
        "ready_s": "ready to send, s",
        "ready_cpu_s": "ready to send, CPU s",
        "ready_mb": "memory when ready, MiB",
    },
    "sampling": {
        "per_s": "samples/s",
        "cpu_s_per_1000": "CPU ms per sample",
        "p50_s": "p50, s",
        "p99_s": "p99, s",
        "growth_mb": "peak memory over the start, MiB",
        "client_share": "share of its core: client",
        "other_share": "other work on its core, of the time",
        "stub_share": "share of its core: server",
    },
    "training": {
        "cpu_s": "CPU s per step",
        "wall_s": "s per step",
        "growth_mb": "peak memory over the start, MB",
        "body_mb": "sent, MB",
        "stub_share": "share of its core: server",
    },
    "steps": {
        "per_s": "steps/s",
        "cpu_s_per_1000": "CPU ms per step",
        "stub_share": "share of its core: server",
    },
    "faults": {
        "seconds": "s",
        "done": "completed",
        "failed": "failed",
        "cpu_s_per_1000": "CPU ms per sample",
    },
}


def show(results: Results, scenario: Scenario) -> None:
    """Print the table of one scenario."""
    clients = list(results.runs.get(scenario.name, {}))
    table = Table("", *clients, f"{OURS} / {NEW}", title=scenario.title, title_justify="left")
    for row in rows(results, scenario, clients):
        table.add_row(*row)
    Console(width=160).print(table)


def show_goals(results: Results) -> None:
    """Print the goals whose scenarios were measured."""
    table = Table("goal", "limit", "measured", "reached")
    for row in goal_rows(results):
        table.add_row(*row)
    Console(width=160).print(table)


def rows(results: Results, scenario: Scenario, clients: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The figures of a scenario: title, the median and range of each client, and our ratio."""
    for figure, title in FIGURES[scenario.kind].items():
        cells = [spread(results.values(scenario.name, client, figure)) for client in clients]
        yield title, *cells, ratio(results, scenario.name, figure)


def spread(values: Sequence[float]) -> str:
    """The median, and the range if there are several values."""
    if not values:
        return "failed"
    median = number(statistics.median(values))
    low, high = number(min(values)), number(max(values))
    return median if low == high else f"{median} ({low} to {high})"


def number(value: float) -> str:
    """Three significant digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def ratio(results: Results, scenario: str, figure: str) -> str:
    try:
        return f"{results.ratio(scenario, figure, OURS, NEW):.2f}"
    except (KeyError, ZeroDivisionError):
        return ""


def goal_rows(results: Results) -> Iterator[tuple[str, str, str, str]]:
    """Title, limit, value, and whether the goal is reached."""
    for goal in GOALS:
        try:
            value = goal.figure(results)
        except KeyError:
            continue
        limit = f"at {'least' if goal.at_least else 'most'} {goal.limit:g}"
        yield goal.title, limit, f"{value:.3g}", "yes" if goal.is_reached(value) else "no"


def write(results: Results) -> None:
    """Replace the generated part of docs/performance.md, and draw its picture."""
    path = DOCS / "performance.md"
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    generated = "\n".join(document(results))
    path.write_text(f"{before}{BEGIN}\n{generated}\n{END}{after}", encoding="utf-8")
    draw(results, DOCS / "performance.png")


def document(results: Results) -> Iterator[str]:
    machine = results.machine
    rounds = max(len(runs) for clients in results.runs.values() for runs in clients.values())
    yield (
        f"{machine['date']}, Python {machine['python']}, {machine['processor']}, httpx "
        f"{machine['httpx']}, aiohttp {machine['aiohttp']}. The default transport is "
        f"{machine['transport']}."
    )
    yield f"Medians of {rounds} rounds, with the range in parentheses."
    others = results.values("sampling-64-async", OURS, "other_share")
    if others:
        yield (
            "Other work on the machine had the client's core for "
            f"{statistics.median(others):.1%} of the time (64 in flight)."
        )
    yield "\n![Samples per second and CPU time per sample of each client](performance.png)\n"
    yield "### Goals\n"
    yield from table(("figure", "goal", "measured", "reached"), goal_rows(results))
    for title, scenarios in (
        ("Sampling", SAMPLING),
        ("Sampling from a slow server", SLOW),
        ("Training", TRAINING),
        ("Small training steps", STEPS),
        ("Faults", (FAULTS,)),
        ("Import and first client", (START,)),
    ):
        yield f"\n### {title}"
        for scenario in scenarios:
            yield from section(results, scenario)


def section(results: Results, scenario: Scenario) -> Iterator[str]:
    clients = list(results.runs.get(scenario.name, {}))
    if clients:
        yield ""
        header = (f"**{scenario.title}**", *clients, f"ratio to {NEW}")
        yield from table(header, rows(results, scenario, clients))


def table(header: Sequence[str], lines: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield "|---" * len(header) + "|"
    for line in lines:
        yield f"| {' | '.join(line)} |"


def draw(results: Results, path: Path) -> None:
    """Two charts: samples per second and CPU time per sample, by samples in flight."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2)
    _bars(axes[0], results, "per_s", "samples per second")
    _bars(axes[1], results, "cpu_s_per_1000", "CPU ms per sample")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=8)
    figure.savefig(path)


# Okabe and Ito's palette for color-blind readers.
COLORS = ("#0072B2", "#56B4E9", "#D55E00", "#E69F00", "#999999", "#009E73")


def _bars(axes: Axes, results: Results, figure: str, title: str) -> None:
    """Grouped bars on a logarithmic axis, with the range of the rounds."""
    scenarios = [item for item in SAMPLING if item.options["caller"] == "async"]
    clients = list(results.runs[scenarios[0].name])
    width = 0.8 / len(clients)
    for place, client in enumerate(clients):
        for group, scenario in enumerate(scenarios):
            values = results.values(scenario.name, client, figure)
            if not values:
                continue
            median = statistics.median(values)
            errors = [[median - min(values)], [max(values) - median]]
            axes.bar(
                group + (place - (len(clients) - 1) / 2) * width,
                median,
                width,
                yerr=errors,
                color=COLORS[place % len(COLORS)],
                label=client if group == 0 else None,
                error_kw={"elinewidth": 0.8},
            )
    axes.set_yscale("log")
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("samples in flight")
    axes.set_xticks(range(len(scenarios)), [str(item.options["in_flight"]) for item in scenarios])


#: Checked at import, so that a new kind of scenario has figures.
assert {item.kind for item in SCENARIOS} == set(FIGURES)
