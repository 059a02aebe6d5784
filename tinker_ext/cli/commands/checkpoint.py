"""`tinker-ext checkpoint`: saved weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinker_ext.cli.commands.checkpoint_delete import delete, find_checkpoint, path_argument
from tinker_ext.cli.commands.checkpoint_export import export, merge, push_hf
from tinker_ext.cli.context import DEFAULT_LIMIT, CommandContext, format_option
from tinker_ext.cli.error_reporting import CommandError
from tinker_ext.cli.output import View, show
from tinker_ext.cli.paging import Listing, Page, fetch_all, truncate
from tinker_ext.cli.text import age, count_title, relative_time, size, yes_or_no

if TYPE_CHECKING:
    from tinker_ext import RestClient
    from tinker_ext.types import Checkpoint

#: Checkpoints per page, as in release 0.4.1, where such lists are slow on the server.
BATCH = 1000


@click.group()
def checkpoint() -> None:
    """List, inspect, publish, expire, delete, download, export and upload checkpoints.

    PATH is the path of a checkpoint: tinker://RUN/weights/NAME for training state,
    tinker://RUN/sampler_weights/NAME for sampler weights.
    """


for command in (delete, export, merge, push_hf):
    checkpoint.add_command(command)


@checkpoint.command("list")
@click.option("--run-id", metavar="RUN", help="Show only the checkpoints of this training run.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    help="Maximum number of checkpoints to show; 0 shows all. "
    f"Default: {DEFAULT_LIMIT}, or all with --run-id.",
)
@format_option
@click.pass_obj
def list_checkpoints(context: CommandContext, run_id: str | None, limit: int | None) -> None:
    """List the checkpoints of one run or of all runs."""
    with context.service() as service:
        rest = service.create_rest_client()
        if run_id is not None:
            listing = truncate(rest.list_checkpoints(run_id).result().checkpoints, limit or 0)
        else:
            listing = _list_all(rest, DEFAULT_LIMIT if limit is None else limit)
    record = {} if run_id is None else {"run_id": run_id}
    show(context.format, record | {"checkpoints": listing.items}, _list_view(listing, run_id))


@checkpoint.command()
@path_argument
@format_option
@click.pass_obj
def info(context: CommandContext, path: str) -> None:
    """Show one checkpoint.

    PATH is a checkpoint path, such as tinker://RUN/weights/NAME. `tinker-ext checkpoint list` shows
    the existing ones.
    """
    with context.service() as service:
        item = find_checkpoint(service.create_rest_client(), path)
    if item is None:
        raise CommandError(
            f"Checkpoint {path} does not exist. "
            "`tinker-ext checkpoint list` shows the existing checkpoints."
        )
    show(context.format, item, _info_view(item))


@checkpoint.command()
@path_argument
@format_option
@click.pass_obj
def publish(context: CommandContext, path: str) -> None:
    """Make a checkpoint public, so that anyone can use it.

    PATH is a checkpoint path, such as tinker://RUN/weights/NAME. `tinker-ext checkpoint list` shows
    the existing ones.
    """
    with context.service() as service:
        service.create_rest_client().publish_checkpoint_from_tinker_path(path).result()
    show(context.format, {"tinker_path": path, "public": True}, f"Published {path}")


@checkpoint.command()
@path_argument
@format_option
@click.pass_obj
def unpublish(context: CommandContext, path: str) -> None:
    """Make a published checkpoint private again.

    PATH is a checkpoint path, such as tinker://RUN/weights/NAME. `tinker-ext checkpoint list` shows
    the existing ones.
    """
    with context.service() as service:
        service.create_rest_client().unpublish_checkpoint_from_tinker_path(path).result()
    show(context.format, {"tinker_path": path, "public": False}, f"Unpublished {path}")


@checkpoint.command("set-ttl")
@path_argument
@click.option(
    "--ttl",
    type=click.IntRange(min=1),
    metavar="SECONDS",
    help="Expire the checkpoint after this many seconds; give this or --remove. The hosted service "
    "accepts one hour to ten years.",
)
@click.option("--remove", is_flag=True, help="Remove the expiry; give this or --ttl.")
@format_option
@click.pass_obj
def set_ttl(context: CommandContext, path: str, ttl: int | None, remove: bool) -> None:
    """Set or remove the expiry of a checkpoint.

    PATH is a checkpoint path, such as tinker://RUN/weights/NAME. `tinker-ext checkpoint list` shows
    the existing ones.
    """
    if (ttl is None) != remove:
        raise click.UsageError("Pass either --ttl SECONDS or --remove.")
    with context.service() as service:
        service.create_rest_client().set_checkpoint_ttl_from_tinker_path(path, ttl).result()
    expiry = "does not expire" if ttl is None else f"expires in {ttl} seconds"
    show(context.format, {"tinker_path": path, "ttl_seconds": ttl}, f"{path} {expiry}")


@checkpoint.command()
@path_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Folder to save it in (default: the current folder).",
)
@click.option("--force", is_flag=True, help="Replace an existing file or folder.")
@click.option(
    "--extract", is_flag=True, help="Also unpack the archive into a folder of the same name."
)
@click.option(
    "--archive-timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Maximum seconds to wait for the server to create an archive (default: 1800).",
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
    """Download a checkpoint, or resume an interrupted download.

    PATH is a checkpoint path, such as tinker://RUN/weights/NAME. `tinker-ext checkpoint list` shows
    the existing ones.

    The checkpoint is saved as an archive (RUN_weights_NAME.tar.gz) or, if the server does not
    create archives, as a folder of files. Such a server exports a training state temporarily; its
    sampler weights can't be downloaded.
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
    locations = []
    if saved.archive is not None:
        record["file"] = str(saved.archive)
        locations.append(str(saved.archive))
    if saved.folder is not None:
        record |= {"folder": str(saved.folder), "files": len(saved.files)}
        locations.append(f"{saved.folder} ({len(saved.files)} files)")
    show(
        context.format,
        record,
        f"Saved {path} as {' and '.join(locations)}, {size(saved.size_bytes)}",
    )


def _list_all(rest: RestClient, limit: int) -> Listing[Checkpoint]:
    def fetch(limit: int, offset: int) -> Page[Checkpoint]:
        response = rest.list_user_checkpoints(limit=limit, offset=offset).result()
        total = None if response.cursor is None else response.cursor.total_count
        return Page(response.checkpoints, total)

    return fetch_all(fetch, limit=limit, batch=BATCH, label="Fetching checkpoints")


def _list_view(listing: Listing[Checkpoint], run_id: str | None) -> View:
    suffix = f" of run {run_id}" if run_id is not None else ""
    return View(
        title=count_title(len(listing.items), "checkpoint", suffix, left_out=listing.left_out),
        columns=("Checkpoint ID", "Type", "Size", "Public", "Created", "Path"),
        identifier="Path",
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
