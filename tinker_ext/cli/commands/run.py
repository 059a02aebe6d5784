"""`tinker-ext run`: training runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from tinker_ext.cli.context import CommandContext, format_option, limit_option
from tinker_ext.cli.error_reporting import needs_matplotlib
from tinker_ext.cli.output import View, show
from tinker_ext.cli.paging import Listing, Page, fetch_all
from tinker_ext.cli.text import NOTHING, age, count_title

if TYPE_CHECKING:
    from tinker_ext.types import Checkpoint, TrainingRun

#: Runs per page, as in release 0.4.1.
BATCH = 100


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
@format_option
@click.pass_obj
def list_runs(context: CommandContext, limit: int, columns: Sequence[str]) -> None:
    """List training runs."""
    with context.service() as service:
        rest = service.create_rest_client()

        def fetch(limit: int, offset: int) -> Page[TrainingRun]:
            response = rest.list_training_runs(limit=limit, offset=offset).result()
            return Page(response.training_runs, response.cursor.total_count)

        listing = fetch_all(fetch, limit=limit, batch=BATCH, label="Fetching training runs")
    show(context.format, {"runs": listing.items}, _list_view(listing, columns))


@run.command()
@click.argument("run_id")
@format_option
@click.pass_obj
def info(context: CommandContext, run_id: str) -> None:
    """Show one training run.

    RUN_ID is the ID of a training run, as `tinker-ext run list` shows it.
    """
    with context.service() as service:
        item = service.create_rest_client().get_training_run(run_id).result()
    show(context.format, item, _info_view(item))


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
@format_option
@click.pass_obj
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


def _list_view(listing: Listing[TrainingRun], columns: Sequence[str]) -> View:
    selected = [COLUMNS[name] for name in columns]
    return View(
        title=count_title(len(listing.items), "training run", left_out=listing.left_out),
        columns=[column.heading for column in selected],
        identifier=COLUMNS["id"].heading if "id" in columns else None,
        rows=[[column.cell(item) for column in selected] for item in listing.items],
    )


def _info_view(item: TrainingRun) -> View:
    return View(
        title=f"Training run {item.training_run_id}",
        columns=("Property", "Value"),
        rows=[
            ("Run ID", item.training_run_id),
            ("Base model", item.base_model),
            ("Owner", item.model_owner),
            ("LoRA", _lora(item)),
            ("Last request", age(item.last_request_time)),
            ("Corrupted", "yes" if item.corrupted else "no"),
            *_checkpoint_rows("Last training checkpoint", item.last_checkpoint),
            *_checkpoint_rows("Last sampler checkpoint", item.last_sampler_checkpoint),
            *((f"Metadata {name}", value) for name, value in (item.user_metadata or {}).items()),
        ],
    )


def _checkpoint_rows(label: str, item: Checkpoint | None) -> Iterator[tuple[str, str]]:
    yield label, NOTHING if item is None else f"{item.tinker_path} ({age(item.time)})"
