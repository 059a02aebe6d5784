"""Finds the training run and id of a checkpoint whose path only its server can interpret.

A `tinker://RUN/weights/NAME` path contains both. Servers of other projects return paths of other
schemes, or of a file system; the client passes them on unchanged, and looks a checkpoint up in the
server's lists if an operation needs its run and id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_ext import types
from tinker_ext.clients.hints import check_path
from tinker_ext.errors import InvalidInputError
from tinker_ext.types.responses.checkpoints import (
    DOT_SEGMENTS,
    SCHEME,
    ParsedCheckpointTinkerPath,
)
from tinker_ext.types.unset import or_none

if TYPE_CHECKING:
    from tinker_api import models

    from tinker_ext.runtime.core import ClientCore

# The number of training runs whose checkpoints are listed at most; ours.
_MAX_RUNS = 100


def parse_path(path: str, where: str = "tinker_path") -> ParsedCheckpointTinkerPath | None:
    """Returns the parts of a `tinker://` path; None if only the server can interpret the path.

    Raises:
        InvalidInputError: it is not a path.
    """
    try:
        return ParsedCheckpointTinkerPath.from_tinker_path(path)
    except InvalidInputError:
        check_path(path, where, "create_lora_training_client")
        if not DOT_SEGMENTS.isdisjoint(path.split("/")) and path.startswith(SCHEME):
            raise
        return None


async def find_checkpoint(core: ClientCore, path: str) -> ParsedCheckpointTinkerPath:
    """Returns the run and id of a checkpoint, from its path or from the server's lists.

    Raises:
        InvalidInputError: no listed checkpoint has this path.
        APIError: the server has no such lists, or they can't be read.
    """
    parsed = parse_path(path)
    if parsed is not None:
        return parsed
    for run_id in await _run_ids(core, path):
        for checkpoint in await _checkpoints(core, run_id):
            if checkpoint.tinker_path == path:
                record = types.Checkpoint.from_api(checkpoint)
                return ParsedCheckpointTinkerPath.from_record(run_id, record)
    raise InvalidInputError(
        f"none of the {_MAX_RUNS} newest training runs has the checkpoint {path!r}; pass its "
        "training_run_id and checkpoint_id to a method that takes them",
        where="tinker_path",
    )


async def find_run_id(core: ClientCore, path: str) -> str:
    """Returns the id of the training run that saved a checkpoint; raises as `find_checkpoint`."""
    return (await find_checkpoint(core, path)).training_run_id


async def _checkpoints(core: ClientCore, run_id: str) -> list[models.Checkpoint]:
    response = await core.call("list_checkpoints", lambda gateway: gateway.list_checkpoints(run_id))
    return response.checkpoints or []


async def _run_ids(core: ClientCore, path: str) -> list[str]:
    """The runs whose checkpoints may include the path: first those whose id it contains."""
    response = await core.call(
        "list_training_runs", lambda gateway: gateway.list_training_runs(_MAX_RUNS, 0)
    )
    ids = (or_none(run.training_run_id) for run in response.training_runs or [])
    return sorted(filter(None, ids), key=lambda run_id: run_id not in path)
