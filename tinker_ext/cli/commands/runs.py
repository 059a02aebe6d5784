"""`tinker-ext run`, `session` and `model`: training runs, sessions and base models."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from tinker_ext.cli.context import CommandContext, limit_option, pass_context
from tinker_ext.cli.error_reporting import CommandError, needs_matplotlib
from tinker_ext.cli.fetching import Listing, Page, fetch_all, show_progress
from tinker_ext.cli.output import NOTHING, View, age, count_title, properties, show, size, yes_or_no

if TYPE_CHECKING:
    from tinker_ext.types import Checkpoint, GetSessionResponse, TrainingRun


#: Runs per page, as in release 0.4.1.
_RUNS_PER_PAGE = 100


class Column(NamedTuple):
    """A column of the list: its heading, and how to format its cell."""

    heading: str
    cell: Callable[[TrainingRun], str]


def _lora(item: TrainingRun) -> str:
    if not item.is_lora:
        return "no"
    return "yes" if item.lora_rank is None else f"rank {item.lora_rank}"


#: By name, as in release 0.38.0.
COLUMNS = {
    "id": Column("Run ID", lambda item: item.training_run_id),
    "model": Column("Base model", lambda item: item.base_model),
    "owner": Column("Owner", lambda item: item.model_owner),
    "lora": Column("LoRA", _lora),
    "updated": Column("Last request", lambda item: age(item.last_request_time)),
    "status": Column("Status", lambda item: "failed" if item.corrupted else "ok"),
    "checkpoint": Column(
        "Last checkpoint",
        lambda item: NOTHING if item.last_checkpoint is None else item.last_checkpoint.tinker_path,
    ),
    "checkpoint_time": Column(
        "Saved",
        lambda item: age(None if item.last_checkpoint is None else item.last_checkpoint.time),
    ),
}
DEFAULT_COLUMNS = ("id", "model", "owner", "lora", "updated", "status")


def _check_columns(_ctx: click.Context, _parameter: click.Parameter, value: str) -> list[str]:
    names = [name.strip() for name in value.split(",")]
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        raise click.BadParameter(f"unknown column {unknown[0]!r}; choose from {', '.join(COLUMNS)}")
    return names


@click.group()
def run() -> None:
    """List and inspect training runs, and draw their metrics."""


@run.command("list")
@limit_option("runs")
@click.option(
    "-c",
    "--columns",
    metavar="NAMES",
    callback=_check_columns,
    default=",".join(DEFAULT_COLUMNS),
    show_default=True,
    help=f"Columns of the table, separated by commas: {', '.join(COLUMNS)}.",
)
@pass_context
def list_runs(context: CommandContext, limit: int, columns: Sequence[str]) -> None:
    """List training runs."""
    with context.rest() as rest:

        def fetch(limit: int, offset: int) -> Page[TrainingRun]:
            response = rest.list_training_runs(limit=limit, offset=offset).result()
            return Page(response.training_runs, response.cursor.total_count)

        listing = fetch_all(
            fetch, limit=limit, batch=_RUNS_PER_PAGE, label="Fetching training runs"
        )
    show(context.format, {"runs": listing.items}, _runs_view(listing, columns))


@run.command("info")
@click.argument("run_id")
@pass_context
def run_info(context: CommandContext, run_id: str) -> None:
    """Show one training run.

    RUN_ID is the ID of a training run, as `tinker-ext run list` shows it.
    """
    with context.rest() as rest:
        item = rest.get_training_run(run_id).result()
    show(context.format, item, _run_view(item))


@run.command()
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Picture to write; its suffix is the format (default: the first file's name with .png).",
)
@click.option(
    "-m",
    "--metric",
    "names",
    metavar="NAME",
    multiple=True,
    help="A metric to draw; may be repeated (default: up to 12 that change).",
)
@pass_context
def plot(
    context: CommandContext, files: Sequence[Path], output: Path | None, names: Sequence[str]
) -> None:
    """Draw the metrics of training runs.

    FILES are metrics.jsonl files of `tinker_ext.metrics.Logger`. Each is a line in every diagram.
    """
    from tinker_ext.metrics import read_metrics

    with needs_matplotlib():
        from tinker_ext.metrics.plot import draw
    target = output or files[0].with_suffix(".png")
    runs = {str(file): read_metrics(file) for file in files}
    drawn = draw(runs, target, names)
    show(
        context.format,
        {"file": str(target), "metrics": drawn},
        f"Wrote {target}: {', '.join(drawn)}",
    )


def _runs_view(listing: Listing[TrainingRun], columns: Sequence[str]) -> View:
    selected = [COLUMNS[name] for name in columns]
    return View(
        title=count_title(len(listing.items), "training run", left_out=listing.left_out),
        columns=[column.heading for column in selected],
        identifier=COLUMNS["id"].heading if "id" in columns else None,
        rows=[[column.cell(item) for column in selected] for item in listing.items],
    )


def _run_view(item: TrainingRun) -> View:
    return properties(
        f"Training run {item.training_run_id}",
        [
            ("Run ID", item.training_run_id),
            ("Base model", item.base_model),
            ("Owner", item.model_owner),
            ("LoRA", _lora(item)),
            ("Last request", age(item.last_request_time)),
            ("Corrupted", "yes" if item.corrupted else "no"),
            *_checkpoint_rows("Last training checkpoint", item.last_checkpoint),
            *_checkpoint_rows("Last sampler checkpoint", item.last_sampler_checkpoint),
        ],
        item.user_metadata,
    )


def _checkpoint_rows(label: str, item: Checkpoint | None) -> Iterator[tuple[str, str]]:
    yield label, NOTHING if item is None else f"{item.tinker_path} ({age(item.time)})"


#: Sessions per page.
_SESSIONS_PER_PAGE = 100
#: Maximum seconds for the server to build a trace.
EXPORT_TIMEOUT = 1800.0


@click.group()
def session() -> None:
    """List and inspect sessions, and export their traces."""


@session.command("list")
@limit_option("sessions")
@pass_context
def list_sessions(context: CommandContext, limit: int) -> None:
    """List sessions, newest first."""
    with context.rest() as rest:

        def fetch(limit: int, offset: int) -> Page[str]:
            # The response has no total count.
            return Page(rest.list_sessions(limit=limit, offset=offset).result().sessions, None)

        listing = fetch_all(fetch, limit=limit, batch=_SESSIONS_PER_PAGE, label="Fetching sessions")
    view = View(
        title=count_title(len(listing.items), "session"),
        columns=("Session ID",),
        rows=[(session_id,) for session_id in listing.items],
    )
    show(context.format, {"sessions": listing.items}, view)


@session.command("info")
@click.argument("session_id")
@pass_context
def session_info(context: CommandContext, session_id: str) -> None:
    """Show the training runs and samplers of a session.

    SESSION_ID is the ID of a session, as `tinker-ext session list` shows it.
    """
    with context.rest() as rest:
        details = rest.get_session(session_id).result()
    from attrs import asdict

    record = {"session_id": session_id, **asdict(details)}
    show(context.format, record, _session_view(session_id, details))


@session.command("export-trace")
@click.argument("session_id")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to save it in (default: SESSION.pftrace in the current folder).",
)
@click.option("--url-only", is_flag=True, help="Print the URL of the trace without downloading it.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@pass_context
def export_trace(
    context: CommandContext, session_id: str, output: Path | None, url_only: bool, force: bool
) -> None:
    """Export a timeline of a session for ui.perfetto.dev.

    SESSION_ID is the ID of a session, as `tinker-ext session list` shows it.
    """
    from tinker_ext.clients.downloads.download import download_url, file_name

    if url_only and (output is not None or force):
        raise click.UsageError("--url-only saves no file, so --output and --force have no effect.")
    target = output or Path(f"{file_name(session_id)}.pftrace")
    if target.exists() and not (force or url_only):
        raise CommandError(f"{target} already exists; pass --force to replace it.")
    with context.rest(future_timeout=EXPORT_TIMEOUT) as rest:
        url = rest.export_session_trace(session_id).result()
        if url_only:
            show(context.format, {"session_id": session_id, "url": url}, url)
            return
        with show_progress(target.name) as progress:
            count = download_url(rest, url, target, progress).result()
    record = {"session_id": session_id, "file": str(target), "size_bytes": count}
    show(context.format, record, f"Saved the trace of {session_id} as {target} ({size(count)})")


def _session_view(session_id: str, details: GetSessionResponse) -> View:
    return properties(
        f"Session {session_id}",
        [
            ("Session ID", session_id),
            ("Name", details.display_name or NOTHING),
            *(("Training run", run) for run in details.training_run_ids),
            *(("Sampler", sampler) for sampler in details.sampler_ids),
        ],
        details.user_metadata,
    )


@click.group()
def model() -> None:
    """List the base models of the server."""


@model.command("list")
@click.argument("substring", required=False)
@pass_context
def list_models(context: CommandContext, substring: str | None) -> None:
    """List base models, or only those whose name contains SUBSTRING."""
    with context.service() as service:
        models = service.get_server_capabilities().supported_models
    pattern = (substring or "").lower()
    matches = [model for model in models if pattern in (model.model_name or "").lower()]
    view = View(
        title=count_title(len(matches), "model"),
        columns=("Model", "Context length", "Trainable", "Sampleable"),
        rows=[
            (
                model.model_name or NOTHING,
                NOTHING if model.max_context_length is None else str(model.max_context_length),
                yes_or_no(model.trainable),
                yes_or_no(model.sampleable),
            )
            for model in matches
        ],
    )
    show(context.format, {"models": matches}, view)
