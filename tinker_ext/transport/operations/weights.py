"""Saving and loading of a model's weights."""

from __future__ import annotations

from attrs import evolve, frozen
from tinker_api import models
from tinker_api.api.weights import (
    load_weights,
    save_weights,
    save_weights_external,
    save_weights_for_sampler,
)
from tinker_api.types import UNSET

from tinker_ext.transport.operations.base import Operations
from tinker_ext.types.unset import or_none


@frozen
class WeightsOperations(Operations):
    """Saving and loading of a model's weights."""

    async def save_weights(self, body: models.SaveWeightsRequest) -> models.UntypedAPIFuture:
        call = self.mutating_call("save_weights")
        return await self.send_for(models.UntypedAPIFuture, call, save_weights, body=body)

    async def load_weights(self, body: models.LoadWeightsRequest) -> models.UntypedAPIFuture:
        if self.protocol.sends("load_weights", "optimizer") and body.optimizer is UNSET:
            body = evolve(body, optimizer=True)
        call = self.mutating_call("load_weights", secret=or_none(body.weights_access_token))
        return await self.send_for(models.UntypedAPIFuture, call, load_weights, body=body)

    async def save_weights_for_sampler(
        self, body: models.SaveWeightsForSamplerRequest
    ) -> models.UntypedAPIFuture:
        call = self.mutating_call("save_weights_for_sampler")
        return await self.send_for(
            models.UntypedAPIFuture, call, save_weights_for_sampler, body=body
        )

    async def save_weights_external(
        self, body: models.SaveWeightsExternalRequest
    ) -> models.UntypedAPIFuture:
        call = self.mutating_call("save_weights_external")
        return await self.send_for(models.UntypedAPIFuture, call, save_weights_external, body=body)
