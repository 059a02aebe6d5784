"""The paths of checkpoints on the command line, and the checkpoints there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_ext.cli.error_reporting import CommandError

if TYPE_CHECKING:
    import click

    from tinker_ext import RestClient
    from tinker_ext.types import Checkpoint

SCHEME = "tinker://"


def check_path(_ctx: click.Context, _parameter: click.Parameter, value: str) -> str:
    """Refuse at once what can be no path; click calls this."""
    if not value.startswith(SCHEME):
        raise CommandError(
            f"{value!r} is no checkpoint path; one looks like {SCHEME}RUN/weights/NAME. "
            "See those there are with `checkpoint list`."
        )
    return value


def find(rest: RestClient, path: str) -> Checkpoint | None:
    """The checkpoint at `path`; the API has no question for one, so its run's list is searched."""
    from tinker_ext.types import ParsedCheckpointTinkerPath

    run_id = ParsedCheckpointTinkerPath.from_tinker_path(path).training_run_id
    listed = rest.list_checkpoints(run_id).result().checkpoints
    return next((item for item in listed if item.tinker_path == path), None)
