"""`tinker-ext trace`: what a recording of spans says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinker_ext.cli.context import CommandContext, format_option
from tinker_ext.cli.error_reporting import CommandError
from tinker_ext.cli.output import View, show
from tinker_ext.cli.text import count_title

if TYPE_CHECKING:
    from tinker_ext.trace_report.recordings import Recording
    from tinker_ext.trace_report.summary import Summary

RECORDING = click.Path(exists=True, dir_okay=False, path_type=Path)
TARGET = click.Path(dir_okay=False, path_type=Path)


@click.group()
def trace() -> None:
    """Show where the time of a recorded run went.

    A run with TINKER_EXT_TRACE=run.jsonl in its environment writes a recording to that file.
    """


@trace.command()
@click.argument("recording", type=RECORDING)
@format_option
@click.pass_obj
def summary(context: CommandContext, recording: Path) -> None:
    """Print where the time went, and who is to blame."""
    from tinker_ext.trace_report.summary import summarize

    found = _read(recording)
    answer = summarize(found)
    views: list[View | str] = [_where_view(answer), _operations_view(answer)]
    if answer.steps:
        views.append(_steps(answer))
    views += [_unfinished(name, seconds) for name, seconds in answer.unfinished]
    if found.broken_lines:
        views.append(
            f"{count_title(found.broken_lines, 'line')} could not be read; the rest counts."
        )
    show(context.format, _record(answer), *views, answer.verdict)


@trace.command()
@click.argument("recording", type=RECORDING)
@click.option(
    "-o",
    "--output",
    type=TARGET,
    help="Where to write. Default: the recording's name with .trace.json.",
)
@format_option
@click.pass_obj
def export(context: CommandContext, recording: Path, output: Path | None) -> None:
    """Write a file for https://ui.perfetto.dev or chrome://tracing."""
    from tinker_ext.trace_report.perfetto import write_chrome_trace

    target = output or recording.with_suffix(".trace.json")
    count = write_chrome_trace(_read(recording), target)
    said = f"{target}: {count} spans; open it at https://ui.perfetto.dev"
    show(context.format, {"file": str(target), "spans": count}, said)


@trace.command()
@click.argument("recording", type=RECORDING)
@click.option(
    "-o", "--output", type=TARGET, help="Where to write. Default: the recording's name with .png."
)
@format_option
@click.pass_obj
def plot(context: CommandContext, recording: Path, output: Path | None) -> None:
    """Draw a timeline: a lane for each kind of operation, pauses and retries marked."""
    try:
        from tinker_ext.trace_report.plot import draw
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "matplotlib":
            raise
        raise CommandError("Drawing needs matplotlib: pip install 'tinker-ext[plot]'") from None

    target = output or recording.with_suffix(".png")
    draw(_read(recording), target)
    show(context.format, {"file": str(target)}, f"{target}")


def _read(path: Path) -> Recording:
    from tinker_ext.trace_report.recordings import read_recording

    try:
        return read_recording(path)
    except ValueError as error:
        raise CommandError(f"{error}; make one by running with TINKER_EXT_TRACE={path}") from error


def _where_view(answer: Summary) -> View:
    return View(
        title=f"Where {answer.total:.3f} s went",
        columns=("Where", "Seconds", "Share"),
        rows=[
            (where.value, f"{seconds:.3f}", f"{answer.share(where):.1%}")
            for where, seconds in answer.seconds.items()
        ],
    )


def _operations_view(answer: Summary) -> View:
    return View(
        title="Operations",
        columns=("Operation", "Count", "Failed", "Retries", "Median s", "Longest s"),
        rows=[
            (
                one.name,
                str(one.count),
                str(one.failed),
                str(one.retries),
                f"{one.median:.3f}",
                f"{one.longest:.3f}",
            )
            for one in answer.operations
        ],
    )


def _steps(answer: Summary) -> str:
    from statistics import median

    slowest = max(answer.steps, key=lambda step: answer.steps[step])
    return (
        f"{len(answer.steps)} steps, {median(answer.steps.values()):.3f} s each in the middle; "
        f"the slowest is step {slowest} with {answer.steps[slowest]:.3f} s."
    )


def _unfinished(name: str, seconds: float) -> str:
    return f"{name.removeprefix('tinker.')} had not ended after {seconds:.3f} s."


def _record(answer: Summary) -> dict[str, Any]:
    return {
        "total": answer.total,
        "seconds": {where.value: seconds for where, seconds in answer.seconds.items()},
        "own_while_idle": answer.own_while_idle,
        "round_trip": answer.round_trip,
        "operations": answer.operations,
        "queue_reasons": answer.queue_reasons,
        "steps": answer.steps,
        "unfinished": [{"name": name, "seconds": s} for name, s in answer.unfinished],
        "verdict": answer.verdict,
    }
