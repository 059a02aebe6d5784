"""Lists, publishes, deletes and downloads training runs and checkpoints."""

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
from tinker_ext.transport.operations.base import Operations
from tinker_ext.types.unset import or_unset

if TYPE_CHECKING:
    from collections.abc import Mapping

# Grants read access to weights of another owner; release 0.38.0.
ACCESS_TOKEN_HEADER = "X-Tinker-Weights-Access-Token"


@frozen
class RunOperations(Operations):
    """Training runs and checkpoints. Query parameters that are None are not sent."""

    async def get_training_run(
        self, training_run_id: str, access_scope: models.AccessScope | None = None
    ) -> models.TrainingRun:
        return await self.send_for(
            models.TrainingRun,
            Call("get_training_run"),
            get_training_run,
            training_run_id,
            access_scope=or_unset(access_scope),
        )

    async def list_training_runs(
        self,
        limit: int,
        offset: int,
        access_scope: models.AccessScope | None = None,
        project_id: str | None = None,
    ) -> models.TrainingRunsResponse:
        return await self.send_for(
            models.TrainingRunsResponse,
            Call("list_training_runs"),
            list_training_runs,
            limit=limit,
            offset=offset,
            access_scope=or_unset(access_scope),
            project_id=or_unset(project_id),
        )

    async def list_checkpoints(self, training_run_id: str) -> models.CheckpointsListResponse:
        call = Call("list_checkpoints")
        return await self.send_for(
            models.CheckpointsListResponse, call, list_checkpoints, training_run_id
        )

    async def list_user_checkpoints(
        self, limit: int, offset: int
    ) -> models.CheckpointsListResponse:
        return await self.send_for(
            models.CheckpointsListResponse,
            Call("list_user_checkpoints"),
            list_user_checkpoints,
            limit=limit,
            offset=offset,
        )

    async def delete_checkpoint(self, run: str, kind: str, name: str) -> None:
        call = self.mutating_call("delete_checkpoint")
        await self.send(call, delete_checkpoint, run, kind, name)

    async def publish_checkpoint(self, run: str, kind: str, name: str) -> None:
        call = self.mutating_call("publish_checkpoint")
        await self.send(call, publish_checkpoint, run, kind, name)

    async def unpublish_checkpoint(self, run: str, kind: str, name: str) -> None:
        call = self.mutating_call("unpublish_checkpoint")
        await self.send(call, unpublish_checkpoint, run, kind, name)

    async def get_checkpoint_archive_url(
        self, run: str, kind: str, name: str, *, timeout: float
    ) -> Mapping[str, str] | models.CheckpointArchiveUrlResponse:
        """The headers of the redirect (`location`, `expires`), or the body of a success.

        The server may pack the archive before it responds, for up to `timeout` seconds. The
        idempotency key lets it recognize a repeated request.
        """
        call = self.mutating_call("get_checkpoint_archive_url", timeout=timeout)
        call = evolve(call, accepts_redirect=True)
        response = await self.send(call, get_checkpoint_archive_url, run, kind, name)
        parsed = response.parsed
        if isinstance(parsed, models.CheckpointArchiveUrlResponse):
            return parsed
        return response.headers

    async def get_external_weights_urls(
        self, run: str, kind: str, name: str
    ) -> models.ExternalWeightsUrlsResponse:
        return await self.send_for(
            models.ExternalWeightsUrlsResponse,
            Call("get_external_weights_urls"),
            get_external_weights_urls,
            run,
            kind,
            name,
        )

    async def set_checkpoint_ttl(
        self, run: str, kind: str, name: str, ttl_seconds: int | None
    ) -> None:
        """A TTL of None is sent: the checkpoint then never expires."""
        body = models.CheckpointTtlRequest(ttl_seconds=ttl_seconds)
        call = self.mutating_call("set_checkpoint_ttl")
        await self.send(call, set_checkpoint_ttl, run, kind, name, body=body)

    async def get_weights_info(self, tinker_path: str) -> models.WeightsInfoResponse:
        body = models.WeightsInfoRequest(tinker_path=tinker_path)
        call = self.mutating_call("get_weights_info")
        return await self.send_for(models.WeightsInfoResponse, call, get_weights_info, body=body)

    async def copy_weights(
        self, body: models.CopyWeightsRequest, access_token: str | None
    ) -> models.CopyWeightsResponse:
        """Sends the access token in a header, as release 0.38.0 does; it is redacted everywhere."""
        headers = {} if access_token is None else {ACCESS_TOKEN_HEADER: access_token}
        call = self.mutating_call("copy_weights", headers=headers, secret=access_token)
        return await self.send_for(models.CopyWeightsResponse, call, copy_weights, body=body)
