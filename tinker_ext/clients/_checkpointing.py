"""Saving and loading the weights of a model in training.

Fields of later releases are omitted unless they are set: servers of 0.4.1 reject unknown fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tinker_api import models
from tinker_api.types import UNSET, Unset

from tinker_ext import types
from tinker_ext.clients.argument_checks import check_path, check_str_mapping, validate_ttl
from tinker_ext.clients.client_base import AwaitableClient, OfficialMembers, async_submit
from tinker_ext.clients.result_decoding import (
    M,
    ResultBody,
    T,
    decode_result,
    misfit,
    result_decoder,
)
from tinker_ext.errors import InvalidInputError
from tinker_ext.runtime.submission.ordered import ChunkRequest, OrderedRequests
from tinker_ext.runtime.submission.sequence import FIRST
from tinker_ext.transport import operations
from tinker_ext.transport.operations import Request
from tinker_ext.types.checkpoint_path import DOT_SEGMENTS
from tinker_ext.types.structuring import or_unset

if TYPE_CHECKING:
    from tinker_ext.runtime.concurrency.futures import APIFuture
    from tinker_ext.runtime.core import ClientCore


class CheckpointingBase(OfficialMembers, AwaitableClient):
    """The checkpoint methods of `TrainingClient`, and its identity when copied or pickled."""

    def __init__(self, core: ClientCore, model_id: str, first_number: int = FIRST) -> None:
        self._core = core
        self._requests = OrderedRequests(core, model_id, first_number)
        self.model_id = model_id

    def _guaranteed_model_id(self) -> str:
        """`model_id`, under the name that programs for the official SDK use."""
        return self.model_id

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

        Servers of release 0.38.0 delete it after `ttl_seconds` (the hosted service accepts one
        hour to ten years), replace a checkpoint of the same name with `overwrite`, and store
        `user_metadata` with it. All three are sent only if they are given.
        """
        body = models.SaveWeightsRequest(
            model_id=self.model_id,
            path=_validate_name(name),
            ttl_seconds=or_unset(validate_ttl(ttl_seconds)),
            overwrite=overwrite or UNSET,
            user_metadata=_metadata(user_metadata),
        )
        return self._submit(
            operations.save_weights(body=body),
            models.SaveWeightsResponse,
            types.SaveWeightsResponse.from_api,
        )

    save_state_async = async_submit(save_state)

    def load_state(
        self, path: str, weights_access_token: str | None = None, *, optimizer: bool | None = None
    ) -> APIFuture[types.LoadWeightsResponse]:
        """Replace weights and optimizer state with those of a checkpoint.

        `path` is any path that the server returned. The hosted service and SkyRL accept a load only
        as the first request of a model; `create_training_client_from_state` works with all servers.

        As in release 0.4.1, the optimizer state is loaded with the weights; the `optimizer` field
        is sent only to servers that require it. In the official SDK since 0.24.1 this method loads
        the weights alone, which is `optimizer=False` here; `True` is sent to every server.
        `weights_access_token` is for a checkpoint of another account.
        """
        check_path(path, "path", "create_lora_training_client")
        body = models.LoadWeightsRequest(
            model_id=self.model_id,
            path=path,
            optimizer=or_unset(optimizer),
            weights_access_token=or_unset(weights_access_token),
        )
        return self._submit(
            operations.load_weights(body=body).with_secret(weights_access_token),
            models.LoadWeightsResponse,
            types.LoadWeightsResponse.from_api,
        )

    load_state_async = async_submit(load_state)

    def load_state_with_optimizer(
        self, path: str, weights_access_token: str | None = None
    ) -> APIFuture[types.LoadWeightsResponse]:
        """As `load_state` with `optimizer=True`."""
        return self.load_state(path, weights_access_token, optimizer=True)

    load_state_with_optimizer_async = async_submit(load_state_with_optimizer)

    def save_weights_for_sampler(
        self, name: str, ttl_seconds: int | None = None, user_metadata: dict[str, str] | None = None
    ) -> APIFuture[types.SaveWeightsForSamplerResponse]:
        """Save the weights for sampling as checkpoint `name`; sample from its path.

        `ttl_seconds` and `user_metadata` are those of `save_state`.
        """
        body = models.SaveWeightsForSamplerRequest(
            model_id=self.model_id,
            path=_validate_name(name),
            ttl_seconds=or_unset(validate_ttl(ttl_seconds)),
            user_metadata=_metadata(user_metadata),
        )
        request = ChunkRequest(operations.save_weights_for_sampler(body=body))
        return self._requests.start([request], _sampler_path)

    save_weights_for_sampler_async = async_submit(save_weights_for_sampler)

    def save_weights_external(
        self,
        name: str,
        ttl_seconds: int | None = None,
        age_encryption_recipients: list[str] | None = None,
    ) -> APIFuture[types.SaveWeightsExternalResponse]:
        """Export the weights as checkpoint `name`, for use outside the service (release 0.38.0).

        `RestClient.get_external_weights_urls` returns the URLs of its files. They are encrypted
        for `age_encryption_recipients` (age public keys), if any.
        """
        recipients = age_encryption_recipients
        body = models.SaveWeightsExternalRequest(
            model_id=self.model_id,
            path=_validate_name(name),
            ttl_seconds=or_unset(validate_ttl(ttl_seconds)),
            age_encryption_recipients=UNSET if recipients is None else list(recipients),
        )
        return self._submit(
            operations.save_weights_external(body=body),
            models.SaveWeightsExternalResponseInternal,
            types.SaveWeightsExternalResponse.from_api,
        )

    save_weights_external_async = async_submit(save_weights_external)

    def _submit(
        self,
        request: Request[models.UntypedAPIFuture],
        model: type[M],
        convert: Callable[[M], T],
        usage: tuple[str, int] | None = None,
    ) -> APIFuture[T]:
        """Send a request in order; `usage` is that of its `ChunkRequest`."""
        finish = result_decoder(request.operation.name, model, convert)
        return self._requests.start([ChunkRequest(request, usage=usage)], finish)


def decode_sampler_weights(bodies: list[ResultBody]) -> types.SaveWeightsForSamplerResponseInternal:
    """Weights saved for sampling: their path, or the sampling session that has loaded them."""
    return decode_result(
        "save_weights_for_sampler",
        bodies[0],
        models.SaveWeightsForSamplerResponseInternal,
        types.SaveWeightsForSamplerResponseInternal.from_api,
    )


def _sampler_path(bodies: list[ResultBody]) -> types.SaveWeightsForSamplerResponse:
    path = decode_sampler_weights(bodies).path
    if path is None:
        message = "the server saved the weights but returned no path"
        raise misfit("save_weights_for_sampler", bodies[0], message)
    return types.SaveWeightsForSamplerResponse(path=path)


def _metadata(metadata: Mapping[str, str] | None) -> models.TextMetadata | Unset:
    if metadata is None:
        return UNSET
    check_str_mapping(metadata, "user_metadata")
    return models.TextMetadata.from_dict(dict(metadata))


def _validate_name(name: object) -> str:
    if not isinstance(name, str) or not name or "/" in name:
        raise InvalidInputError(
            f"expected a non-empty str without slashes, got {name!r}", where="name"
        )
    if name in DOT_SEGMENTS:
        raise InvalidInputError(
            f"{name!r} can't be part of a path; choose another name", where="name"
        )
    return name
