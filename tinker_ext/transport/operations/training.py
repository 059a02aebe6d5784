"""Creation and training of models."""

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

from tinker_ext.transport.operations.base import Operations

if TYPE_CHECKING:
    from tinker_ext.transport.training_data import TrainingData

# zstd (RFC 8878, section 7.2), as 0.38.0 sends it.
_COMPRESSED = {"Content-Encoding": "zstd"}


@frozen
class TrainingOperations(Operations):
    """Models and their training."""

    async def create_model(self, body: models.CreateModelRequest) -> models.UntypedAPIFuture:
        call = self.mutating_call("create_model")
        return await self.send_for(models.UntypedAPIFuture, call, create_model, body=body)

    async def get_info(self, model_id: str) -> models.GetInfoResponse:
        body = models.GetInfoRequest(model_id=model_id)
        call = self.mutating_call("get_info")
        return await self.send_for(models.GetInfoResponse, call, get_info, body=body)

    async def unload_model(self, model_id: str) -> models.UntypedAPIFuture:
        body = models.UnloadModelRequest(model_id=model_id)
        call = self.mutating_call("unload_model")
        return await self.send_for(models.UntypedAPIFuture, call, unload_model, body=body)

    async def create_custom_loss(
        self, body: models.CreateCustomLossRequest
    ) -> models.UntypedAPIFuture:
        call = self.mutating_call("create_custom_loss")
        return await self.send_for(models.UntypedAPIFuture, call, create_custom_loss, body=body)

    async def forward(
        self, data: TrainingData, model_id: str, seq_id: int
    ) -> models.UntypedAPIFuture:
        if self.protocol.forward == "flag":
            return await self.forward_backward(data, model_id, seq_id, forward_only=True)
        body = models.ForwardRequest(
            forward_input=data.json(self.protocol), model_id=model_id, seq_id=seq_id
        )
        call = self.mutating_call("forward")
        return await self.send_for(models.UntypedAPIFuture, call, forward, body=body)

    async def forward_backward(
        self, data: TrainingData, model_id: str, seq_id: int, *, forward_only: bool = False
    ) -> models.UntypedAPIFuture:
        body: models.ForwardBackwardRequest | File
        headers = {}
        if forward_only or self.protocol.training_body == "protobuf":
            compress = self.protocol.compresses
            content = await asyncio.to_thread(
                data.protobuf, model_id, seq_id, forward_only=forward_only, compress=compress
            )
            body = File(payload=BytesIO(content))
            headers = _COMPRESSED if compress else {}
        else:
            body = models.ForwardBackwardRequest(
                forward_backward_input=data.json(self.protocol), model_id=model_id, seq_id=seq_id
            )
        operation = "forward" if forward_only else "forward_backward"
        call = self.mutating_call(operation, headers=headers)
        return await self.send_for(models.UntypedAPIFuture, call, forward_backward, body=body)

    async def optim_step(self, body: models.OptimStepRequest) -> models.UntypedAPIFuture:
        call = self.mutating_call("optim_step")
        return await self.send_for(models.UntypedAPIFuture, call, optim_step, body=body)
