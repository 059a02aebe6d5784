"""Lists, deletes, publishes and downloads checkpoints."""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from tinker_ext.embedded.checkpoints.archive import LIFETIME_SECONDS, pack
from tinker_ext.embedded.checkpoints.names import BadNameError, CheckpointName, parse_kind
from tinker_ext.embedded.errors import RejectedRequestError
from tinker_ext.embedded.routes.call import empty_response, json_response, timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from tinker_ext.embedded.backend import Backend
    from tinker_ext.embedded.routes.call import Call
    from tinker_ext.embedded.store import CheckpointRecord

EXPIRED_URL = "this URL has expired or is invalid: request a new one"


async def list_checkpoints(call: Call) -> Response:
    run = call.run(call.path["training_run_id"])
    records = call.backend.checkpoints.of_run(run.run_id)
    checkpoints = [describe(call, record) for record in records]
    return json_response({"checkpoints": checkpoints, "cursor": None})


async def list_user_checkpoints(call: Call) -> Response:
    limit, offset = call.query["limit"], call.query["offset"]
    records, total = call.backend.checkpoints.page(limit=limit, offset=offset)
    return json_response(
        {
            "checkpoints": [describe(call, record) for record in records],
            "cursor": {"offset": offset, "limit": limit, "total_count": total},
        }
    )


async def delete_checkpoint(call: Call) -> Response:
    name = _existing(call.backend, call.path)
    await asyncio.to_thread(call.backend.saving.remove, name)
    return empty_response()


async def set_checkpoint_ttl(call: Call) -> Response:
    """The time to live starts now; null means forever."""
    name = _existing(call.backend, call.path)
    seconds = call.number("ttl_seconds", at_least=1)
    expires = None if seconds is None else time.time() + seconds
    call.backend.checkpoints.update(name, expires=expires)
    return empty_response()


async def publish_checkpoint(call: Call) -> Response:
    call.backend.checkpoints.update(_existing(call.backend, call.path), public=True)
    return empty_response()


async def unpublish_checkpoint(call: Call) -> Response:
    call.backend.checkpoints.update(_existing(call.backend, call.path), public=False)
    return empty_response()


async def get_checkpoint_archive_url(call: Call) -> Response:
    """Redirect to a signed URL of this server, which works without a key until it expires."""
    name = _existing(call.backend, call.path)
    expires = int(time.time()) + LIFETIME_SECONDS
    headers = {
        "Location": call.access.url_of(call.request) + call.backend.signer.sign(name, expires),
        "Expires": formatdate(expires, usegmt=True),
    }
    return Response(status_code=302, headers=headers)


async def download_archive(backend: Backend, request: Request) -> Response:
    """Download an archive as tar.gz, from a signed URL; not an operation of the API."""
    name = _existing(backend, request.path_params)
    if not backend.signer.is_valid(name, request.query_params, time.time()):
        raise RejectedRequestError(403, EXPIRED_URL)
    archive = backend.files.scratch_file(".tar.gz")
    try:
        await asyncio.to_thread(pack, backend.saving.folder(name), archive)
    except BaseException:
        archive.unlink(missing_ok=True)
        raise
    return FileResponse(
        archive,
        media_type="application/gzip",
        filename=f"{name.run_id.replace(':', '_')}_{name.kind}_{name.name}.tar.gz",
        background=BackgroundTask(archive.unlink, missing_ok=True),
    )


async def get_external_weights_urls(call: Call) -> Response:
    """Signed URLs of this server, one per file, which work without a key until they expire."""
    name = _existing(call.backend, call.path)
    if name.kind != "external_weights":
        raise RejectedRequestError(404, f"{name.path} was not saved by save_weights_external")
    expires = int(time.time()) + LIFETIME_SECONDS
    base, sign = call.access.url_of(call.request), call.backend.signer.sign
    files = sorted(file.name for file in call.backend.saving.folder(name).iterdir())
    urls = {file: base + sign(name, expires, file) for file in files}
    return json_response({"urls": urls, "expires": timestamp(expires)})


async def download_file(backend: Backend, request: Request) -> Response:
    """Download one file of external weights, from a signed URL; not an operation of the API."""
    name, file = _existing(backend, request.path_params), request.path_params["file"]
    if not backend.signer.is_valid(name, request.query_params, time.time(), file):
        raise RejectedRequestError(403, EXPIRED_URL)
    return FileResponse(backend.saving.folder(name) / file, media_type="application/octet-stream")


def describe(call: Call, record: CheckpointRecord) -> dict[str, Any]:
    """One checkpoint as an object of the API."""
    content = {
        "checkpoint_id": record.name.checkpoint_id,
        "checkpoint_type": record.name.checkpoint_type,
        "time": timestamp(record.created),
        "tinker_path": record.name.path,
        "size_bytes": record.size_bytes,
        "public": record.public,
        "user_metadata": record.user_metadata,
        "expires_at": None if record.expires is None else timestamp(record.expires),
    }
    return call.known_fields("Checkpoint", content)


def _existing(backend: Backend, path: Mapping[str, str]) -> CheckpointName:
    """The checkpoint name in the path parameters.

    Raises:
        RejectedRequestError: the checkpoint does not exist (404).
    """
    try:
        kind = parse_kind(path["checkpoint_kind"])
    except BadNameError as error:
        raise RejectedRequestError(404, str(error)) from None
    name = CheckpointName(path["training_run_id"], kind, path["checkpoint_name"])
    if backend.checkpoints.get(name) is None:
        raise RejectedRequestError(404, f"there is no checkpoint {name.path} on this server")
    return name
