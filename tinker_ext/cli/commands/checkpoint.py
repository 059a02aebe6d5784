"""`tinker-ext checkpoint`: saved weights."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinker_ext.cli.commands.checkpoint_export import export, merge, push_hf
from tinker_ext.cli.context import (
    DEFAULT_LIMIT,
    CommandContext,
    check_path,
    pass_context,
    path_argument,
)
from tinker_ext.cli.error_reporting import CommandError
from tinker_ext.cli.fetching import (
    Listing,
    Page,
    check_target,
    download_settings,
    fetch_all,
    show_progress,
    truncate,
)
from tinker_ext.cli.output import (
    View,
    age,
    count_title,
    one_line,
    properties,
    relative_time,
    show,
    size,
    yes_or_no,
)

if TYPE_CHECKING:
    from tinker_ext import RestClient
    from tinker_ext.types import Checkpoint


#: Concurrent deletions, as in release 0.38.0.
MAX_CONCURRENT = 32
#: Checkpoint types by the names accepted for `--type`: those of listings and those of paths.
KINDS = {
    "training": "training",
    "sampler": "sampler",
    "external": "external",
    "weights": "training",
    "sampler_weights": "sampler",
    "external_weights": "external",
}


@click.group()
def checkpoint() -> None:
    """List, inspect, publish, expire, delete, download, export and upload checkpoints.

    PATH is the path of a checkpoint: tinker://RUN/weights/NAME for training state,
    tinker://RUN/sampler_weights/NAME for sampler weights.
    """


for command in (export, merge, push_hf):
    checkpoint.add_command(command)


def find_checkpoint(rest: RestClient, path: str) -> Checkpoint | None:
    """Look up a checkpoint in the list of its run; the API has no request for a single one."""
    from tinker_ext.clients.checkpoint_lookup import parse_path

    parsed = parse_path(path)
    if parsed is not None:
        run_id = parsed.training_run_id
    else:
        run_id = rest.get_training_run_by_tinker_path(path).result().training_run_id
    checkpoints = rest.list_checkpoints(run_id).result().checkpoints
    return next((item for item in checkpoints if item.tinker_path == path), None)


def _check_paths(
    ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    return tuple(check_path(ctx, parameter, value) for value in values)


def _parse_time(
    _ctx: click.Context, _parameter: click.Parameter, value: str | None
) -> datetime | None:
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is not an ISO 8601 date such as 2026-01-31 or 2026-01-31T08:00:00Z."
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


@checkpoint.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...", callback=_check_paths)
@click.option(
    "--run-id",
    metavar="RUN",
    help="Delete the checkpoints of this training run. Cannot be combined with PATH.",
)
@click.option(
    "--type", "kind", type=click.Choice(list(KINDS)), help="With --run-id: only this type."
)
@click.option(
    "--before",
    metavar="DATE",
    callback=_parse_time,
    help="With --run-id: only those created before this date (ISO 8601, UTC by default).",
)
@click.option(
    "--after",
    metavar="DATE",
    callback=_parse_time,
    help="With --run-id: only those created at or after this date.",
)
@click.option("-y", "--yes", is_flag=True, help="Delete without asking for confirmation.")
@pass_context
def delete(
    context: CommandContext,
    paths: tuple[str, ...],
    run_id: str | None,
    kind: str | None,
    before: datetime | None,
    after: datetime | None,
    yes: bool,
) -> None:
    """Delete checkpoints permanently, after a confirmation.

    Pass the checkpoints as PATH arguments (tinker://RUN/weights/NAME), or pass --run-id to delete
    the checkpoints of a training run: all of them, or those that --type, --before and --after
    select.
    """
    if bool(paths) == (run_id is not None):
        raise click.UsageError("Pass either the paths to delete or --run-id.")
    if run_id is None and (kind or before or after):
        raise click.UsageError("--type, --before and --after require --run-id.")
    with context.rest() as rest:
        if run_id is not None:
            checkpoints = _select(rest, run_id, kind, before, after)
            paths = tuple(item.tinker_path for item in checkpoints)
            if not paths:
                raise CommandError(f"Run {run_id} has no matching checkpoints to delete.")
            question = _question_for_run(checkpoints, run_id)
        elif not yes:
            question = _question(rest, paths)
        if not yes:
            _confirm(question)
        failures = _delete(rest, paths)
    _report(context, paths, failures, single=run_id is None and len(paths) == 1)


def _select(
    rest: RestClient,
    run_id: str,
    kind: str | None,
    before: datetime | None,
    after: datetime | None,
) -> list[Checkpoint]:
    """The checkpoints that match; one without a path, or without a required time, does not."""
    return [
        item
        for item in rest.list_checkpoints(run_id).result().checkpoints
        if item.tinker_path
        and (kind is None or item.checkpoint_type == KINDS[kind])
        and _is_between(item.time, before, after)
    ]


def _is_between(time: datetime | None, before: datetime | None, after: datetime | None) -> bool:
    if time is None:
        return before is None and after is None
    return (before is None or time < before) and (after is None or time >= after)


def _question(rest: RestClient, paths: tuple[str, ...]) -> str:
    if len(paths) > 1:
        return f"Delete {count_title(len(paths), 'checkpoint')} permanently?"
    item = find_checkpoint(rest, paths[0])
    details = f" ({size(item.size_bytes)}, created {age(item.time)})" if item else ""
    return f"Delete {paths[0]}{details} permanently?"


def _question_for_run(checkpoints: list[Checkpoint], run_id: str) -> str:
    total = sum(item.size_bytes or 0 for item in checkpoints)
    title = count_title(len(checkpoints), "checkpoint", f" of run {run_id}")
    return f"Delete {title} ({size(total)}) permanently?"


def _confirm(question: str) -> None:
    from tinker_ext.redaction.redactor import printable

    try:
        confirmed = click.confirm(printable(question), err=True)
    except click.Abort as abort:
        if isinstance(abort.__context__, EOFError):
            raise CommandError(
                "Cannot ask for confirmation without input; pass --yes to delete without asking."
            ) from None
        raise
    if not confirmed:
        raise CommandError("Nothing was deleted.")


def _delete(rest: RestClient, paths: tuple[str, ...]) -> dict[str, Exception]:
    """Delete all paths, even if some fail; return the errors by path."""
    failures: dict[str, Exception] = {}
    for start in range(0, len(paths), MAX_CONCURRENT):
        batch = paths[start : start + MAX_CONCURRENT]
        futures = [(path, rest.delete_checkpoint_from_tinker_path(path)) for path in batch]
        for path, future in futures:
            try:
                future.result()
            except Exception as error:
                failures[path] = error
    return failures


def _report(
    context: CommandContext,
    paths: tuple[str, ...],
    failures: dict[str, Exception],
    *,
    single: bool,
) -> None:
    if single and failures:
        raise failures[paths[0]]
    deleted = [path for path in paths if path not in failures]
    if single:
        show(context.format, {"tinker_path": paths[0], "deleted": True}, f"Deleted {paths[0]}")
        return
    failed = [{"tinker_path": path, "error": str(error)} for path, error in failures.items()]
    record = {"deleted": deleted, "failed": failed}
    show(context.format, record, *(f"Deleted {path}" for path in deleted))
    if failures:
        first = next(iter(failures))
        raise CommandError(
            f"{len(failures)} of {count_title(len(paths), 'checkpoint')} could not be deleted; "
            f"first error: {first}: {one_line(str(failures[first]))}"
        )


#: Checkpoints per page, as in release 0.4.1, where such lists are slow on the server.
BATCH = 1000


@checkpoint.command("list")
@click.option("--run-id", metavar="RUN", help="Show only the checkpoints of this training run.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    help="Maximum number of checkpoints to show; 0 shows all. "
    f"Default: {DEFAULT_LIMIT}, or all with --run-id.",
)
@pass_context
def list_checkpoints(context: CommandContext, run_id: str | None, limit: int | None) -> None:
    """List the checkpoints of one run or of all runs."""
    with context.rest() as rest:
        if run_id is not None:
            listing = truncate(rest.list_checkpoints(run_id).result().checkpoints, limit or 0)
        else:
            listing = _list_all(rest, DEFAULT_LIMIT if limit is None else limit)
    record = {} if run_id is None else {"run_id": run_id}
    show(context.format, record | {"checkpoints": listing.items}, _list_view(listing, run_id))


@checkpoint.command()
@path_argument
@pass_context
def info(context: CommandContext, path: str) -> None:
    """Show one checkpoint.

    PATH is a checkpoint path, such as tinker://RUN/weights/NAME. `tinker-ext checkpoint list` shows
    the existing ones.
    """
    with context.rest() as rest:
        item = find_checkpoint(rest, path)
    if item is None:
        raise CommandError(
            f"Checkpoint {path} does not exist. "
            "`tinker-ext checkpoint list` shows the existing checkpoints."
        )
    show(context.format, item, _info_view(item))


@checkpoint.command()
@path_argument
@pass_context
def publish(context: CommandContext, path: str) -> None:
    """Make a checkpoint public, so that anyone can use it.

    PATH is a checkpoint path, such as tinker://RUN/weights/NAME. `tinker-ext checkpoint list` shows
    the existing ones.
    """
    with context.rest() as rest:
        rest.publish_checkpoint_from_tinker_path(path).result()
    show(context.format, {"tinker_path": path, "public": True}, f"Published {path}")


@checkpoint.command()
@path_argument
@pass_context
def unpublish(context: CommandContext, path: str) -> None:
    """Make a published checkpoint private again.

    PATH is a checkpoint path, such as tinker://RUN/weights/NAME. `tinker-ext checkpoint list` shows
    the existing ones.
    """
    with context.rest() as rest:
        rest.unpublish_checkpoint_from_tinker_path(path).result()
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
@pass_context
def set_ttl(context: CommandContext, path: str, ttl: int | None, remove: bool) -> None:
    """Set or remove the expiry of a checkpoint.

    PATH is a checkpoint path, such as tinker://RUN/weights/NAME. `tinker-ext checkpoint list` shows
    the existing ones.
    """
    if (ttl is None) != remove:
        raise click.UsageError("Pass either --ttl SECONDS or --remove.")
    with context.rest() as rest:
        rest.set_checkpoint_ttl_from_tinker_path(path, ttl).result()
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
@pass_context
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
    check_target(path, output, extract=extract, force=force)
    settings = download_settings(archive_timeout)
    with context.rest(**settings) as rest, show_progress(path) as progress:
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
    return properties(
        f"Checkpoint {item.checkpoint_id}",
        [
            ("Checkpoint ID", item.checkpoint_id),
            ("Type", item.checkpoint_type),
            ("Path", item.tinker_path),
            ("Size", size(item.size_bytes)),
            ("Public", yes_or_no(item.public)),
            ("Created", age(item.time)),
            ("Expires", relative_time(item.expires_at)),
        ],
        item.user_metadata,
    )
