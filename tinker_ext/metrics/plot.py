"""Draws the metrics of one run or several: a small diagram for each metric."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tinker_ext.errors import InvalidInputError

#: The metrics of each step, as `read_metrics` returns them.
Steps = Mapping[int, Mapping[str, float]]

# Okabe and Ito's palette for color-blind readers.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000")
# Diagrams that are drawn unless metrics are named, diagrams per row, and inches of each.
MAX_DIAGRAMS, COLUMNS = 12, 3
_WIDTH, _HEIGHT = 3.6, 2.4


def draw(runs: Mapping[str, Steps], target: Path, names: Sequence[str] = ()) -> list[str]:
    """Draw the metrics of runs to a file, whose suffix is the format; returns the drawn names.

    Args:
        runs: by label; each run has a line in every diagram.
        target: a file such as ``metrics.png`` or ``metrics.svg``.
        names: metrics to draw; by default up to 12 that change, with the loss first.

    Raises:
        InvalidInputError: no run has a metric of `names`, or no metric changes.
    """
    shown = choose(runs, names)
    columns = min(COLUMNS, len(shown))
    rows = math.ceil(len(shown) / columns)
    figure = Figure(figsize=(_WIDTH * columns, _HEIGHT * rows), layout="constrained", dpi=120)
    FigureCanvasAgg(figure)
    for position, name in enumerate(shown, start=1):
        axes = figure.add_subplot(rows, columns, position)
        for number, steps in enumerate(runs.values()):
            _draw_line(axes, steps, name, COLORS[number % len(COLORS)])
        axes.set_title(name, loc="left", fontsize=10)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        axes.grid(alpha=0.25)
        axes.tick_params(labelsize=8)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        if position > len(shown) - columns:
            axes.set_xlabel("step", fontsize=8)
    if len(runs) > 1:
        figure.legend(
            figure.axes[0].get_lines(), list(runs), loc="outside lower center", frameon=False
        )
    figure.savefig(target)
    return shown


def choose(runs: Mapping[str, Steps], names: Sequence[str] = ()) -> list[str]:
    """The metrics to draw; the arguments and errors are those of `draw`."""
    values: dict[str, set[float]] = {}
    for steps in runs.values():
        for metrics in steps.values():
            for name, value in metrics.items():
                values.setdefault(name, set()).add(value)
    for name in names:
        if name not in values:
            known = ", ".join(sorted(values)) or "none"
            raise InvalidInputError(f"no run has the metric {name!r}; it has: {known}")
    if names:
        return list(names)
    changing = [name for name, found in values.items() if len(found) > 1]
    if not changing:
        raise InvalidInputError("no metric changes between the steps; name those to draw")
    changing.sort(key=lambda name: (name.startswith("time/"), "loss" not in name))
    return changing[:MAX_DIAGRAMS]


def _draw_line(axes: Axes, steps: Steps, name: str, color: str) -> None:
    """A line through the steps that have the metric, with markers if they are few."""
    points = [(step, metrics[name]) for step, metrics in steps.items() if name in metrics]
    marker = "o" if len(points) <= 30 else ""
    axes.plot(
        [step for step, _ in points],
        [value for _, value in points],
        color=color,
        linewidth=1.4,
        marker=marker,
        markersize=3,
    )
