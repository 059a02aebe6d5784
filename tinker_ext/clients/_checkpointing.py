"""Weights of a model in training: saved, and loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from tinker_api import models

from tinker_ext import types
from tinker_ext.clients import weight_requests
from tinker_ext.clients.awaitable_client import AwaitableClient
from tinker_ext.clients.result_decoding import ResultBody, decode_result, misfit, result_decoder
from tinker_ext.runtime.submission.ordered import OrderedRequests
from tinker_ext.runtime.submission.sequence import FIRST

if TYPE_CHECKING:
    from tinker_ext.runtime.concurrency.futures import APIFuture
    from tinker_ext.runtime.core import ClientCore


class CheckpointingBase(AwaitableClient):
    """The part of `TrainingClient` that saves and loads. Its requests keep the same order."""

    def __init__(self, core: ClientCore, model_id: str, first_number: int = FIRST) -> None:
        self._core = core
        self._requests = OrderedRequests(core, model_id, first_number)
        self.model_id = model_id

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._core, self.model_id, self._requests.next_number)

    def save_state(
        self,
        name: str,
        ttl_seconds: int | None = None,
        overwrite: bool = False,
        user_metadata: dict[str, str] | None = None,
    ) -> APIFuture[types.SaveWeightsResponse]:
        """Save weights and optimizer state as checkpoint `name`; the path can be resumed from.

        Servers of release 0.38.0 forget it after `ttl_seconds` (the hosted one takes an hour to
        ten years), replace one of the same name with `overwrite`, and keep `user_metadata` with
        it. All three are sent only where they are given.
        """
        body = weight_requests.build_save(
            self.model_id, name, ttl_seconds, overwrite, user_metadata
        )
        finish = result_decoder(
            "save_weights", models.SaveWeightsResponse, types.SaveWeightsResponse.from_api
        )
        return self._requests.start(
            "save_weights", [weight_requests.as_chunk_request(body)], finish
        )

    def load_state(
        self,
        path: str,
        weights_access_token: str | None = None,
        *,
        optimizer: bool | None = None,
    ) -> APIFuture[types.LoadWeightsResponse]:
        """Replace weights and optimizer state by those of a checkpoint (`tinker://...`).

        As in release 0.4.1, where the optimizer's state comes back with the weights and nothing
        is said of it; a server that wants to be told is told so. In the official SDK of 0.24.1
        and later this name loads the weights alone, which is `optimizer=False` here; `True` says
        it to every server. `weights_access_token` is for a checkpoint of another account.
        """
        body = weight_requests.build_load(self.model_id, path, optimizer, weights_access_token)
        finish = result_decoder(
            "load_weights", models.LoadWeightsResponse, types.LoadWeightsResponse.from_api
        )
        return self._requests.start(
            "load_weights", [weight_requests.as_chunk_request(body)], finish
        )

    def load_state_with_optimizer(
        self, path: str, weights_access_token: str | None = None
    ) -> APIFuture[types.LoadWeightsResponse]:
        """Replace weights and optimizer state by those of a checkpoint, and say so."""
        return self.load_state(path, weights_access_token, optimizer=True)

    def save_weights_for_sampler(
        self,
        name: str,
        ttl_seconds: int | None = None,
        user_metadata: dict[str, str] | None = None,
    ) -> APIFuture[types.SaveWeightsForSamplerResponse]:
        """Save the weights for sampling as checkpoint `name`; sample from its path.

        `ttl_seconds` and `user_metadata` as for `save_state`.
        """
        body = weight_requests.build_save_for_sampler(
            self.model_id, name, ttl_seconds, user_metadata
        )
        return self._requests.start(
            "save_weights_for_sampler",
            [weight_requests.as_chunk_request(body)],
            lambda found: _sampler_path(found[0]),
        )

    def save_weights_external(
        self,
        name: str,
        ttl_seconds: int | None = None,
        age_encryption_recipients: list[str] | None = None,
    ) -> APIFuture[types.SaveWeightsExternalResponse]:
        """Save the weights for use elsewhere as checkpoint `name` (release 0.38.0).

        `RestClient.get_external_weights_urls` says where to fetch its files. They are encrypted
        for `age_encryption_recipients` (public keys of age), if any.
        """
        body = weight_requests.build_external_save(
            self.model_id, name, ttl_seconds, age_encryption_recipients
        )
        finish = result_decoder(
            "save_weights_external",
            models.SaveWeightsExternalResponseInternal,
            types.SaveWeightsExternalResponse.from_api,
        )
        return self._requests.start(
            "save_weights_external", [weight_requests.as_chunk_request(body)], finish
        )

    async def save_state_async(
        self,
        name: str,
        ttl_seconds: int | None = None,
        overwrite: bool = False,
        user_metadata: dict[str, str] | None = None,
    ) -> APIFuture[types.SaveWeightsResponse]:
        return self.save_state(name, ttl_seconds, overwrite, user_metadata)

    async def load_state_async(
        self, path: str, weights_access_token: str | None = None, *, optimizer: bool | None = None
    ) -> APIFuture[types.LoadWeightsResponse]:
        return self.load_state(path, weights_access_token, optimizer=optimizer)

    async def load_state_with_optimizer_async(
        self, path: str, weights_access_token: str | None = None
    ) -> APIFuture[types.LoadWeightsResponse]:
        return self.load_state_with_optimizer(path, weights_access_token)

    async def save_weights_for_sampler_async(
        self,
        name: str,
        ttl_seconds: int | None = None,
        user_metadata: dict[str, str] | None = None,
    ) -> APIFuture[types.SaveWeightsForSamplerResponse]:
        return self.save_weights_for_sampler(name, ttl_seconds, user_metadata)

    async def save_weights_external_async(
        self,
        name: str,
        ttl_seconds: int | None = None,
        age_encryption_recipients: list[str] | None = None,
    ) -> APIFuture[types.SaveWeightsExternalResponse]:
        return self.save_weights_external(name, ttl_seconds, age_encryption_recipients)


def sampler_of(bodies: list[ResultBody]) -> types.SaveWeightsForSamplerResponseInternal:
    """Where weights for sampling are: under a path, or ready in a session."""
    return decode_result(
        "save_weights_for_sampler",
        bodies[0],
        models.SaveWeightsForSamplerResponseInternal,
        types.SaveWeightsForSamplerResponseInternal.from_api,
    )


def _sampler_path(body: ResultBody) -> types.SaveWeightsForSamplerResponse:
    path = sampler_of([body]).path
    if path is None:
        raise misfit(
            "save_weights_for_sampler", body, "the server saved the weights and did not say where"
        )
    return types.SaveWeightsForSamplerResponse(path=path)
