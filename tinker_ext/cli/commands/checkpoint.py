"""`tinker-ext checkpoint`: saved weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinker_ext.cli.commands.checkpoint_delete import delete
from tinker_ext.cli.commands.checkpoint_path import check_path, find
from tinker_ext.cli.context import DEFAULT_LIMIT, CommandContext, format_option
from tinker_ext.cli.error_reporting import CommandError
from tinker_ext.cli.output import View, show
from tinker_ext.cli.paging import Listing, Page, cut, fetch_all
from tinker_ext.cli.text import age, count_title, relative_time, size, yes_or_no

if TYPE_CHECKING:
    from tinker_ext import RestClient
    from tinker_ext.types import Checkpoint

#: Checkpoints per request when listing (as 0.4.1, which found such lists slow on the server).
BATCH = 1000


path_argument = click.argument("path", callback=check_path)


@click.group()
def checkpoint() -> None:
    """List, inspect, keep, publish, delete and download checkpoints.

    PATH is the path of a checkpoint: tinker://RUN/weights/NAME for training state,
    tinker://RUN/sampler_weights/NAME for weights to sample from.
    """


checkpoint.add_command(delete)


@checkpoint.command("list")
@click.option("--run-id", metavar="RUN", help="Only those of this training run.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    show_default=f"{DEFAULT_LIMIT}, of one run all",
    help="How many to show; 0 shows all.",
)
@format_option
@click.pass_obj
def list_checkpoints(context: CommandContext, run_id: str | None, limit: int | None) -> None:
    """List checkpoints, of one run or of all."""
    with context.service() as service:
        rest = service.create_rest_client()
        if run_id is not None:
            listing = cut(rest.list_checkpoints(run_id).result().checkpoints, limit or 0)
        else:
            listing = _list_all(rest, DEFAULT_LIMIT if limit is None else limit)
    of_run = {} if run_id is None else {"run_id": run_id}
    show(context.format, of_run | {"checkpoints": listing.items}, _list_view(listing, run_id))


@checkpoint.command()
@path_argument
@format_option
@click.pass_obj
def info(context: CommandContext, path: str) -> None:
    """Show one checkpoint."""
    with context.service() as service:
        found = find(service.create_rest_client(), path)
    if found is None:
        raise CommandError(
            f"There is no checkpoint {path}. See those there are with `checkpoint list`."
        )
    show(context.format, found, _info_view(found))


@checkpoint.command()
@path_argument
@format_option
@click.pass_obj
def publish(context: CommandContext, path: str) -> None:
    """Let everybody use a checkpoint of yours."""
    with context.service() as service:
        service.create_rest_client().publish_checkpoint_from_tinker_path(path).result()
    show(context.format, {"tinker_path": path, "public": True}, f"Published {path}")


@checkpoint.command()
@path_argument
@format_option
@click.pass_obj
def unpublish(context: CommandContext, path: str) -> None:
    """Make a published checkpoint private again."""
    with context.service() as service:
        service.create_rest_client().unpublish_checkpoint_from_tinker_path(path).result()
    show(context.format, {"tinker_path": path, "public": False}, f"Unpublished {path}")


@checkpoint.command("set-ttl")
@path_argument
@click.option(
    "--ttl",
    type=click.IntRange(min=1),
    metavar="SECONDS",
    help="Keep it for so long from now; the hosted service takes an hour to ten years.",
)
@click.option("--remove", is_flag=True, help="Keep it for good.")
@format_option
@click.pass_obj
def set_ttl(context: CommandContext, path: str, ttl: int | None, remove: bool) -> None:
    """Say how long a checkpoint is kept."""
    if (ttl is None) != remove:
        raise click.UsageError("Say either --ttl SECONDS or --remove.")
    with context.service() as service:
        service.create_rest_client().set_checkpoint_ttl_from_tinker_path(path, ttl).result()
    kept = "for good" if ttl is None else f"for {ttl} seconds"
    show(context.format, {"tinker_path": path, "ttl_seconds": ttl}, f"Keeping {path} {kept}")


@checkpoint.command()
@path_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="The folder to save it in (default: the current one).",
)
@click.option("--force", is_flag=True, help="Replace a file or folder that is already there.")
@click.option("--extract", is_flag=True, help="Unpack an archive, too, into a folder of its name.")
@click.option(
    "--archive-timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="How long the server may take to pack the archive (default: 1800).",
)
@format_option
@click.pass_obj
def download(
    context: CommandContext,
    path: str,
    output: Path,
    force: bool,
    extract: bool,
    archive_timeout: float | None,
) -> None:
    """Download a checkpoint; run again, it resumes a download that broke off.

    It is saved as an archive (RUN_weights_NAME.tar.gz), or on servers without archives as a folder
    of files. Such a server exports a training state for the time of its download.
    """
    from tinker_ext.cli.download import check_target, download_settings, show_progress

    check_target(path, output, extract=extract, force=force)
    with context.service(**download_settings(archive_timeout)) as service:
        rest = service.create_rest_client()
        with show_progress(path) as progress:
            saved = rest.download_checkpoint(
                path, output, extract=extract, overwrite=force, progress=progress
            ).result()
    record: dict[str, object] = {"tinker_path": path, "size_bytes": saved.size_bytes}
    places = []
    if saved.archive is not None:
        record["file"] = str(saved.archive)
        places.append(str(saved.archive))
    if saved.folder is not None:
        record |= {"folder": str(saved.folder), "files": len(saved.files)}
        places.append(f"{saved.folder} ({len(saved.files)} files)")
    show(
        context.format, record, f"Saved {path} as {' and '.join(places)}, {size(saved.size_bytes)}"
    )


def _list_all(rest: RestClient, limit: int) -> Listing[Checkpoint]:
    def fetch(wanted: int, offset: int) -> Page[Checkpoint]:
        answer = rest.list_user_checkpoints(limit=wanted, offset=offset).result()
        total = None if answer.cursor is None else answer.cursor.total_count
        return Page(answer.checkpoints, total)

    return fetch_all(fetch, limit=limit, batch=BATCH, label="Fetching checkpoints")


def _list_view(listing: Listing[Checkpoint], run_id: str | None) -> View:
    of_run = f" of run {run_id}" if run_id is not None else ""
    return View(
        title=count_title(len(listing.items), "checkpoint", of_run, left_out=listing.left_out),
        columns=("Checkpoint ID", "Type", "Size", "Public", "Created", "Path"),
        rows=[
            (
                item.checkpoint_id,
                item.checkpoint_type,
                size(item.size_bytes),
                yes_or_no(item.public),
                age(item.time),
                item.tinker_path,
            )
            for item in listing.items
        ],
    )


def _info_view(item: Checkpoint) -> View:
    return View(
        title=f"Checkpoint {item.checkpoint_id}",
        columns=("Property", "Value"),
        rows=[
            ("Checkpoint ID", item.checkpoint_id),
            ("Type", item.checkpoint_type),
            ("Path", item.tinker_path),
            ("Size", size(item.size_bytes)),
            ("Public", yes_or_no(item.public)),
            ("Created", age(item.time)),
            ("Expires", relative_time(item.expires_at)),
            *((f"Metadata {name}", value) for name, value in (item.user_metadata or {}).items()),
        ],
    )
