"""Saved weights: listed, deleted, shown to others, fetched as an archive."""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from tinker_ext.embedded.checkpoints.archive import LIFETIME_SECONDS, pack
from tinker_ext.embedded.checkpoints.names import BadNameError, CheckpointName, parse_kind
from tinker_ext.embedded.rejections import RejectedRequestError
from tinker_ext.embedded.routes.call import answer, done, timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from tinker_ext.embedded.backend import Backend
    from tinker_ext.embedded.routes.call import Call
    from tinker_ext.embedded.store import CheckpointRecord


async def list_checkpoints(call: Call) -> Response:
    run = call.run(call.path["training_run_id"])
    records = call.backend.checkpoints.of_run(run.run_id)
    found = [described(call, record) for record in records]
    return answer({"checkpoints": found, "cursor": None})


async def list_user_checkpoints(call: Call) -> Response:
    limit, offset = call.query["limit"], call.query["offset"]
    records, total = call.backend.checkpoints.page(limit=limit, offset=offset)
    return answer(
        {
            "checkpoints": [described(call, record) for record in records],
            "cursor": {"offset": offset, "limit": limit, "total_count": total},
        }
    )


async def delete_checkpoint(call: Call) -> Response:
    name = _existing(call.backend, call.path)
    await asyncio.to_thread(call.backend.saving.remove, name)
    return done()


async def set_checkpoint_ttl(call: Call) -> Response:
    """From now on; null for good."""
    name = _existing(call.backend, call.path)
    seconds = call.number("ttl_seconds", at_least=1)
    expires = None if seconds is None else time.time() + seconds
    call.backend.checkpoints.set_expires(name, expires)
    return done()


async def publish_checkpoint(call: Call) -> Response:
    call.backend.checkpoints.set_public(_existing(call.backend, call.path), True)
    return done()


async def unpublish_checkpoint(call: Call) -> Response:
    call.backend.checkpoints.set_public(_existing(call.backend, call.path), False)
    return done()


async def get_checkpoint_archive_url(call: Call) -> Response:
    """A redirect to an address of this same server that works without a key, for a while."""
    name = _existing(call.backend, call.path)
    expires = int(time.time()) + LIFETIME_SECONDS
    address = call.backend.signer.address(name, expires)
    headers = {
        "Location": call.access.url_of(call.request) + address,
        "Expires": formatdate(expires, usegmt=True),
    }
    return Response(status_code=302, headers=headers)


async def download_archive(backend: Backend, request: Request) -> Response:
    """The archive itself, as a tar.gz; not an operation of the API."""
    name = _existing(backend, request.path_params)
    if not backend.signer.admits(name, request.query_params, time.time()):
        raise RejectedRequestError(
            403, "this address has expired, or was never valid: ask for a new one"
        )
    archive = backend.files.scratch_file(".tar.gz")
    place = backend.files.checkpoint(name.run_id, name.kind, name.name)
    try:
        await asyncio.to_thread(pack, place, archive)
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
    """Addresses of this same server, one for each file, that work without a key for a while."""
    name = _existing(call.backend, call.path)
    if name.kind != "external_weights":
        raise RejectedRequestError(
            404, f"{name.path} is not external weights (save_weights_external)"
        )
    expires = int(time.time()) + LIFETIME_SECONDS
    place = call.backend.files.checkpoint(name.run_id, name.kind, name.name)
    base, sign = str(call.request.base_url).rstrip("/"), call.backend.signer.address
    files = sorted(file.name for file in place.iterdir())
    urls = {file: base + sign(name, expires, file) for file in files}
    return answer({"urls": urls, "expires": timestamp(expires)})


async def download_file(backend: Backend, request: Request) -> Response:
    """One file of external weights; not an operation of the API."""
    name, file = _existing(backend, request.path_params), request.path_params["file"]
    if not backend.signer.admits(name, request.query_params, time.time(), file):
        raise RejectedRequestError(
            403, "this address has expired, or was never valid: ask for a new one"
        )
    place = backend.files.checkpoint(name.run_id, name.kind, name.name)
    return FileResponse(place / file, media_type="application/octet-stream")


def described(call: Call, record: CheckpointRecord) -> dict[str, Any]:
    """One checkpoint as the API shows it."""
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
    return call.told("Checkpoint", content)


def _existing(backend: Backend, path: Mapping[str, str]) -> CheckpointName:
    """The checkpoint that a path names.

    Raises:
        RefusalError: there is none (404).
    """
    run_id, name = path["training_run_id"], path["checkpoint_name"]
    try:
        full = CheckpointName(run_id, parse_kind(path["checkpoint_kind"]), name)
    except BadNameError as error:
        raise RejectedRequestError(404, str(error)) from None
    if backend.checkpoints.get(full) is None:
        raise RejectedRequestError(404, f"there is no checkpoint {full.path} here")
    return full
