"""Training runs and checkpoints: listing, publishing, deleting, downloading."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Self, TypeVar

from tinker_ext import tracing, types
from tinker_ext.errors import APIResponseValidationError, InvalidInputError
from tinker_ext.transport.gateway import Gateway
from tinker_ext.types import ParsedCheckpointTinkerPath

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from tinker_ext.runtime.core import ClientCore
    from tinker_ext.runtime.futures import APIFuture

R = TypeVar("R")
T = TypeVar("T")

# How long an archive's address holds when the server does not say; release 0.4.1.
DEFAULT_ARCHIVE_LIFE = timedelta(minutes=15)


class RestClient:
    """Looks after training runs and checkpoints. Make it with `ServiceClient.create_rest_client`.

    Every method returns a future; the `*_async` names return its value.

    Example:
        >>> for run in rest.list_training_runs().result().training_runs:
        ...     print(run.training_run_id, run.base_model)
    """

    def __init__(self, core: ClientCore) -> None:
        self._core = core

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return RestClient, (self._core,)

    def get_training_run(self, training_run_id: str) -> APIFuture[types.TrainingRun]:
        """One training run."""
        return self._call(
            "get_training_run",
            lambda gateway: gateway.get_training_run(_needed(training_run_id, "training_run_id")),
            types.TrainingRun.from_api,
        )

    def get_training_run_by_tinker_path(self, tinker_path: str) -> APIFuture[types.TrainingRun]:
        """The training run a checkpoint belongs to."""
        path = ParsedCheckpointTinkerPath.from_tinker_path(tinker_path)
        return self.get_training_run(path.training_run_id)

    def list_training_runs(
        self, limit: int = 20, offset: int = 0
    ) -> APIFuture[types.TrainingRunsResponse]:
        """A page of training runs, newest first."""
        _check_page(limit, offset)
        return self._call(
            "list_training_runs",
            lambda gateway: gateway.list_training_runs(limit, offset),
            types.TrainingRunsResponse.from_api,
        )

    def list_checkpoints(self, training_run_id: str) -> APIFuture[types.CheckpointsListResponse]:
        """All checkpoints of a training run."""
        return self._call(
            "list_checkpoints",
            lambda gateway: gateway.list_checkpoints(_needed(training_run_id, "training_run_id")),
            types.CheckpointsListResponse.from_api,
        )

    def list_user_checkpoints(
        self, limit: int = 100, offset: int = 0
    ) -> APIFuture[types.CheckpointsListResponse]:
        """A page of the checkpoints of all your training runs."""
        _check_page(limit, offset)
        return self._call(
            "list_user_checkpoints",
            lambda gateway: gateway.list_user_checkpoints(limit, offset),
            types.CheckpointsListResponse.from_api,
        )

    def delete_checkpoint(self, training_run_id: str, checkpoint_id: str) -> APIFuture[None]:
        """Delete a checkpoint; `checkpoint_id` is as listed, "weights/0001". It can't be undone."""
        path = _checkpoint(training_run_id, checkpoint_id)
        return self._change("delete_checkpoint", Gateway.delete_checkpoint, path)

    def delete_checkpoint_from_tinker_path(self, tinker_path: str) -> APIFuture[None]:
        """Delete the checkpoint at a path. It can't be undone."""
        return self._change("delete_checkpoint", Gateway.delete_checkpoint, _parsed(tinker_path))

    def publish_checkpoint_from_tinker_path(self, tinker_path: str) -> APIFuture[None]:
        """Let everybody use the checkpoint at a path."""
        return self._change("publish_checkpoint", Gateway.publish_checkpoint, _parsed(tinker_path))

    def unpublish_checkpoint_from_tinker_path(self, tinker_path: str) -> APIFuture[None]:
        """Make the checkpoint at a path private again."""
        path = _parsed(tinker_path)
        return self._change("unpublish_checkpoint", Gateway.unpublish_checkpoint, path)

    def get_checkpoint_archive_url(
        self, training_run_id: str, checkpoint_id: str
    ) -> APIFuture[types.CheckpointArchiveUrlResponse]:
        """A signed address to download a checkpoint's archive from, and when it ends."""
        return self._archive(_checkpoint(training_run_id, checkpoint_id))

    def get_checkpoint_archive_url_from_tinker_path(
        self, tinker_path: str
    ) -> APIFuture[types.CheckpointArchiveUrlResponse]:
        """As `get_checkpoint_archive_url`, by the checkpoint's path."""
        return self._archive(_parsed(tinker_path))

    async def get_training_run_async(self, training_run_id: str) -> types.TrainingRun:
        return await self.get_training_run(training_run_id)

    async def get_training_run_by_tinker_path_async(self, tinker_path: str) -> types.TrainingRun:
        return await self.get_training_run_by_tinker_path(tinker_path)

    async def list_training_runs_async(
        self, limit: int = 20, offset: int = 0
    ) -> types.TrainingRunsResponse:
        return await self.list_training_runs(limit, offset)

    async def list_checkpoints_async(self, training_run_id: str) -> types.CheckpointsListResponse:
        return await self.list_checkpoints(training_run_id)

    async def list_user_checkpoints_async(
        self, limit: int = 100, offset: int = 0
    ) -> types.CheckpointsListResponse:
        return await self.list_user_checkpoints(limit, offset)

    async def delete_checkpoint_async(self, training_run_id: str, checkpoint_id: str) -> None:
        await self.delete_checkpoint(training_run_id, checkpoint_id)

    async def delete_checkpoint_from_tinker_path_async(self, tinker_path: str) -> None:
        await self.delete_checkpoint_from_tinker_path(tinker_path)

    async def publish_checkpoint_from_tinker_path_async(self, tinker_path: str) -> None:
        await self.publish_checkpoint_from_tinker_path(tinker_path)

    async def unpublish_checkpoint_from_tinker_path_async(self, tinker_path: str) -> None:
        await self.unpublish_checkpoint_from_tinker_path(tinker_path)

    async def get_checkpoint_archive_url_async(
        self, training_run_id: str, checkpoint_id: str
    ) -> types.CheckpointArchiveUrlResponse:
        return await self.get_checkpoint_archive_url(training_run_id, checkpoint_id)

    async def get_checkpoint_archive_url_from_tinker_path_async(
        self, tinker_path: str
    ) -> types.CheckpointArchiveUrlResponse:
        return await self.get_checkpoint_archive_url_from_tinker_path(tinker_path)

    def _call(
        self,
        operation: str,
        send: Callable[[Gateway], Awaitable[R]],
        finish: Callable[[R], T],
    ) -> APIFuture[T]:
        with tracing.operation(operation):
            return self._core.start(self._core.call(operation, send), finish)

    def _change(
        self,
        operation: str,
        method: Callable[[Gateway, str, str, str], Awaitable[None]],
        path: ParsedCheckpointTinkerPath,
    ) -> APIFuture[None]:
        return self._call(operation, lambda gateway: method(gateway, *_place(path)), lambda _: None)

    def _archive(
        self, path: ParsedCheckpointTinkerPath
    ) -> APIFuture[types.CheckpointArchiveUrlResponse]:
        return self._call(
            "get_checkpoint_archive_url",
            lambda gateway: gateway.get_checkpoint_archive_url(*_place(path)),
            lambda headers: _archive_url(headers, datetime.now(UTC)),
        )


def _place(path: ParsedCheckpointTinkerPath) -> tuple[str, str, str]:
    return path.training_run_id, path.checkpoint_kind, path.checkpoint_name


def _parsed(tinker_path: str) -> ParsedCheckpointTinkerPath:
    return ParsedCheckpointTinkerPath.from_tinker_path(tinker_path)


def _checkpoint(training_run_id: str, checkpoint_id: str) -> ParsedCheckpointTinkerPath:
    run = _needed(training_run_id, "training_run_id")
    try:
        return _parsed(f"tinker://{run}/{checkpoint_id}")
    except InvalidInputError:
        raise InvalidInputError(
            f"expected weights/NAME, sampler_weights/NAME or a NAME, got {checkpoint_id!r}",
            where="checkpoint_id",
        ) from None


def _needed(value: str, where: str) -> str:
    if not value:
        raise InvalidInputError("must not be empty", where=where)
    return value


def _check_page(limit: int, offset: int) -> None:
    if limit < 1:
        raise InvalidInputError(f"expected 1 or more, got {limit}", where="limit")
    if offset < 0:
        raise InvalidInputError(f"expected 0 or more, got {offset}", where="offset")


def _archive_url(headers: Mapping[str, str], now: datetime) -> types.CheckpointArchiveUrlResponse:
    url = headers.get("location")
    if not url:
        raise APIResponseValidationError(
            "the answer names no location", operation="get_checkpoint_archive_url"
        )
    return types.CheckpointArchiveUrlResponse(url, _expiry(headers.get("expires"), now))


def _expiry(value: str | None, now: datetime) -> datetime:
    try:
        date = parsedate_to_datetime(value or "")
    except ValueError:
        return now + DEFAULT_ARCHIVE_LIFE
    return date if date.tzinfo else date.replace(tzinfo=UTC)
