"""Finds the training run and id of a checkpoint whose path only its server can interpret.

A `tinker://RUN/weights/NAME` path contains both. Servers of other projects return paths of other
schemes, or of a file system; the client passes them on unchanged, and looks a checkpoint up in the
server's lists if an operation needs its run and id. Their form shows that of an unlisted one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tinker_api import models

from tinker_ext import types
from tinker_ext.clients.argument_checks import check_path
from tinker_ext.errors import InvalidInputError, NotFoundError
from tinker_ext.transport import operations
from tinker_ext.types.checkpoint_path import DOT_SEGMENTS, SCHEME, TYPE_BY_SEGMENT
from tinker_ext.types.structuring import or_none

if TYPE_CHECKING:
    from tinker_ext.runtime.core import ClientCore

# The id of a session (RFC 9562), without a model's sequence number.
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
# The number of training runs whose checkpoints are listed at most; ours.
_MAX_RUNS = 100


def parse_path(path: str, where: str = "tinker_path") -> types.ParsedCheckpointTinkerPath | None:
    """Returns the parts of a `tinker://` path; None if only the server can interpret the path.

    Raises:
        InvalidInputError: it is not a path.
    """
    try:
        return types.ParsedCheckpointTinkerPath.from_tinker_path(path)
    except InvalidInputError:
        check_path(path, where, "create_lora_training_client")
        if not DOT_SEGMENTS.isdisjoint(path.split("/")) and path.startswith(SCHEME):
            raise
        return None


async def find_checkpoint(core: ClientCore, path: str) -> types.ParsedCheckpointTinkerPath:
    """Returns the run and id of a checkpoint, from its path or from the server's lists.

    Raises:
        InvalidInputError: no listed checkpoint has this path.
        APIError: the server has no such lists, or they can't be read.
    """
    parsed = parse_path(path)
    if parsed is not None:
        return parsed
    run_ids = await _run_ids(core, path)
    for run_id in run_ids:
        checkpoints = await _checkpoints(core, run_id)
        for checkpoint in checkpoints:
            if checkpoint.tinker_path == path:
                record = types.Checkpoint.from_api(checkpoint)
                return types.ParsedCheckpointTinkerPath.from_record(run_id, record)
        checkpoint_id = _unlisted_id(path, run_id, checkpoints)
        if checkpoint_id is not None:
            kind = TYPE_BY_SEGMENT[checkpoint_id.partition("/")[0]]
            return types.ParsedCheckpointTinkerPath(path, run_id, kind, checkpoint_id)
    raise InvalidInputError(
        f"the server lists no checkpoint {path!r} in its {len(run_ids)} newest training runs; pass "
        "its training_run_id and checkpoint_id to a method that takes them",
        where="tinker_path",
    )


def _unlisted_id(path: str, run_id: str, listed: Sequence[models.Checkpoint]) -> str | None:
    """The id of a checkpoint that its run does not list, from the form of the listed paths.

    A server may list one name of a checkpoint and return another when it is saved (Twinkle:
    `twinkle://RUN/sampler_weights/latest`, and the time in place of `latest`). If each listed path
    is the same prefix, the run's id and the checkpoint's id, then so is `path`.
    """
    prefix, separator, checkpoint_id = path.partition(f"{run_id}/")
    kind, _, name = checkpoint_id.partition("/")
    if not separator or kind not in TYPE_BY_SEGMENT or not name or not listed:
        return None
    if "/" in name or name in DOT_SEGMENTS:
        return None
    forms = {
        f"{prefix}{run_id}/{or_none(item.checkpoint_id)}" == item.tinker_path for item in listed
    }
    return checkpoint_id if forms == {True} else None


async def find_run_id(core: ClientCore, path: str) -> str:
    """Returns the id of the training run that saved a checkpoint; raises as `find_checkpoint`."""
    return (await find_checkpoint(core, path)).training_run_id


async def _checkpoints(core: ClientCore, run_id: str) -> list[models.Checkpoint]:
    response = await core.call(operations.list_checkpoints(run_id))
    return response.checkpoints or []


async def _run_ids(core: ClientCore, path: str) -> list[str]:
    """The runs whose checkpoints may include the path: first those whose id it contains."""
    response = await core.call(operations.list_training_runs(limit=_MAX_RUNS, offset=0))
    ids = (or_none(run.training_run_id) for run in response.training_runs or [])
    return sorted(filter(None, ids), key=lambda run_id: run_id not in path)


@contextmanager
def run_id_hint(run: str) -> Iterator[None]:
    """Add a hint to a 404 for a training run, given by its id or in a path.

    The id of a session is easily mistaken for that of its first run (both in 0.4.1 to 0.38.0).
    """
    try:
        yield
    except NotFoundError as error:
        run_id = run.removeprefix(SCHEME).partition("/")[0]
        if not error.hint and _UUID.fullmatch(run_id):
            error.hint = (
                f"{run_id} may be a session id: the first run of a session is named "
                f"{run_id}:train:0."
            )
        raise
