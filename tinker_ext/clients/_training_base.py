"""What a model in training has: weights to save, load and sample from, information, a tokenizer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tinker_ext import tracing, types
from tinker_ext.clients import weight_requests
from tinker_ext.clients._checkpointing import CheckpointingBase, sampler_of
from tinker_ext.clients.awaitable_client import resolve_client
from tinker_ext.clients.compat import check_retry_config, warn_of_unused_name
from tinker_ext.clients.sampling import SamplingClient, open_sampling_client
from tinker_ext.clients.sampling_session import open_sampling_session

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from tinker_ext.runtime.concurrency.futures import APIFuture


class TrainingClientBase(CheckpointingBase):
    """The part of `TrainingClient` that does not train. Its requests keep the same order."""

    def save_weights_and_get_sampling_client_submit(
        self,
        retry_config: None = None,
        *,
        kind: types.SamplingClientKind = "snapshot",
        record_stability_info: bool = False,
    ) -> APIFuture[SamplingClient]:
        """Save the weights for sampling, without a name; a future of a client on them."""
        check_retry_config(retry_config)
        number = self._core.session.next_sampling_seq_id()
        body = weight_requests.build_ephemeral_save(self.model_id, number, kind)
        with tracing.operation("save_weights_and_get_sampling_client"):
            parts = [weight_requests.as_chunk_request(body)]
            saved = self._requests.start("save_weights_for_sampler", parts, sampler_of)
            return self._opened(saved, record_stability_info)

    def _opened(
        self,
        saved: APIFuture[types.SaveWeightsForSamplerResponseInternal],
        record_stability_info: bool,
    ) -> APIFuture[SamplingClient]:
        async def opened() -> str:
            sampler = await saved
            if sampler.sampling_session_id is not None:
                return sampler.sampling_session_id
            return await open_sampling_session(self._core, model_path=sampler.path)

        def client(session_id: str) -> SamplingClient:
            return SamplingClient(
                self._core, session_id, record_stability_info=record_stability_info
            )

        return self._core.start(opened(), client)

    def save_weights_and_get_sampling_client(
        self,
        name: str | None = None,
        retry_config: None = None,
        record_stability_info: bool = False,
        kind: types.SamplingClientKind = "snapshot",
    ) -> SamplingClient:
        """Save the weights for sampling and return a client on them; blocks until saved.

        `name` is not used, as in the official SDK, and a warning says so: the weights live as long
        as the session. Use `save_weights_for_sampler` to keep them. `kind` "inflight" lets samples
        that are under way go on with the new weights, `record_stability_info` has the server note
        what the loss stable_reinforce needs (both release 0.38.0). Retries are bounded by settings;
        `retry_config` keeps a place of the official SDK.
        """
        check_retry_config(retry_config)
        warn_of_unused_name(name)
        saved = self.save_weights_and_get_sampling_client_submit(
            kind=kind, record_stability_info=record_stability_info
        )
        return resolve_client(saved, SamplingClient)

    def create_sampling_client(
        self,
        model_path: str,
        retry_config: None = None,
        record_stability_info: bool = False,
    ) -> SamplingClient:
        """A client that samples from saved weights; blocks until the server has opened them.

        Raises:
            InvalidInputError: `model_path` is no `tinker://` path.
            NotFoundError: the server has no such checkpoint.
        """
        check_retry_config(retry_config)
        return resolve_client(
            self._sampling_client(model_path, record_stability_info), SamplingClient
        )

    def get_info(self) -> types.GetInfoResponse:
        """What the server says of this model."""
        return self._info().result()

    def get_tokenizer(self) -> PreTrainedTokenizerBase:
        """The model's tokenizer, loaded by transformers: the server's choice first.

        Raises:
            TinkerError: it can't be loaded from where it is; the message tells what was tried.
        """
        return _tokenizer_of(self.get_info())

    async def save_weights_and_get_sampling_client_async(
        self,
        name: str | None = None,
        retry_config: None = None,
        record_stability_info: bool = False,
        kind: types.SamplingClientKind = "snapshot",
    ) -> SamplingClient:
        check_retry_config(retry_config)
        warn_of_unused_name(name)
        return await self.save_weights_and_get_sampling_client_submit(
            kind=kind, record_stability_info=record_stability_info
        )

    async def create_sampling_client_async(
        self,
        model_path: str,
        retry_config: None = None,
        record_stability_info: bool = False,
    ) -> SamplingClient:
        check_retry_config(retry_config)
        return await self._sampling_client(model_path, record_stability_info)

    async def get_info_async(self) -> types.GetInfoResponse:
        return await self._info()

    async def get_tokenizer_async(self) -> PreTrainedTokenizerBase:
        """As `get_tokenizer`, loaded on a thread."""
        return await asyncio.to_thread(_tokenizer_of, await self._info())

    def _info(self) -> APIFuture[types.GetInfoResponse]:
        with tracing.operation("get_info", {tracing.MODEL_ID: self.model_id}):
            self._requests.check_usable()
            sent = self._core.call("get_info", lambda gateway: gateway.get_info(self.model_id))
            return self._core.start(sent, types.GetInfoResponse.from_api)

    def _sampling_client(
        self, model_path: str, record_stability_info: bool
    ) -> APIFuture[SamplingClient]:
        return open_sampling_client(
            self._core, model_path=model_path, record_stability_info=record_stability_info
        )


def _tokenizer_of(info: types.GetInfoResponse) -> PreTrainedTokenizerBase:
    from tinker_ext.tokenizers import get_tokenizer

    name = info.model_data.model_name or info.model_name or ""
    return get_tokenizer(name, info.model_data.tokenizer_id)
