"""Models: made, trained, asked for what they are."""

from __future__ import annotations

import asyncio
from io import BytesIO
from typing import TYPE_CHECKING

from attrs import frozen
from tinker_api import models
from tinker_api.api.models import create_model, get_info, unload_model
from tinker_api.api.training import (
    create_custom_loss,
    forward,
    forward_backward,
    optim_step,
)
from tinker_api.types import File

from tinker_ext.transport.operations.base import Operations, send_for

if TYPE_CHECKING:
    from tinker_ext.transport.training_data import TrainingData

# How 0.38.0 names zstd (RFC 8878, section 7.2).
_COMPRESSED = {"Content-Encoding": "zstd"}


@frozen
class TrainingOperations(Operations):
    """Models and their training."""

    async def create_model(self, body: models.CreateModelRequest) -> models.UntypedAPIFuture:
        sent = create_model.asyncio_detailed(client=self.client, body=body)
        return await send_for(self.change("create_model"), sent, models.UntypedAPIFuture)

    async def get_info(self, model_id: str) -> models.GetInfoResponse:
        body = models.GetInfoRequest(model_id=model_id)
        sent = get_info.asyncio_detailed(client=self.client, body=body)
        return await send_for(self.change("get_info"), sent, models.GetInfoResponse)

    async def unload_model(self, model_id: str) -> models.UntypedAPIFuture:
        body = models.UnloadModelRequest(model_id=model_id)
        sent = unload_model.asyncio_detailed(client=self.client, body=body)
        return await send_for(self.change("unload_model"), sent, models.UntypedAPIFuture)

    async def create_custom_loss(
        self, body: models.CreateCustomLossRequest
    ) -> models.UntypedAPIFuture:
        sent = create_custom_loss.asyncio_detailed(client=self.client, body=body)
        return await send_for(self.change("create_custom_loss"), sent, models.UntypedAPIFuture)

    async def forward(
        self, data: TrainingData, model_id: str, seq_id: int
    ) -> models.UntypedAPIFuture:
        if self.dialect.forward == "flag":
            return await self.forward_backward(data, model_id, seq_id, forward_only=True)
        input_ = data.json(self.dialect)
        body = models.ForwardRequest(forward_input=input_, model_id=model_id, seq_id=seq_id)
        sent = forward.asyncio_detailed(client=self.client, body=body)
        return await send_for(self.change("forward"), sent, models.UntypedAPIFuture)

    async def forward_backward(
        self, data: TrainingData, model_id: str, seq_id: int, *, forward_only: bool = False
    ) -> models.UntypedAPIFuture:
        body: models.ForwardBackwardRequest | File
        headers = {}
        if self.dialect.training_body == "protobuf":
            compress = self.dialect.compresses
            content = await asyncio.to_thread(
                data.protobuf, model_id, seq_id, forward_only=forward_only, compress=compress
            )
            body = File(payload=BytesIO(content))
            headers = _COMPRESSED if compress else {}
        else:
            input_ = data.json(self.dialect)
            body = models.ForwardBackwardRequest(
                forward_backward_input=input_, model_id=model_id, seq_id=seq_id
            )
        sent = forward_backward.asyncio_detailed(client=self.client, body=body)
        call = self.change("forward" if forward_only else "forward_backward", headers=headers)
        return await send_for(call, sent, models.UntypedAPIFuture)

    async def optim_step(self, body: models.OptimStepRequest) -> models.UntypedAPIFuture:
        sent = optim_step.asyncio_detailed(client=self.client, body=body)
        return await send_for(self.change("optim_step"), sent, models.UntypedAPIFuture)
