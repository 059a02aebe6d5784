"""Training runs and checkpoints: listed, published, deleted, downloaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen
from tinker_api import models
from tinker_api.api.checkpoints import (
    delete_checkpoint,
    get_checkpoint_archive_url,
    list_checkpoints,
    list_user_checkpoints,
    publish_checkpoint,
    unpublish_checkpoint,
)
from tinker_api.api.training_runs import get_training_run, list_training_runs

from tinker_ext.transport.call import Call
from tinker_ext.transport.operations.base import Operations, answer, value

if TYPE_CHECKING:
    from collections.abc import Mapping


@frozen
class UpkeepOperations(Operations):
    """Training runs and checkpoints."""

    async def get_training_run(self, training_run_id: str) -> models.TrainingRun:
        sent = get_training_run.asyncio_detailed(training_run_id, client=self.client)
        return await value(Call("get_training_run"), sent, models.TrainingRun)

    async def list_training_runs(self, limit: int, offset: int) -> models.TrainingRunsResponse:
        sent = list_training_runs.asyncio_detailed(client=self.client, limit=limit, offset=offset)
        return await value(Call("list_training_runs"), sent, models.TrainingRunsResponse)

    async def list_checkpoints(self, training_run_id: str) -> models.CheckpointsListResponse:
        sent = list_checkpoints.asyncio_detailed(training_run_id, client=self.client)
        return await value(Call("list_checkpoints"), sent, models.CheckpointsListResponse)

    async def list_user_checkpoints(
        self, limit: int, offset: int
    ) -> models.CheckpointsListResponse:
        sent = list_user_checkpoints.asyncio_detailed(
            client=self.client, limit=limit, offset=offset
        )
        return await value(Call("list_user_checkpoints"), sent, models.CheckpointsListResponse)

    async def delete_checkpoint(self, run: str, kind: str, name: str) -> None:
        sent = delete_checkpoint.asyncio_detailed(run, kind, name, client=self.client)
        await answer(self.change("delete_checkpoint"), sent)

    async def publish_checkpoint(self, run: str, kind: str, name: str) -> None:
        sent = publish_checkpoint.asyncio_detailed(run, kind, name, client=self.client)
        await answer(self.change("publish_checkpoint"), sent)

    async def unpublish_checkpoint(self, run: str, kind: str, name: str) -> None:
        sent = unpublish_checkpoint.asyncio_detailed(run, kind, name, client=self.client)
        await answer(self.change("unpublish_checkpoint"), sent)

    async def get_checkpoint_archive_url(self, run: str, kind: str, name: str) -> Mapping[str, str]:
        """The headers of the redirect: `location`, and `expires` where the server says."""
        sent = get_checkpoint_archive_url.asyncio_detailed(run, kind, name, client=self.client)
        call = Call("get_checkpoint_archive_url", redirect_is_answer=True)
        return (await answer(call, sent)).headers
