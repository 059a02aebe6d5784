"""Training runs and checkpoints: listed, published, deleted, downloaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve, frozen
from tinker_api import models
from tinker_api.api.checkpoints import (
    delete_checkpoint,
    get_checkpoint_archive_url,
    get_external_weights_urls,
    list_checkpoints,
    list_user_checkpoints,
    publish_checkpoint,
    set_checkpoint_ttl,
    unpublish_checkpoint,
)
from tinker_api.api.training_runs import get_training_run, list_training_runs
from tinker_api.api.weights import copy_weights, get_weights_info

from tinker_ext.transport.call import Call
from tinker_ext.transport.operations.base import Operations, send, send_for
from tinker_ext.types.unset import or_unset

if TYPE_CHECKING:
    from collections.abc import Mapping

# Lets others' weights be read; release 0.38.0.
ACCESS_TOKEN_HEADER = "X-Tinker-Weights-Access-Token"


@frozen
class UpkeepOperations(Operations):
    """Training runs and checkpoints. What is None of a query is not sent."""

    async def get_training_run(
        self, training_run_id: str, access_scope: models.AccessScope | None = None
    ) -> models.TrainingRun:
        sent = get_training_run.asyncio_detailed(
            training_run_id, client=self.client, access_scope=or_unset(access_scope)
        )
        return await send_for(Call("get_training_run"), sent, models.TrainingRun)

    async def list_training_runs(
        self,
        limit: int,
        offset: int,
        access_scope: models.AccessScope | None = None,
        project_id: str | None = None,
    ) -> models.TrainingRunsResponse:
        sent = list_training_runs.asyncio_detailed(
            client=self.client,
            limit=limit,
            offset=offset,
            access_scope=or_unset(access_scope),
            project_id=or_unset(project_id),
        )
        return await send_for(Call("list_training_runs"), sent, models.TrainingRunsResponse)

    async def list_checkpoints(self, training_run_id: str) -> models.CheckpointsListResponse:
        sent = list_checkpoints.asyncio_detailed(training_run_id, client=self.client)
        return await send_for(Call("list_checkpoints"), sent, models.CheckpointsListResponse)

    async def list_user_checkpoints(
        self, limit: int, offset: int
    ) -> models.CheckpointsListResponse:
        sent = list_user_checkpoints.asyncio_detailed(
            client=self.client, limit=limit, offset=offset
        )
        return await send_for(Call("list_user_checkpoints"), sent, models.CheckpointsListResponse)

    async def delete_checkpoint(self, run: str, kind: str, name: str) -> None:
        sent = delete_checkpoint.asyncio_detailed(run, kind, name, client=self.client)
        await send(self.change("delete_checkpoint"), sent)

    async def publish_checkpoint(self, run: str, kind: str, name: str) -> None:
        sent = publish_checkpoint.asyncio_detailed(run, kind, name, client=self.client)
        await send(self.change("publish_checkpoint"), sent)

    async def unpublish_checkpoint(self, run: str, kind: str, name: str) -> None:
        sent = unpublish_checkpoint.asyncio_detailed(run, kind, name, client=self.client)
        await send(self.change("unpublish_checkpoint"), sent)

    async def get_checkpoint_archive_url(
        self, run: str, kind: str, name: str, *, timeout: float
    ) -> Mapping[str, str] | models.CheckpointArchiveUrlResponse:
        """The headers of the redirect (`location`, `expires`), or the body of a success.

        The server may pack the archive before it responds, for up to `timeout` seconds. The
        idempotency key lets it recognize a repeated request.
        """
        sent = get_checkpoint_archive_url.asyncio_detailed(run, kind, name, client=self.client)
        call = self.change("get_checkpoint_archive_url", timeout=timeout)
        response = await send(evolve(call, redirect_is_answer=True), sent)
        parsed = response.parsed
        if isinstance(parsed, models.CheckpointArchiveUrlResponse):
            return parsed
        return response.headers

    async def get_external_weights_urls(
        self, run: str, kind: str, name: str
    ) -> models.ExternalWeightsUrlsResponse:
        sent = get_external_weights_urls.asyncio_detailed(run, kind, name, client=self.client)
        call = Call("get_external_weights_urls")
        return await send_for(call, sent, models.ExternalWeightsUrlsResponse)

    async def set_checkpoint_ttl(
        self, run: str, kind: str, name: str, ttl_seconds: int | None
    ) -> None:
        """None is sent: it keeps the checkpoint for good."""
        body = models.CheckpointTtlRequest(ttl_seconds=ttl_seconds)
        sent = set_checkpoint_ttl.asyncio_detailed(run, kind, name, client=self.client, body=body)
        await send(self.change("set_checkpoint_ttl"), sent)

    async def get_weights_info(self, tinker_path: str) -> models.WeightsInfoResponse:
        body = models.WeightsInfoRequest(tinker_path=tinker_path)
        sent = get_weights_info.asyncio_detailed(client=self.client, body=body)
        return await send_for(self.change("get_weights_info"), sent, models.WeightsInfoResponse)

    async def copy_weights(
        self, body: models.CopyWeightsRequest, access_token: str | None
    ) -> models.CopyWeightsResponse:
        """The token goes in a header, as release 0.38.0 has it, which nothing shows."""
        headers = {} if access_token is None else {ACCESS_TOKEN_HEADER: access_token}
        sent = copy_weights.asyncio_detailed(client=self.client, body=body)
        call = self.change("copy_weights", headers=headers, secret=access_token)
        return await send_for(call, sent, models.CopyWeightsResponse)
