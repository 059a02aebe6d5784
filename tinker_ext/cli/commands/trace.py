"""`tinker-ext trace`: reports on a recording."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinker_ext.cli.context import CommandContext, pass_context
from tinker_ext.cli.error_reporting import CommandError, needs_matplotlib
from tinker_ext.cli.output import View, count_title, show

if TYPE_CHECKING:
    from tinker_ext.trace_report.recordings import Recording
    from tinker_ext.trace_report.summary import Summary

RECORDING = click.Path(exists=True, dir_okay=False, path_type=Path)
TARGET = click.Path(dir_okay=False, path_type=Path)

run_option = click.option(
    "--run",
    type=click.IntRange(min=1),
    metavar="N",
    help="A run of the recording, from 1 (default: the latest).",
)


@click.group()
def trace() -> None:
    """Show where the time of a recorded run went.

    To record a run, set TINKER_EXT_TRACE=run.jsonl in its environment.
    """


@trace.command()
@click.argument("recording", type=RECORDING)
@run_option
@pass_context
def summary(context: CommandContext, recording: Path, run: int | None) -> None:
    """Print where the time went and what took most of it.

    RECORDING is the file that a program wrote with TINKER_EXT_TRACE=RECORDING.
    """
    from tinker_ext.trace_report.summary import summarize

    spans = _read(recording, run)
    report = summarize(spans)
    processes = {process: summarize(spans.of_process(process)) for process in spans.processes}
    views: list[View | str] = [_time_view(report), _operations_view(report)]
    if len(processes) > 1:
        views.append(_processes_view(processes))
    if spans.runs > 1:
        views.append(_which_run(spans))
    if report.steps:
        views.append(_steps(report))
    views += [
        f"{name.removeprefix('tinker.')} was unfinished after {seconds:.3f} s."
        for name, seconds in report.unfinished
    ]
    if spans.broken_lines:
        views.append(f"Skipped {count_title(spans.broken_lines, 'unreadable line')}.")
    record = {**_record(report), "run": spans.run, "runs": spans.runs}
    record["processes"] = {process: _record(part) for process, part in processes.items()}
    show(context.format, record, *views, report.verdict)


@trace.command()
@click.argument("recording", type=RECORDING)
@click.option(
    "-o",
    "--output",
    type=TARGET,
    help="File to write (default: the recording's name with .trace.json).",
)
@run_option
@pass_context
def export(context: CommandContext, recording: Path, output: Path | None, run: int | None) -> None:
    """Write a file for https://ui.perfetto.dev or chrome://tracing.

    RECORDING is the file that a program wrote with TINKER_EXT_TRACE=RECORDING.
    """
    from tinker_ext.trace_report.perfetto import write_chrome_trace

    target = output or recording.with_suffix(".trace.json")
    spans = _read(recording, run)
    count = write_chrome_trace(spans, target)
    message = f"Wrote {count_title(count, 'span')} to {target}; open it at https://ui.perfetto.dev"
    notes = [_which_run(spans)] if spans.runs > 1 else []
    show(context.format, {"file": str(target), "spans": count}, *notes, message)


@trace.command()
@click.argument("recording", type=RECORDING)
@click.option(
    "-o", "--output", type=TARGET, help="File to write (default: the recording's name with .png)."
)
@run_option
@pass_context
def plot(context: CommandContext, recording: Path, output: Path | None, run: int | None) -> None:
    """Draw a timeline with a lane for each type of operation.

    RECORDING is the file that a program wrote with TINKER_EXT_TRACE=RECORDING.
    """
    with needs_matplotlib():
        from tinker_ext.trace_report.plot import draw
    target = output or recording.with_suffix(".png")
    spans = _read(recording, run)
    draw(spans, target)
    notes = [_which_run(spans)] if spans.runs > 1 else []
    show(context.format, {"file": str(target)}, *notes, f"Wrote {target}")


def _read(path: Path, run: int | None) -> Recording:
    from tinker_ext.trace_report.recordings import read_recording

    try:
        return read_recording(path, run)
    except ValueError as error:
        advice = "To record a run, set TINKER_EXT_TRACE=run.jsonl in its environment."
        raise CommandError(f"{error}. {advice}") from error


def _which_run(recording: Recording) -> str:
    return f"This is run {recording.run} of {recording.runs} in the file; --run selects a run."


def _time_view(report: Summary) -> View:
    return View(
        title=f"Where {report.total:.3f} s went",
        columns=("Where", "Seconds", "Share"),
        rows=[
            (category.value, f"{seconds:.3f}", f"{report.share(category):.1%}")
            for category, seconds in report.seconds.items()
        ],
    )


def _processes_view(processes: Mapping[int, Summary]) -> View:
    def largest(report: Summary) -> str:
        category = max(report.seconds, key=lambda category: report.seconds[category])
        return f"{category.value} ({report.share(category):.0%})"

    return View(
        title="Processes",
        columns=("Process", "Seconds", "Operations", "Failed", "Most time"),
        rows=[
            (
                str(process),
                f"{report.total:.3f}",
                str(sum(operation.count for operation in report.operations)),
                str(sum(operation.failed for operation in report.operations)),
                largest(report),
            )
            for process, report in processes.items()
        ],
    )


def _operations_view(report: Summary) -> View:
    return View(
        title="Operations",
        columns=("Operation", "Count", "Failed", "Retries", "Median (s)", "Longest (s)"),
        rows=[
            (
                operation.name,
                str(operation.count),
                str(operation.failed),
                str(operation.retries),
                f"{operation.median:.3f}",
                f"{operation.longest:.3f}",
            )
            for operation in report.operations
        ],
    )


def _steps(report: Summary) -> str:
    from statistics import median

    slowest = max(report.steps, key=lambda step: report.steps[step])
    return (
        f"{count_title(len(report.steps), 'step')}, median {median(report.steps.values()):.3f} s; "
        f"the slowest is step {slowest} with {report.steps[slowest]:.3f} s."
    )


def _record(report: Summary) -> dict[str, Any]:
    return {
        "total": report.total,
        "seconds": {category.value: seconds for category, seconds in report.seconds.items()},
        "own_while_idle": report.own_while_idle,
        "round_trip": report.round_trip,
        "operations": report.operations,
        "queue_reasons": report.queue_reasons,
        "steps": report.steps,
        "unfinished": [{"name": name, "seconds": s} for name, s in report.unfinished],
        "verdict": report.verdict,
    }
