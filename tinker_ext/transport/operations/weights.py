"""Weights of models: saved, loaded."""

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

from tinker_ext.transport.operations.base import Operations, send_for
from tinker_ext.types.unset import or_none


@frozen
class WeightsOperations(Operations):
    """Weights saved and loaded by a model."""

    async def save_weights(self, body: models.SaveWeightsRequest) -> models.UntypedAPIFuture:
        sent = save_weights.asyncio_detailed(client=self.client, body=body)
        return await send_for(self.change("save_weights"), sent, models.UntypedAPIFuture)

    async def load_weights(self, body: models.LoadWeightsRequest) -> models.UntypedAPIFuture:
        if self.dialect.sends("load_weights", "optimizer") and body.optimizer is UNSET:
            body = evolve(body, optimizer=True)
        sent = load_weights.asyncio_detailed(client=self.client, body=body)
        call = self.change("load_weights", secret=or_none(body.weights_access_token))
        return await send_for(call, sent, models.UntypedAPIFuture)

    async def save_weights_for_sampler(
        self, body: models.SaveWeightsForSamplerRequest
    ) -> models.UntypedAPIFuture:
        sent = save_weights_for_sampler.asyncio_detailed(client=self.client, body=body)
        return await send_for(
            self.change("save_weights_for_sampler"), sent, models.UntypedAPIFuture
        )

    async def save_weights_external(
        self, body: models.SaveWeightsExternalRequest
    ) -> models.UntypedAPIFuture:
        sent = save_weights_external.asyncio_detailed(client=self.client, body=body)
        return await send_for(self.change("save_weights_external"), sent, models.UntypedAPIFuture)
