"""Downloads checkpoints: as an archive, or as the files of external weights.

Servers before 0.38.0 pack an archive. Later ones have external weights, and a training state is
exported as such temporarily. The response to the request for the archive shows which of the two
applies.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TypeVar
from urllib.parse import urljoin

from attrs import field, frozen
from tinker_api import models

from tinker_ext import tracing
from tinker_ext.clients.checkpoint_lookup import find_checkpoint, parse_path
from tinker_ext.clients.creation import (
    CLEANUP_TIMEOUT,
    HASTY_CLEANUP_TIMEOUT,
    ResumeSpec,
    resume_from_state,
    unload_unused,
)
from tinker_ext.clients.downloads.partial_file import (
    PART,
    PartialFile,
    UnsafeNameError,
    disk_errors,
    locked,
    safe_parts,
)
from tinker_ext.clients.downloads.transfer import (
    OPERATION,
    ProgressCallback,
    ProgressCallbackError,
    SignedUrls,
    Transfer,
    UrlSigner,
    on_thread,
)
from tinker_ext.clients.downloads.unpack import MAX_ENTRIES, unpack
from tinker_ext.clients.rest._rest_base import RestClientBase, path_params
from tinker_ext.clients.rest.checkpoints import (
    DEFAULT_ARCHIVE_LIFETIME,
    ArchiveResponse,
    archive_url,
)
from tinker_ext.clients.result_decoding import response_decoder
from tinker_ext.errors import APIError, APIStatusError, APITimeoutError, DownloadError
from tinker_ext.private_files import make_private_folders
from tinker_ext.protocol.error_responses import MISSING_STATUSES
from tinker_ext.runtime.concurrency.futures import APIFuture
from tinker_ext.runtime.core import ClientCore
from tinker_ext.tracing import log
from tinker_ext.transport import operations
from tinker_ext.types import CheckpointDownload, ParsedCheckpointTinkerPath
from tinker_ext.types.responses.checkpoints import ExternalWeightsUrlsResponse
from tinker_ext.types.structuring import or_default

T = TypeVar("T")

# Seconds until a temporary export expires if deleting it fails; the minimum of the hosted service
# (0.38.0's command line).
EXPORT_TTL = 3600
# Statuses while an archive is still being packed: the server's own (0.25.0), and those of a proxy
# that timed out (the last is Cloudflare's). Seconds until the next request (0.25.0).
PACKING_STATUSES = frozenset({503, 504, 524})
PACKING_INTERVAL = 30.0


def file_name(*parts: str) -> str:
    """The parts as one name, without characters that are special to a file system."""
    safe = ("".join(c if c.isalnum() or c in "-_." else "-" for c in part) for part in parts)
    return "_".join(safe).lstrip(".")


@frozen
class Target:
    """The paths of a download in the folder `parent`, and whether it may replace files there."""

    parent: Path = field(converter=Path)
    name: str
    extract: bool = False
    overwrite: bool = False

    @property
    def archive(self) -> Path:
        """RUN_weights_NAME.tar.gz"""
        return self.parent / f"{self.name}.tar.gz"

    @property
    def folder(self) -> Path:
        """RUN_weights_NAME"""
        return self.parent / self.name

    @property
    def building(self) -> Path:
        """The folder while it is incomplete."""
        return self.folder.with_name(self.name + PART)

    def check(self, *paths: Path) -> None:
        """Raise DownloadError if one of the paths exists and may not be replaced."""
        for path in paths:
            if not self.overwrite and os.path.lexists(path):
                raise DownloadError(
                    f"{path} already exists; pass overwrite=True to replace it", path=str(path)
                )

    def install(self) -> None:
        """Move the complete folder to its path."""
        self.check(self.folder)
        with disk_errors(self.folder):
            if os.path.lexists(self.folder):
                replaced = self.folder.with_name(f".{self.name}-{uuid.uuid4().hex[:8]}")
                self.folder.rename(replaced)
                self.building.rename(self.folder)
                if replaced.is_dir() and not replaced.is_symlink():
                    shutil.rmtree(replaced, ignore_errors=True)
                else:
                    replaced.unlink()
            else:
                self.building.rename(self.folder)


def target_of(
    tinker_path: str, to: str | PathLike[str], *, extract: bool = False, overwrite: bool = False
) -> Target:
    """The paths of a checkpoint's download in the folder `to`.

    Raises:
        InvalidInputError: it is not the path of a checkpoint.
        DownloadError: the file or folder already exists.
    """
    parsed = parse_path(tinker_path)
    segments = re.split(r"[/\\]+", tinker_path.partition("://")[2] or tinker_path.strip("/\\"))
    name = file_name(*segments)
    target = Target(parent=to, name=name, extract=extract, overwrite=overwrite)
    external = parsed is not None and parsed.checkpoint_type == "external"
    target.check(*(() if external else (target.archive,)))
    target.check(*((target.folder,) if external or extract else ()))
    return target


def download_checkpoint(
    core: ClientCore, tinker_path: str, target: Target, progress: ProgressCallback | None
) -> APIFuture[CheckpointDownload]:
    """Start the download of a checkpoint."""

    async def run() -> CheckpointDownload:
        async with Transfer(core, progress) as transfer:
            return await _Download(core, transfer, target).run(tinker_path)

    return _start(core, run)


def download_url(
    rest: RestClientBase, url: str, target: Path, progress: ProgressCallback | None = None
) -> APIFuture[int]:
    """Start the download of a signed URL to a file; a future of its size in bytes."""

    async def sign() -> SignedUrls:
        now = datetime.now(UTC)  # It can't be signed again, so use it until it is rejected.
        return SignedUrls({"": url}, now, now.timestamp())

    async def run() -> int:
        async with Transfer(rest._core, progress) as transfer, locked(target):
            return await _fetch_file(transfer, transfer.signer(sign), target)

    return _start(rest._core, run)


def _start(core: ClientCore, work: Callable[[], Awaitable[T]]) -> APIFuture[T]:
    async def guarded() -> T | ProgressCallbackError:
        try:
            return await work()
        except ProgressCallbackError as error:
            return error

    with tracing.operation(OPERATION):
        return core.start(guarded(), _value)


def _value(outcome: T | ProgressCallbackError) -> T:
    """The value, or the error of the caller's own callback, raised where the caller waits."""
    if isinstance(outcome, ProgressCallbackError):
        raise outcome.error
    return outcome


async def _fetch_file(
    transfer: Transfer, signer: UrlSigner, target: Path, *, may_be_empty: bool = True
) -> int:
    file = await asyncio.to_thread(PartialFile, target)
    size = await transfer.fetch(signer, {"": file})
    if size == 0 and not may_be_empty:
        await asyncio.to_thread(file.discard)
        raise DownloadError(f"{target}: expected an archive, got an empty file", path=str(target))
    await on_thread(PartialFile.finish, file)
    return size


@frozen
class _Download:
    """The download of one checkpoint to `target`."""

    core: ClientCore
    transfer: Transfer
    target: Target

    async def run(self, tinker_path: str) -> CheckpointDownload:
        parsed = await find_checkpoint(self.core, tinker_path)
        if parsed.checkpoint_type == "external":
            return await self._external(tinker_path, parsed)
        first = await self.transfer.while_preparing(
            self._packed(parsed), "the server is packing the archive"
        )
        if first is not None:
            async with locked(self.target.folder):
                return await self._archive(tinker_path, parsed, first)
        if parsed.checkpoint_type != "training":
            raise DownloadError(
                f"{tinker_path} can't be downloaded: this server creates no archives and exports "
                "only training states (tinker://RUN/weights/NAME) and external weights; save the "
                "weights with save_state or save_weights_external and download those"
            )
        return await self._exported(tinker_path)

    async def _archive(
        self, path: str, parsed: ParsedCheckpointTinkerPath, first: SignedUrls
    ) -> CheckpointDownload:
        async def sign() -> SignedUrls:
            signed = await self._packed(parsed)
            if signed is None:
                raise DownloadError(f"the server no longer has an archive of {path}")
            return signed

        archive, target = self.target.archive, self.target
        target.check(archive)
        signer = self.transfer.signer(sign, first)
        size = await _fetch_file(self.transfer, signer, archive, may_be_empty=False)
        if not target.extract:
            return CheckpointDownload(path, archive, None, (archive,), size)
        await asyncio.to_thread(shutil.rmtree, target.building, ignore_errors=True)
        names = await asyncio.to_thread(unpack, archive, target.building)
        await asyncio.to_thread(target.install)
        files = tuple(target.folder / name.relative_to(target.building) for name in names)
        return CheckpointDownload(path, archive, target.folder, files, size)

    async def _packed(self, parsed: ParsedCheckpointTinkerPath) -> SignedUrls | None:
        """The signed URL of the archive once it is packed; None if the server packs no archives.

        Repeated requests have the same idempotency key, so that packing does not restart.
        """
        key, timeout = str(uuid.uuid4()), self.core.config.archive_timeout
        clock = self.core.connection.retrier.clock
        until = clock.now() + timeout
        hint = (
            f"The setting archive_timeout, which bounds the wait for an archive, is {timeout:g} s."
        )
        while True:
            try:
                request = operations.get_checkpoint_archive_url(
                    *path_params(parsed), timeout=timeout
                )
                request.idempotency_key = key
                response = await self.core.call(request)
                return self._signed_urls(response, clock.wall())
            except APITimeoutError as error:
                error.hint = hint
                raise
            except APIStatusError as error:
                if error.unsupported and error.status_code in MISSING_STATUSES:
                    return None
                delay = error.retry_after or PACKING_INTERVAL
                if error.status_code not in PACKING_STATUSES:
                    raise
                if clock.now() + delay > until:
                    error.hint = hint
                    raise
            await clock.sleep(delay)

    def _signed_urls(self, response: ArchiveResponse, now: float) -> SignedUrls:
        archive = archive_url(response, datetime.fromtimestamp(now, UTC))
        # A Location may be relative (RFC 9110, 10.2.2).
        try:
            url = urljoin(self.core.connection.base_url or "", archive.url)
        except ValueError:  # Half of an IPv6 address.
            url = ""  # `Storage` reports that it is not a URL.
        return SignedUrls({"": url}, archive.expires, now)

    async def _exported(self, path: str) -> CheckpointDownload:
        """Download a training state as temporary external weights."""
        export = await self.transfer.while_preparing(
            self._export(path), "the server is exporting the weights"
        )
        parsed = await find_checkpoint(self.core, export)
        try:
            return await self._external(path, parsed, temporary=True)
        finally:
            await self._delete(parsed)

    async def _export(self, path: str) -> str:
        client = await resume_from_state(self.core, ResumeSpec(path=path, with_optimizer=False))
        saving = client.save_weights_external(f"download-{uuid.uuid4().hex[:12]}", EXPORT_TTL)
        try:
            return (await saving).path
        finally:
            saving.cancel()  # Has no effect on a complete export.
            await unload_unused(client)

    async def _delete(self, export: ParsedCheckpointTinkerPath) -> None:
        task = asyncio.current_task()
        cancelled = task is not None and task.cancelling() > 0
        try:
            async with asyncio.timeout(HASTY_CLEANUP_TIMEOUT if cancelled else CLEANUP_TIMEOUT):
                await self.core.call(operations.delete_checkpoint(*path_params(export)))
        except (APIError, TimeoutError) as error:
            log.warning(
                "%s: the temporary export %s could not be deleted (%s); it expires in %d s",
                OPERATION,
                export.tinker_path,
                str(error) or "timeout",
                EXPORT_TTL,
            )

    async def _external(
        self, path: str, parsed: ParsedCheckpointTinkerPath, *, temporary: bool = False
    ) -> CheckpointDownload:
        """Download the files of external weights into a folder."""
        params = path_params(parsed)
        signer = self.transfer.signer(partial(self._sign, params, temporary=temporary))
        signed = await signer.current()
        if not signed.urls:
            raise DownloadError(f"the external weights {path} have no files")
        target = self.target
        names = _checked_names(signed.urls)
        async with locked(target.folder):
            target.check(target.folder)
            files = await asyncio.to_thread(_partial_files, target.building, names)
            size = await self.transfer.fetch(signer, files)
            await on_thread(partial(_finish, target), list(files.values()))
        saved = tuple(target.folder.joinpath(*parts) for parts in names.values())
        return CheckpointDownload(path, None, target.folder, saved, size)

    async def _sign(self, params: tuple[str, str, str], *, temporary: bool) -> SignedUrls:
        if temporary:
            await self._renew(params)
        request = operations.get_external_weights_urls(*params)
        decode = response_decoder(request.operation.name, ExternalWeightsUrlsResponse.from_api)
        weights = decode(await self.core.call(request))
        now = self.core.connection.retrier.clock.wall()
        default = datetime.fromtimestamp(now, UTC) + DEFAULT_ARCHIVE_LIFETIME
        return SignedUrls(weights.urls, or_default(weights.expires, default), now)

    async def _renew(self, params: tuple[str, str, str]) -> None:
        """Extend the lifetime of a temporary export to that of its new URLs."""
        try:
            body = models.CheckpointTtlRequest(ttl_seconds=EXPORT_TTL)
            await self.core.call(operations.set_checkpoint_ttl(*params, body=body))
        except APIStatusError as error:
            log.info("%s: the temporary export was not renewed: %s", OPERATION, error)


def _checked_names(urls: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The segments of the file names, which the server chose.

    Raises:
        DownloadError: a name leads out of the folder, is a duplicate, or there are too many.
    """
    try:
        names = {name: safe_parts(name) for name in urls}
    except UnsafeNameError as error:
        raise DownloadError(f"the server sent an unsafe file name: {error}") from None
    parents = {parts[:end] for parts in names.values() for end in range(len(parts))} | {()}
    if len(set(names.values())) < len(names) or not parents.isdisjoint(names.values()):
        raise DownloadError("the server sent two file names that can't exist in one folder")
    if len(names) + len(parents) > MAX_ENTRIES:
        raise DownloadError(f"the server sent more than {MAX_ENTRIES} files and folders")
    return names


def _partial_files(building: Path, names: Mapping[str, tuple[str, ...]]) -> dict[str, PartialFile]:
    with disk_errors(building):
        make_private_folders(building)
    return {name: PartialFile(building.joinpath(*parts)) for name, parts in names.items()}


def _finish(target: Target, files: list[PartialFile]) -> None:
    """Give the files their final names, remove others, and move the folder to its path."""
    for file in sorted(files, key=lambda file: file.target):
        file.finish()
    complete = {file.target for file in files}
    for path in target.building.rglob("*"):
        if not path.is_dir() and path not in complete:
            path.unlink()
    target.install()
