"""Training a LoRA adapter: requests in the order they were made, results as futures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_api import models

from tinker_ext import tracing, types
from tinker_ext.clients.batches import Batch, Operation
from tinker_ext.clients.custom_loss import (
    Arrays,
    CustomLoss,
    Gradients,
    check_arrays,
    forward_data,
    run_loss,
)
from tinker_ext.clients.reading import Body, read, reader
from tinker_ext.clients.sampling import SamplingClient, open_sampling_session
from tinker_ext.errors import APIResponseValidationError, InvalidInputError
from tinker_ext.runtime.ordered import OrderedRequests, Part, Send

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from transformers import PreTrainedTokenizerBase

    from tinker_ext.runtime.core import ClientCore
    from tinker_ext.runtime.futures import APIFuture
    from tinker_ext.transport.gateway import Gateway

Future = models.UntypedAPIFuture


class TrainingClient:
    """One model in training. Make it with `ServiceClient.create_lora_training_client`.

    Every method that trains, saves or loads returns a future at once. Requests reach the server in
    the order they were made, also from several threads; one that fails does not hold up the next.
    The `*_async` names are those of the official SDK; where they return a future, so does the
    plain name.

    Example:
        >>> step = training.forward_backward(data, "cross_entropy")
        >>> update = training.optim_step(AdamParams(learning_rate=1e-4))
        >>> step.result().metrics, update.result()
    """

    def __init__(self, core: ClientCore, model_id: str) -> None:
        self._core = core
        self._requests = OrderedRequests(core, model_id)
        self.model_id = model_id

    def forward(
        self,
        data: Sequence[types.Datum],
        loss_fn: types.LossFnType,
        loss_fn_config: dict[str, float] | None = None,
    ) -> APIFuture[types.ForwardBackwardOutput]:
        """Compute the loss and logprobs of `data` without touching gradients.

        Raises:
            InvalidInputError: at once, naming the datum and the field; nothing was sent.
        """
        return self._batch("forward", data, loss_fn, loss_fn_config)

    def forward_backward(
        self,
        data: Sequence[types.Datum],
        loss_fn: types.LossFnType,
        loss_fn_config: dict[str, float] | None = None,
    ) -> APIFuture[types.ForwardBackwardOutput]:
        """Compute the loss of `data` and add its gradients to those not yet stepped on.

        A large batch goes in several requests and comes back as one result: `loss_fn_outputs` in
        the order of `data`, metrics reduced by their suffix (`rules.metrics`).

        Raises:
            InvalidInputError: at once, naming the datum and the field; nothing was sent.
        """
        return self._batch("forward_backward", data, loss_fn, loss_fn_config)

    def forward_backward_custom(
        self,
        data: Sequence[types.Datum],
        loss_fn: CustomLoss,
        *,
        arrays: Arrays = "torch",
    ) -> APIFuture[types.ForwardBackwardOutput]:
        """As `forward_backward`, with a loss of your own over the logprobs of the targets.

        `loss_fn(data, logprobs)` gets one float32 tensor per datum, shaped like its
        `target_tokens`, and returns `(loss, metrics)`; the loss is a scalar tensor with a graph.
        With `arrays="numpy"` it gets numpy arrays and returns `(loss, gradients, metrics)`,
        one gradient of the loss per datum; torch is then not needed.

        It runs on a thread of yours, the one that waits for this or another future of this client
        (a worker thread if none waits), never on the client's event loop. Both requests it takes
        have their place in the order from the moment of the call. The result's `loss:sum` is your
        loss, next to your metrics; that of the surrogate is `surrogate_loss:sum`.

        Raises:
            InvalidInputError: at once for bad data; from the future for what `loss_fn` returned.
            ConfigurationError: torch is asked for and not installed.
        """
        check_arrays(arrays)
        with tracing.operation("forward_backward_custom", {tracing.MODEL_ID: self.model_id}):
            return self._custom(data, loss_fn, arrays)

    def _custom(
        self, data: Sequence[types.Datum], loss_fn: CustomLoss, arrays: Arrays
    ) -> APIFuture[types.ForwardBackwardOutput]:
        with tracing.stage(tracing.Stage.ENCODE):
            types.validate_data(data, loss_fn="cross_entropy")
            kept = list(data)
            logprobs = Batch.of("forward", self.model_id, forward_data(kept), "cross_entropy", None)

        def surrogate(bodies: list[Body]) -> tuple[Batch, Gradients]:
            gradients = run_loss(kept, logprobs.output(bodies), loss_fn, arrays)
            linear = gradients.linear_loss_data(kept)
            batch = Batch.of("forward_backward", self.model_id, linear, "cross_entropy", None)
            return batch, gradients

        async def run(first: int, second: int) -> tuple[Batch, Gradients, list[Body]]:
            requests = self._requests
            bodies = await requests.run("forward", first, logprobs.parts, logprobs.attributes)
            with tracing.stage(tracing.Stage.CUSTOM_LOSS):
                batch, gradients = await requests.work.run(lambda: surrogate(bodies))
            name = "forward_backward"
            return batch, gradients, await requests.run(name, second, batch.parts, batch.attributes)

        return self._requests.start_pair(run, lambda done: done[1].add_to(done[0].output(done[2])))

    def optim_step(self, adam_params: types.AdamParams) -> APIFuture[types.OptimStepResponse]:
        """Update the weights by Adam with the gradients added up, which then start from zero."""
        params = adam_params.to_api()

        def send(gateway: Gateway, seq_id: int) -> Awaitable[Future]:
            return gateway.optim_step(
                models.OptimStepRequest(adam_params=params, model_id=self.model_id, seq_id=seq_id)
            )

        finish = reader("optim_step", models.OptimStepResponse, types.OptimStepResponse.from_api)
        return self._requests.start("optim_step", [Part(send)], finish)

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

    async def forward_async(
        self,
        data: Sequence[types.Datum],
        loss_fn: types.LossFnType,
        loss_fn_config: dict[str, float] | None = None,
    ) -> APIFuture[types.ForwardBackwardOutput]:
        return self.forward(data, loss_fn, loss_fn_config)

    async def forward_backward_async(
        self,
        data: Sequence[types.Datum],
        loss_fn: types.LossFnType,
        loss_fn_config: dict[str, float] | None = None,
    ) -> APIFuture[types.ForwardBackwardOutput]:
        return self.forward_backward(data, loss_fn, loss_fn_config)

    async def forward_backward_custom_async(
        self, data: Sequence[types.Datum], loss_fn: CustomLoss, *, arrays: Arrays = "torch"
    ) -> APIFuture[types.ForwardBackwardOutput]:
        return self.forward_backward_custom(data, loss_fn, arrays=arrays)

    async def optim_step_async(
        self, adam_params: types.AdamParams
    ) -> APIFuture[types.OptimStepResponse]:
        return self.optim_step(adam_params)

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

    def __repr__(self) -> str:
        return f"<TrainingClient {self.model_id}>"

    def _batch(
        self,
        operation: Operation,
        data: Sequence[types.Datum],
        loss_fn: types.LossFnType,
        loss_fn_config: dict[str, float] | None,
    ) -> APIFuture[types.ForwardBackwardOutput]:
        with tracing.operation(operation):
            with tracing.stage(tracing.Stage.ENCODE):
                batch = Batch.of(operation, self.model_id, data, loss_fn, loss_fn_config)
            return self._requests.start(operation, batch.parts, batch.output, batch.attributes)

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
