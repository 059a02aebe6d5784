"""Draws a recording: lanes of operations over time, colored by where the time went."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from textwrap import wrap

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from tinker_ext.trace_report.recordings import Lane, Recording, lanes
from tinker_ext.trace_report.summary import Category, Segment, Timelines, summarize, user_segments
from tinker_ext.tracing import names

# Okabe and Ito's palette for color-blind readers.
COLORS = {
    Category.CLIENT: "#0072B2",
    Category.CONNECT: "#CC79A7",
    Category.NETWORK: "#56B4E9",
    Category.QUEUE: "#E69F00",
    Category.COMPUTE: "#009E73",
    Category.PAUSE: "#D55E00",
    Category.OWN: "#F0E442",
}
_STEP_COLOR = "#EEEEEE"
# Maximum lanes drawn per operation; further lanes are only counted.
_MAX_LANES = 8
# Inches: width of the picture, height of a lane, height above and below the lanes.
_WIDTH, _LANE, _FRAME = 10.0, 0.32, 1.1
# Characters of a title line that fit beside the longest lane name; inches of a line's height.
_TITLE, _LINE = 78, 0.2


def draw(recording: Recording, target: Path) -> None:
    """Draw `recording` as a PNG to `target`."""
    build_figure(recording).savefig(target)


def build_figure(recording: Recording) -> Figure:
    """Build the matplotlib figure of `recording`."""
    timelines = Timelines(recording)
    groups = groupby(lanes(recording), key=lambda lane: lane.name)
    shown = [lane for _, group in groups for lane in _limit(list(group))]
    start = min((span.start for lane in shown for span in lane.spans), default=0)
    summary = summarize(recording)
    verdict = wrap(summary.verdict, _TITLE)
    height = _FRAME + _LANE * (len(shown) + 2) + _LINE * len(verdict)
    figure = Figure(figsize=(_WIDTH, height), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _draw_user(axes, recording, timelines, start)
    for row, lane in enumerate(shown, start=1):
        _draw_lane(axes, lane, timelines, row, start)
        _draw_retries(axes, recording, lane, row, start)
    _draw_steps(axes, recording, start)
    _label(axes, shown)
    axes.set_title("\n".join(verdict), loc="left", fontsize=11, pad=22 if summary.steps else 8)
    _add_legend(figure, recording, timelines)
    return figure


def _limit(group: list[Lane]) -> list[Lane]:
    if len(group) <= _MAX_LANES:
        return group
    omitted = len(group) - _MAX_LANES
    *others, last = group[:_MAX_LANES]
    return [*others, Lane(f"{last.name} (and {omitted} more lanes)", last.spans)]


def _draw_bars(axes: Axes, segments: list[Segment], row: float, start: int, height: float) -> None:
    for category in Category:
        bars = [
            ((segment.start - start) / 1e9, (segment.end - segment.start) / 1e9)
            for segment in segments
            if segment.category is category
        ]
        axes.broken_barh(
            bars,
            (row - height / 2, height),
            facecolors=COLORS[category],
            hatch="////" if category is Category.PAUSE else None,
            edgecolor="white" if category is Category.PAUSE else None,
            linewidth=0,
        )


def _draw_user(axes: Axes, recording: Recording, timelines: Timelines, start: int) -> None:
    """The first lane: the waits of the user's threads, and their own code in between."""
    segments = user_segments(recording, timelines)
    if not segments:
        return
    first, last = segments[0].start, max(segment.end for segment in segments)
    _draw_bars(axes, [Segment(first, last, Category.OWN)], 0, start, 0.8)
    _draw_bars(axes, segments, 0, start, 0.8)


def _draw_lane(axes: Axes, lane: Lane, timelines: Timelines, row: int, start: int) -> None:
    for span in lane.spans:
        _draw_bars(axes, timelines.of[span.id].segments, row, start, 0.7)
        if span.failed:
            axes.plot((span.end - start) / 1e9, row, "X", color="black", markersize=8)


def _draw_retries(axes: Axes, recording: Recording, lane: Lane, row: int, start: int) -> None:
    inside = {span.id for span in lane.spans}
    for span in recording.spans:  # Ordered by start: parents precede their children.
        if span.parent in inside and not span.is_operation:
            inside.add(span.id)
    times = [
        (event.time - start) / 1e9
        for span in recording.spans
        if span.id in inside
        for event in span.events
        if event.name == names.RETRY_EVENT
    ]
    if times:  # An empty line would still reserve space at the edge of the picture.
        axes.plot(times, [row - 0.42] * len(times), "v", color="black", markersize=6, clip_on=False)


def _draw_steps(axes: Axes, recording: Recording, start: int) -> None:
    steps = [span for span in recording.spans if span.is_step]
    every = 1 + len(steps) // 25  # Labels at most 25 steps, so that the labels do not overlap.
    for number, step in enumerate(steps):
        left, right = (step.start - start) / 1e9, (step.end - start) / 1e9
        axes.axvspan(left, right, color=_STEP_COLOR, zorder=0, linewidth=0)
        for edge in (left, right):
            axes.axvline(edge, color="#BBBBBB", linewidth=0.6, zorder=0)
        if number % every == 0:
            axes.annotate(
                f"step {step.attributes[names.STEP]}",
                ((left + right) / 2, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(0, 4),
                textcoords="offset points",
                ha="center",
                fontsize=8,
                color="#555555",
            )


def _label(axes: Axes, shown: list[Lane]) -> None:
    labels = ["your code waits for"]
    for lane in shown:
        labels.append("" if labels[-1] == lane.name or lane.name in labels else lane.name)
    axes.set_yticks(range(len(labels)), labels, fontsize=9)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("seconds")
    axes.set_xlim(left=0)
    axes.margins(x=0.01)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _add_legend(figure: Figure, recording: Recording, timelines: Timelines) -> None:
    """Add a legend of only the categories and markers that the picture contains."""
    segments = (segment for line in timelines.of.values() for segment in line.segments)
    present = {segment.category for segment in segments} | {Category.OWN}
    handles: list[Patch | Line2D] = [
        Patch(
            facecolor=COLORS[category],
            hatch="////" if category is Category.PAUSE else None,
            edgecolor="white",
            label=category.value,
        )
        for category in Category
        if category in present
    ]
    retried = any(
        event.name == names.RETRY_EVENT for span in recording.spans for event in span.events
    )
    failed = any(span.failed and span.is_operation for span in recording.spans)
    for present_marker, marker, label in ((retried, "v", "retry"), (failed, "X", "failed")):
        if present_marker:
            handles.append(Line2D([], [], marker=marker, color="black", linestyle="", label=label))
    figure.legend(
        handles=handles, loc="outside lower center", ncols=len(handles), fontsize=9, frameon=False
    )
