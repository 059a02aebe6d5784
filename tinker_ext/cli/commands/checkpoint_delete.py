"""`tinker-ext checkpoint delete`, and the checkpoint paths that other commands also use."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from tinker_ext.cli.context import CommandContext, format_option
from tinker_ext.cli.error_reporting import CommandError
from tinker_ext.cli.output import show
from tinker_ext.cli.text import age, count_title, one_line, size
from tinker_ext.redaction.printable import printable

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
SCHEME = "tinker://"


def _check_path(_ctx: click.Context, _parameter: click.Parameter, value: str) -> str:
    """Reject a value that cannot be a checkpoint path; a click callback."""
    from tinker_ext.clients.argument_checks import is_path

    if not is_path(value):
        raise CommandError(
            f"{value!r} is not a checkpoint path; expected {SCHEME}RUN/weights/NAME. "
            "`tinker-ext checkpoint list` shows the existing checkpoints."
        )
    return value


path_argument = click.argument("path", callback=_check_path)


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
    return tuple(_check_path(ctx, parameter, value) for value in values)


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


@click.command()
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
    """Delete checkpoints permanently, after a confirmation.

    Pass the checkpoints as PATH arguments (tinker://RUN/weights/NAME), or pass --run-id to delete
    the checkpoints of a training run: all of them, or those that --type, --before and --after
    select.
    """
    if bool(paths) == (run_id is not None):
        raise click.UsageError("Pass either the paths to delete or --run-id.")
    if run_id is None and (kind or before or after):
        raise click.UsageError("--type, --before and --after require --run-id.")
    with context.service() as service:
        rest = service.create_rest_client()
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
