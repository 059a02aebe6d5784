"""`tinker-ext checkpoint delete`: one, several, or those of a run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from tinker_ext.cli.commands.checkpoint_path import check_path, find
from tinker_ext.cli.context import CommandContext, format_option
from tinker_ext.cli.error_reporting import CommandError
from tinker_ext.cli.output import show
from tinker_ext.cli.text import age, count_title, one_line, size
from tinker_ext.redaction.printable import printable

if TYPE_CHECKING:
    from tinker_ext import RestClient
    from tinker_ext.types import Checkpoint

#: Deleted at once; release 0.38.0.
AT_ONCE = 32
#: Names of kinds: as they are listed, and as they stand in paths.
KINDS = {
    "training": "training",
    "sampler": "sampler",
    "external": "external",
    "weights": "training",
    "sampler_weights": "sampler",
    "external_weights": "external",
}


def _check_paths(
    ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    return tuple(check_path(ctx, parameter, value) for value in values)


def _read_time(
    _ctx: click.Context, _parameter: click.Parameter, value: str | None
) -> datetime | None:
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is no date; one looks like 2026-01-31 or 2026-01-31T08:00:00Z."
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...", callback=_check_paths)
@click.option("--run-id", metavar="RUN", help="Those of this training run, in place of paths.")
@click.option("--type", "kind", type=click.Choice(list(KINDS)), help="Of the run, this kind only.")
@click.option(
    "--before",
    metavar="DATE",
    callback=_read_time,
    help="Of the run, those made before (ISO 8601, UTC without a zone).",
)
@click.option(
    "--after", metavar="DATE", callback=_read_time, help="Of the run, those made then or later."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@format_option
@click.pass_obj
def delete(
    context: CommandContext,
    paths: tuple[str, ...],
    run_id: str | None,
    kind: str | None,
    before: datetime | None,
    after: datetime | None,
    yes: bool,
) -> None:
    """Delete checkpoints for good."""
    if bool(paths) == (run_id is not None):
        raise click.UsageError("Name the paths to delete, or a run with --run-id.")
    if run_id is None and (kind or before or after):
        raise click.UsageError("--type, --before and --after choose among those of a --run-id.")
    with context.service() as service:
        rest = service.create_rest_client()
        if run_id is not None:
            chosen = _chosen(rest, run_id, kind, before, after)
            paths = tuple(item.tinker_path for item in chosen)
            if not paths:
                raise CommandError(f"There is nothing to delete of run {run_id}.")
            question = _question_of_run(chosen, run_id)
        elif not yes:
            question = _question(rest, paths)
        if not yes:
            _ask(question)
        failures = _delete(rest, paths)
    _report(context, paths, failures, single=run_id is None and len(paths) == 1)


def _chosen(
    rest: RestClient,
    run_id: str,
    kind: str | None,
    before: datetime | None,
    after: datetime | None,
) -> list[Checkpoint]:
    return [
        item
        for item in rest.list_checkpoints(run_id).result().checkpoints
        if (kind is None or item.checkpoint_type == KINDS[kind])
        and (before is None or item.time < before)
        and (after is None or item.time >= after)
    ]


def _question(rest: RestClient, paths: tuple[str, ...]) -> str:
    if len(paths) > 1:
        return f"Delete {count_title(len(paths), 'checkpoint')} for good?"
    found = find(rest, paths[0])
    known = f" ({size(found.size_bytes)}, made {age(found.time)})" if found else ""
    return f"Delete {paths[0]}{known} for good?"


def _question_of_run(chosen: list[Checkpoint], run_id: str) -> str:
    bytes_in_all = sum(item.size_bytes or 0 for item in chosen)
    what = count_title(len(chosen), "checkpoint", f" of run {run_id}")
    return f"Delete {what} ({size(bytes_in_all)}) for good?"


def _ask(question: str) -> None:
    try:
        agreed = click.confirm(printable(question), err=True)
    except click.Abort as abort:
        if isinstance(abort.__context__, EOFError):
            raise CommandError("Nobody is there to ask; --yes deletes without asking.") from None
        raise
    if not agreed:
        raise CommandError("Nothing was deleted.")


def _delete(rest: RestClient, paths: tuple[str, ...]) -> dict[str, Exception]:
    """Delete all; what failed, by path. One that fails does not keep the others."""
    failures: dict[str, Exception] = {}
    for start in range(0, len(paths), AT_ONCE):
        batch = paths[start : start + AT_ONCE]
        begun = [(path, rest.delete_checkpoint_from_tinker_path(path)) for path in batch]
        for path, future in begun:
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
    done = [path for path in paths if path not in failures]
    if single:
        show(context.format, {"tinker_path": paths[0], "deleted": True}, f"Deleted {paths[0]}")
        return
    failed = [{"tinker_path": path, "error": str(error)} for path, error in failures.items()]
    record = {"deleted": done, "failed": failed}
    show(context.format, record, *(f"Deleted {path}" for path in done))
    if failures:
        first = next(iter(failures))
        raise CommandError(
            f"{len(failures)} of {count_title(len(paths), 'checkpoint')} could not be deleted; "
            f"the first is {first}: {one_line(str(failures[first]))}"
        )
