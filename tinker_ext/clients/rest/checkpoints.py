"""Checkpoints: listing, description, copying, publishing, expiry, deletion, download."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import evolve
from tinker_api import models

from tinker_ext import types
from tinker_ext.clients.argument_checks import check_bool, validate_ttl
from tinker_ext.clients.checkpoint_lookup import parse_path
from tinker_ext.clients.client_base import async_result
from tinker_ext.clients.rest._rest_base import RestClientBase, check_page, require_id
from tinker_ext.clients.result_decoding import response_decoder
from tinker_ext.errors import APIResponseValidationError, InvalidInputError
from tinker_ext.runtime.concurrency.futures import APIFuture
from tinker_ext.transport import operations
from tinker_ext.transport.operations import Operation
from tinker_ext.types import ParsedCheckpointTinkerPath
from tinker_ext.types.structuring import or_default, or_unset

if TYPE_CHECKING:
    from tinker_ext.clients.downloads.transfer import ProgressCallback

# The lifetime of an archive's URL if the response has none (0.4.1).
DEFAULT_ARCHIVE_LIFETIME = timedelta(minutes=15)

#: The headers of a redirect, or a body.
ArchiveResponse: TypeAlias = Mapping[str, str] | models.CheckpointArchiveUrlResponse


class CheckpointCalls(RestClientBase):
    """The checkpoint methods of `RestClient`."""

    def list_checkpoints(self, training_run_id: str) -> APIFuture[types.CheckpointsListResponse]:
        """All checkpoints of a training run."""
        require_id(training_run_id, "training_run_id")
        return self._call(
            operations.list_checkpoints(training_run_id),
            types.CheckpointsListResponse.from_api,
            run=training_run_id,
        )

    list_checkpoints_async = async_result(list_checkpoints)

    def list_user_checkpoints(
        self, limit: int = 100, offset: int = 0
    ) -> APIFuture[types.CheckpointsListResponse]:
        """A page of the checkpoints of all your training runs."""
        check_page(limit, offset)
        return self._call(
            operations.list_user_checkpoints(limit=limit, offset=offset),
            types.CheckpointsListResponse.from_api,
        )

    list_user_checkpoints_async = async_result(list_user_checkpoints)

    def delete_checkpoint(self, training_run_id: str, checkpoint_id: str) -> APIFuture[None]:
        """Delete a checkpoint by its listed id, such as "weights/0001". It can't be undone."""
        path = _checkpoint(training_run_id, checkpoint_id)
        return self._change(operations.delete_checkpoint, path)

    delete_checkpoint_async = async_result(delete_checkpoint)

    def delete_checkpoint_from_tinker_path(self, tinker_path: str) -> APIFuture[None]:
        """Delete the checkpoint at a path. It can't be undone."""
        return self._change(operations.delete_checkpoint, tinker_path)

    delete_checkpoint_from_tinker_path_async = async_result(delete_checkpoint_from_tinker_path)

    def publish_checkpoint_from_tinker_path(self, tinker_path: str) -> APIFuture[None]:
        """Make the checkpoint at a path public."""
        return self._change(operations.publish_checkpoint, tinker_path)

    publish_checkpoint_from_tinker_path_async = async_result(publish_checkpoint_from_tinker_path)

    def unpublish_checkpoint_from_tinker_path(self, tinker_path: str) -> APIFuture[None]:
        """Make the checkpoint at a path private again."""
        return self._change(operations.unpublish_checkpoint, tinker_path)

    unpublish_checkpoint_from_tinker_path_async = async_result(
        unpublish_checkpoint_from_tinker_path
    )

    def get_checkpoint_archive_url(
        self, training_run_id: str, checkpoint_id: str
    ) -> APIFuture[types.CheckpointArchiveUrlResponse]:
        """A signed URL of a checkpoint's archive, and its expiry.

        The server may pack the archive first, for up to `archive_timeout` (a setting) per request.
        `download_checkpoint` downloads it, also from servers without archives.
        """
        return self._archive(_checkpoint(training_run_id, checkpoint_id))

    get_checkpoint_archive_url_async = async_result(get_checkpoint_archive_url)

    def get_checkpoint_archive_url_from_tinker_path(
        self, tinker_path: str
    ) -> APIFuture[types.CheckpointArchiveUrlResponse]:
        """As `get_checkpoint_archive_url`, by the checkpoint's path."""
        return self._archive(tinker_path)

    get_checkpoint_archive_url_from_tinker_path_async = async_result(
        get_checkpoint_archive_url_from_tinker_path
    )

    def set_checkpoint_ttl_from_tinker_path(
        self, tinker_path: str, ttl_seconds: int | None
    ) -> APIFuture[None]:
        """Let the checkpoint at a path expire in `ttl_seconds` from now, or never with None."""
        body = models.CheckpointTtlRequest(ttl_seconds=validate_ttl(ttl_seconds))
        return self._call_for(
            "set_checkpoint_ttl",
            tinker_path,
            lambda *params: operations.set_checkpoint_ttl(*params, body=body),
            lambda _: None,
        )

    set_checkpoint_ttl_from_tinker_path_async = async_result(set_checkpoint_ttl_from_tinker_path)

    def get_external_weights_urls(
        self, tinker_path: str
    ) -> APIFuture[types.ExternalWeightsUrlsResponse]:
        """Signed URLs of the files of `save_weights_external`."""
        path = parse_path(tinker_path)
        if path is not None and path.checkpoint_type != "external":
            raise InvalidInputError(
                f"expected tinker://RUN/external_weights/NAME, got {tinker_path!r}; "
                "other checkpoints have an archive",
                where="tinker_path",
            )
        return self._call_for(
            "get_external_weights_urls",
            tinker_path,
            operations.get_external_weights_urls,
            types.ExternalWeightsUrlsResponse.from_api,
        )

    get_external_weights_urls_async = async_result(get_external_weights_urls)

    def download_checkpoint(
        self,
        tinker_path: str,
        to: str | PathLike[str] = ".",
        *,
        extract: bool = False,
        overwrite: bool = False,
        progress: ProgressCallback | None = None,
    ) -> APIFuture[types.CheckpointDownload]:
        """Download a checkpoint into the folder `to`.

        From a server that packs archives (before release 0.38.0) this creates the file
        RUN_weights_NAME.tar.gz and, with `extract`, the folder RUN_weights_NAME beside it. From
        other servers it creates that folder, with the files of external weights or of a training
        state, which is exported temporarily for the download.

        An interrupted download is resumed, also by a later call: its bytes are kept in files that
        end in ``.part``. Transient failures are retried for `retry_window` without progress, URLs
        are signed again before they expire, and a server may take `archive_timeout` to pack (both
        are settings). Sizes are verified, and checksums if the storage sends them. Only the owner
        can read the files.

        `progress(DownloadProgress)` is called periodically on a worker thread; if it raises an
        error, the download stops and the future raises that error. `overwrite` replaces an existing
        file or folder.

        Raises:
            InvalidInputError: at once, if it is not the path of a checkpoint.
            DownloadError: at once, if the file or folder exists; from the future, if the disk is
                full, the contents are wrong, or the server can't export this kind of checkpoint.

        Example:
            >>> saved = rest.download_checkpoint(path, "models", extract=True).result()
            >>> saved.folder, saved.files
        """
        from tinker_ext.clients.downloads.download import download_checkpoint, target_of

        check_bool(extract, "extract")
        check_bool(overwrite, "overwrite")
        target = target_of(tinker_path, to, extract=extract, overwrite=overwrite)
        return download_checkpoint(self._core, tinker_path, target, progress)

    def get_weights_info_by_tinker_path(
        self, tinker_path: str
    ) -> APIFuture[types.WeightsInfoResponse]:
        """The base model, adapter and optimizer of the weights at a path."""
        require_id(tinker_path, "tinker_path")
        return self._call(
            operations.get_weights_info(body=models.WeightsInfoRequest(tinker_path=tinker_path)),
            types.WeightsInfoResponse.from_api,
            run=tinker_path,
        )

    get_weights_info_by_tinker_path_async = async_result(get_weights_info_by_tinker_path)

    def copy_weights(
        self,
        path: str,
        destination_project_id: str | None = None,
        *,
        ttl_seconds: int | None = None,
        weights_access_token: str | None = None,
    ) -> APIFuture[str]:
        """Copy the checkpoint at a path into a project, by default the configured one.

        The result is the path of the copy, which belongs to a new training run. An access token
        permits reading the weights of another account; it never appears in messages or logs.
        """
        require_id(path, "path")
        project = destination_project_id or self._core.config.project_id
        body = models.CopyWeightsRequest(
            source_path=path,
            destination_project_id=or_unset(project),
            ttl_seconds=or_unset(validate_ttl(ttl_seconds)),
        )
        return self._call(
            operations.copy_weights(body, weights_access_token), lambda copied: copied.tinker_path
        )

    copy_weights_async = async_result(copy_weights)

    async def download_checkpoint_async(
        self,
        tinker_path: str,
        to: str | PathLike[str] = ".",
        *,
        extract: bool = False,
        overwrite: bool = False,
        progress: ProgressCallback | None = None,
    ) -> types.CheckpointDownload:
        """As `download_checkpoint`; cancelling it stops the download and keeps its bytes."""
        download = self.download_checkpoint(
            tinker_path, to, extract=extract, overwrite=overwrite, progress=progress
        )
        try:
            return await download
        finally:
            download.cancel()

    def _change(
        self, operation: Operation[[str, str, str], Any], path: ParsedCheckpointTinkerPath | str
    ) -> APIFuture[None]:
        return self._call_for(operation.name, path, operation, lambda _: None)

    def _archive(
        self, path: ParsedCheckpointTinkerPath | str
    ) -> APIFuture[types.CheckpointArchiveUrlResponse]:
        timeout = self._core.config.archive_timeout
        return self._call_for(
            "get_checkpoint_archive_url",
            path,
            lambda *params: operations.get_checkpoint_archive_url(*params, timeout=timeout),
            lambda headers: archive_url(headers, datetime.now(UTC)),
        )


def archive_url(response: ArchiveResponse, now: datetime) -> types.CheckpointArchiveUrlResponse:
    """The URL and its expiry, from a redirect's headers or from a body (release 0.25.0)."""
    if isinstance(response, models.CheckpointArchiveUrlResponse):
        from_api = types.CheckpointArchiveUrlResponse.from_api
        archive = response_decoder("get_checkpoint_archive_url", from_api)(response)
        return evolve(archive, expires=or_default(archive.expires, now + DEFAULT_ARCHIVE_LIFETIME))
    url = response.get("location")
    if not url:
        raise APIResponseValidationError(
            "the redirect has no Location header", operation="get_checkpoint_archive_url"
        )
    return types.CheckpointArchiveUrlResponse(url, _expiry(response.get("expires"), now))


def _expiry(value: str | None, now: datetime) -> datetime:
    try:
        date = parsedate_to_datetime(value or "")
    except ValueError:
        return now + DEFAULT_ARCHIVE_LIFETIME
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _checkpoint(training_run_id: str, checkpoint_id: str) -> ParsedCheckpointTinkerPath:
    run = require_id(training_run_id, "training_run_id")
    require_id(checkpoint_id, "checkpoint_id")
    try:
        return ParsedCheckpointTinkerPath.from_tinker_path(f"tinker://{run}/{checkpoint_id}")
    except InvalidInputError:
        raise InvalidInputError(
            f"expected weights/NAME, sampler_weights/NAME or a NAME, got {checkpoint_id!r}",
            where="checkpoint_id",
        ) from None
