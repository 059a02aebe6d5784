"""What a model in training has: weights to save, load and sample from, information, a tokenizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from tinker_api import models

from tinker_ext import tracing, types
from tinker_ext.clients.reading import Body, read, reader
from tinker_ext.clients.sampling import SamplingClient, open_sampling_session
from tinker_ext.errors import APIResponseValidationError, InvalidInputError
from tinker_ext.runtime.ordered import OrderedRequests, Part, Send
from tinker_ext.runtime.sequence import FIRST

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from transformers import PreTrainedTokenizerBase

    from tinker_ext.runtime.core import ClientCore
    from tinker_ext.runtime.futures import APIFuture
    from tinker_ext.transport.gateway import Gateway

Future = models.UntypedAPIFuture


class ModelWeights:
    """The part of `TrainingClient` that does not train. Its requests keep the same order."""

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

    def save_state(self, name: str) -> APIFuture[types.SaveWeightsResponse]:
        """Save weights and optimizer state as checkpoint `name`; the path can be resumed from."""
        _check_name(name)

        def send(gateway: Gateway, seq_id: int) -> Awaitable[Future]:
            return gateway.save_weights(
                models.SaveWeightsRequest(model_id=self.model_id, path=name, seq_id=seq_id)
            )

        finish = reader(
            "save_weights", models.SaveWeightsResponse, types.SaveWeightsResponse.from_api
        )
        return self._requests.start("save_weights", [Part(send)], finish)

    def load_state(self, path: str) -> APIFuture[types.LoadWeightsResponse]:
        """Replace weights and optimizer state by those of a checkpoint (`tinker://...`)."""
        if not path.startswith("tinker://"):
            raise InvalidInputError(f"expected a tinker:// path, got {path!r}", where="path")

        def send(gateway: Gateway, seq_id: int) -> Awaitable[Future]:
            return gateway.load_weights(
                models.LoadWeightsRequest(model_id=self.model_id, path=path, seq_id=seq_id)
            )

        finish = reader(
            "load_weights", models.LoadWeightsResponse, types.LoadWeightsResponse.from_api
        )
        return self._requests.start("load_weights", [Part(send)], finish)

    def save_weights_for_sampler(self, name: str) -> APIFuture[types.SaveWeightsForSamplerResponse]:
        """Save the weights for sampling as checkpoint `name`; sample from its path."""
        _check_name(name)

        def send(gateway: Gateway, seq_id: int) -> Awaitable[Future]:
            return gateway.save_weights_for_sampler(
                models.SaveWeightsForSamplerRequest(
                    model_id=self.model_id, path=name, seq_id=seq_id
                )
            )

        return self._requests.start(
            "save_weights_for_sampler", [Part(send)], lambda bodies: _sampler_path(bodies[0])
        )

    def save_weights_and_get_sampling_client_submit(self) -> APIFuture[SamplingClient]:
        """Save the weights for sampling, without a name; a future of a client on them."""
        seq = self._core.session.next_sampling_seq_id()

        def send(gateway: Gateway, seq_id: int) -> Awaitable[Future]:
            return gateway.save_weights_for_sampler(
                models.SaveWeightsForSamplerRequest(
                    model_id=self.model_id, seq_id=seq_id, sampling_session_seq_id=seq
                )
            )

        with tracing.operation("save_weights_and_get_sampling_client"):
            return self._saved_and_opened(send)

    def _saved_and_opened(self, send: Send) -> APIFuture[SamplingClient]:
        saved = self._requests.start("save_weights_for_sampler", [Part(send)], _sampler)

        async def opened() -> str:
            sampler = await saved
            if sampler.sampling_session_id is not None:
                return sampler.sampling_session_id
            return await open_sampling_session(self._core, model_path=sampler.path)

        return self._core.start(opened(), lambda session_id: SamplingClient(self._core, session_id))

    def save_weights_and_get_sampling_client(self, name: str | None = None) -> SamplingClient:
        """Save the weights for sampling and return a client on them; blocks until saved.

        `name` is accepted and not used, as in release 0.4.1: the weights live as long as the
        session. Use `save_weights_for_sampler` to keep them.
        """
        return self.save_weights_and_get_sampling_client_submit().result()

    def create_sampling_client(self, model_path: str) -> SamplingClient:
        """A client that samples from saved weights; blocks until the server has opened them."""
        return self._sampling_client(model_path).result()

    def get_info(self) -> types.GetInfoResponse:
        """What the server says of this model."""
        return self._info().result()

    def get_tokenizer(self) -> PreTrainedTokenizerBase:
        """The model's tokenizer, loaded by transformers: the server's choice first.

        Raises:
            TinkerError: it can't be loaded from where it is; the message tells what was tried.
        """
        from tinker_ext.tokenizers import get_tokenizer

        info = self.get_info()
        name = info.model_data.model_name or info.model_name or ""
        return get_tokenizer(name, info.model_data.tokenizer_id)

    async def save_state_async(self, name: str) -> APIFuture[types.SaveWeightsResponse]:
        return self.save_state(name)

    async def load_state_async(self, path: str) -> APIFuture[types.LoadWeightsResponse]:
        return self.load_state(path)

    async def save_weights_for_sampler_async(
        self, name: str
    ) -> APIFuture[types.SaveWeightsForSamplerResponse]:
        return self.save_weights_for_sampler(name)

    async def save_weights_and_get_sampling_client_async(
        self, name: str | None = None
    ) -> SamplingClient:
        return await self.save_weights_and_get_sampling_client_submit()

    async def create_sampling_client_async(self, model_path: str) -> SamplingClient:
        return await self._sampling_client(model_path)

    async def get_info_async(self) -> types.GetInfoResponse:
        return await self._info()

    def _info(self) -> APIFuture[types.GetInfoResponse]:
        with tracing.operation("get_info", {tracing.MODEL_ID: self.model_id}):
            sent = self._core.call("get_info", lambda gateway: gateway.get_info(self.model_id))
            return self._core.start(sent, types.GetInfoResponse.from_api)

    def _sampling_client(self, model_path: str) -> APIFuture[SamplingClient]:
        with tracing.operation("create_sampling_session", tracing.of_weights(model_path)):
            return self._core.start(
                open_sampling_session(self._core, model_path=model_path),
                lambda session_id: SamplingClient(self._core, session_id, model_path=model_path),
            )


def _sampler(bodies: list[Body]) -> types.SaveWeightsForSamplerResponseInternal:
    return read(
        "save_weights_for_sampler",
        bodies[0],
        models.SaveWeightsForSamplerResponseInternal,
        types.SaveWeightsForSamplerResponseInternal.from_api,
    )


def _sampler_path(body: Body) -> types.SaveWeightsForSamplerResponse:
    path = _sampler([body]).path
    if path is None:
        raise APIResponseValidationError(
            "the server saved the weights and did not say where",
            operation="save_weights_for_sampler",
            body=body,
        )
    return types.SaveWeightsForSamplerResponse(path=path)


def _check_name(name: str) -> None:
    if not name or "/" in name:
        raise InvalidInputError(
            f"a checkpoint's name is a word without slashes, got {name!r}", where="name"
        )
