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

from tinker_ext.transport.operations.base import Operations, value
from tinker_ext.types.absent import known


@frozen
class WeightsOperations(Operations):
    """Weights saved and loaded by a model."""

    async def save_weights(self, body: models.SaveWeightsRequest) -> models.UntypedAPIFuture:
        sent = save_weights.asyncio_detailed(client=self.client, body=body)
        return await value(self.change("save_weights"), sent, models.UntypedAPIFuture)

    async def load_weights(self, body: models.LoadWeightsRequest) -> models.UntypedAPIFuture:
        if self.dialect.tells("load_weights", "optimizer") and body.optimizer is UNSET:
            body = evolve(body, optimizer=True)
        sent = load_weights.asyncio_detailed(client=self.client, body=body)
        call = self.change("load_weights", secret=known(body.weights_access_token))
        return await value(call, sent, models.UntypedAPIFuture)

    async def save_weights_for_sampler(
        self, body: models.SaveWeightsForSamplerRequest
    ) -> models.UntypedAPIFuture:
        sent = save_weights_for_sampler.asyncio_detailed(client=self.client, body=body)
        return await value(self.change("save_weights_for_sampler"), sent, models.UntypedAPIFuture)

    async def save_weights_external(
        self, body: models.SaveWeightsExternalRequest
    ) -> models.UntypedAPIFuture:
        sent = save_weights_external.asyncio_detailed(client=self.client, body=body)
        return await value(self.change("save_weights_external"), sent, models.UntypedAPIFuture)
