"""Training a LoRA adapter: requests sent in order, results returned as futures."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from tinker_api import models
from tinker_api.types import UNSET

from tinker_ext import tracing, types
from tinker_ext.clients._checkpointing import CheckpointingBase, decode_sampler_weights
from tinker_ext.clients.batches import (
    INPUT_KEYS,
    LOSSES,
    Batch,
    Operation,
    misspelled_names,
    warn_of_misspelled_keys,
)
from tinker_ext.clients.client_base import async_result, async_submit, page_url, resolve_client
from tinker_ext.clients.custom_loss import (
    Arrays,
    CustomLoss,
    Gradients,
    LossHandle,
    check_loss,
    forward_data,
    run_loss,
)
from tinker_ext.clients.result_decoding import ResultBody, result_decoder
from tinker_ext.clients.retry_config import RetryConfig, check_retry_config
from tinker_ext.clients.sampling import SamplingClient, open_sampling_client
from tinker_ext.clients.sampling_session import open_sampling_session
from tinker_ext.errors import InvalidInputError, TinkerError
from tinker_ext.runtime.concurrency.futures import APIFuture
from tinker_ext.runtime.submission.ordered import ChunkRequest
from tinker_ext.transport import operations
from tinker_ext.usage import Usage

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class TrainingClient(CheckpointingBase):
    """Trains one model. Create it with `ServiceClient.create_lora_training_client`.

    Every method that trains, saves or loads returns a future at once. Requests reach the server in
    the order of the calls, also if several threads make them; a failed request does not block the
    next one. The `*_async` names are those of the official SDK; if the plain method returns a
    future, so does its `*_async` form.

    The client can be pickled, without the API key, to hand it over to another process. That
    process continues with the next sequence number, so the original must send no more requests.
    Copying the client within a process returns the same object.

    Example:
        >>> step = training.forward_backward(data, "cross_entropy")
        >>> update = training.optim_step(AdamParams(learning_rate=1e-4))
        >>> step.result().metrics, update.result()
    """

    def forward(
        self,
        data: Sequence[types.Datum],
        loss_fn: types.LossFnType,
        loss_fn_config: types.LossFnConfig | None = None,
    ) -> APIFuture[types.ForwardBackwardOutput]:
        """Compute the loss and logprobs of `data` without touching gradients.

        The losses and their inputs are those of `forward_backward`.

        Raises:
            InvalidInputError: at once, naming the datum and the field; nothing was sent.
        """
        try:
            return self._batch("forward", data, loss_fn, loss_fn_config)
        except TinkerError as error:
            error.__traceback__ = None  # It then ends at the caller's line.
            raise

    forward_async = async_submit(forward)

    def forward_backward(
        self,
        data: Sequence[types.Datum],
        loss_fn: types.LossFnType,
        loss_fn_config: types.LossFnConfig | None = None,
    ) -> APIFuture[types.ForwardBackwardOutput]:
        """Compute the loss of `data` and accumulate its gradients until the next `optim_step`.

        A large batch is sent as several requests and returned as one result: `loss_fn_outputs` in
        the order of `data`, metrics reduced according to their suffix (`rules.outputs`).

        A datum of N tokens has int64 `target_tokens` of shape (N,), and float32 inputs of the same
        shape. p is the model's logprob of a target, q that in `logprobs`, A that in `advantages`,
        and ratio is exp(p - q). Losses are sums over all tokens:

        - "cross_entropy": -weights * p. `weights` are optional.
        - "importance_sampling": -ratio * A. Reads `logprobs` and `advantages`, as the next four.
        - "ppo": -min(ratio * A, clip(ratio) * A). Config: `clip_low_threshold` (0.8) and
          `clip_high_threshold` (1.2).
        - "cispo": -clip(ratio) * p * A, without a gradient of the clipped ratio. Config as "ppo".
        - "gspo": as "ppo", with the geometric mean of the ratios for which
          `sequence_ratio_mask` is not 0; default thresholds 1 - 3e-4 and 1 + 4e-4.
        - "dro": -(p * A - beta / 2 * (p - q)**2). Config: `beta` (0.05).
        - "stable_reinforce": weights * (-p * A + kl_coeff / 2 * (p - q)**2), with q and weights as
          the server recorded them (`Datum.with_provenance`). Config: `kl_coeff` (0.05).
        - "kl_divergence": weights * exp(q) * (q - p). `weights` are optional.

        "cross_entropy" and "kl_divergence" also accept inputs of shape (N, K), K targets per token.
        Defaults and unpublished formulas are those of the embedded backend; docs/losses.md lists
        the metrics, and the servers that have each loss.

        Raises:
            InvalidInputError: at once, naming the datum and the field; nothing was sent.
        """
        try:
            return self._batch("forward_backward", data, loss_fn, loss_fn_config)
        except TinkerError as error:
            error.__traceback__ = None
            raise

    forward_backward_async = async_submit(forward_backward)

    def forward_backward_custom(
        self,
        data: Sequence[types.Datum],
        loss_fn: CustomLoss | LossHandle,
        *,
        arrays: Arrays = "torch",
        loss_type_input: Literal["logprobs"] | None = None,
    ) -> APIFuture[types.ForwardBackwardOutput]:
        """As `forward_backward`, with your own loss over the logprobs of the target tokens.

        `loss_fn(data, logprobs)` receives one float32 tensor per datum, shaped like its
        `target_tokens`, and returns `(loss, metrics)`; the loss is a scalar tensor with a graph.
        With `arrays="numpy"` it receives numpy arrays and returns `(loss, gradients, metrics)`,
        with one gradient of the loss per datum; torch is then not needed.

        The function runs on the thread that waits for this or another future of this client (on a
        worker thread if none waits), never on the client's event loop. Both of its requests take
        their place in the order at the moment of the call. The result's `loss:sum` is your loss,
        next to your metrics; the surrogate's loss is `surrogate_loss:sum`. `loss_type_input` is an
        argument of release 0.38.0, which accepts only this client's behaviour.

        A handle from `ServiceClient.create_custom_loss` runs on the server if the server supports
        it, as one request with all inputs of the data; otherwise here, like any function.

        Raises:
            InvalidInputError: at once for invalid data or a `loss_fn` that is not callable; from
                the future for an invalid return value of `loss_fn`.
            ConfigurationError: torch is required and not installed.
        """
        _check_loss_type_input(loss_type_input)
        if isinstance(loss_fn, LossHandle):
            self._check_handle(loss_fn, data, arrays)
            if loss_fn.loss_id is not None:
                return self.forward_backward(data, "custom", {"loss_id": loss_fn.loss_id})
        check_loss(loss_fn, arrays)
        with tracing.operation("forward_backward_custom", {tracing.MODEL_ID: self.model_id}):
            return self._custom(data, loss_fn, arrays)

    forward_backward_custom_async = async_submit(forward_backward_custom)

    def optim_step(
        self,
        optim_params: types.OptimParams | None = None,
        *,
        adam_params: types.AdamParams | None = None,
    ) -> APIFuture[types.OptimStepResponse]:
        """Update the weights with the accumulated gradients and reset the gradients to zero.

        The params must match the optimizer that the model was created with: `AdamParams`, unless
        another one was chosen. `adam_params` is the argument's name in release 0.4.1.
        """
        body = _optim_step_request(self.model_id, optim_params, adam_params)
        return self._submit(
            operations.optim_step(body=body),
            models.OptimStepResponse,
            types.OptimStepResponse.from_api,
            usage=("optim_steps", 1),
        )

    optim_step_async = async_submit(optim_step)

    def unload(self) -> APIFuture[types.UnloadModelResponse]:
        """Unload the model's weights and optimizer state from the server's memory.

        Earlier requests are finished first; checkpoints are kept. Every later call on this client
        raises ClientClosedError, unless the server could not unload the model: release 0.38.0 has
        no such operation and ends models with their session.
        """
        body = models.UnloadModelRequest(model_id=self.model_id)
        finish = result_decoder(
            "unload_model", models.UnloadModelResponse, types.UnloadModelResponse.from_api
        )
        return self._requests.unload(operations.unload_model(body=body), finish)

    unload_async = async_submit(unload)

    def save_weights_and_get_sampling_client_submit(
        self,
        retry_config: RetryConfig | None = None,
        *,
        kind: types.SamplingClientKind = "snapshot",
        record_stability_info: bool = False,
    ) -> APIFuture[SamplingClient]:
        """Save the weights for sampling, without a name; the future's result samples from them."""
        check_retry_config(retry_config)
        if kind not in get_args(types.SamplingClientKind):
            raise InvalidInputError(
                f"expected 'snapshot' or 'inflight', got {kind!r}", where="kind"
            )
        body = models.SaveWeightsForSamplerRequest(
            model_id=self.model_id,
            sampling_session_seq_id=next(self._core.session.sampling_seq_ids),
            kind=UNSET if kind == "snapshot" else kind,
        )
        request = ChunkRequest(operations.save_weights_for_sampler(body=body))
        with tracing.operation("save_weights_and_get_sampling_client"):
            saved = self._requests.start([request], decode_sampler_weights)

            async def open_session() -> str:
                weights = await saved
                if weights.sampling_session_id is not None:
                    return weights.sampling_session_id
                return await open_sampling_session(self._core, model_path=weights.path)

            def client(session_id: str) -> SamplingClient:
                return SamplingClient(
                    self._core,
                    session_id,
                    record_stability_info=record_stability_info,
                    retry_config=retry_config,
                )

            return self._core.start(open_session(), client)

    def save_weights_and_get_sampling_client(
        self,
        name: str | None = None,
        retry_config: RetryConfig | None = None,
        record_stability_info: bool = False,
        kind: types.SamplingClientKind = "snapshot",
    ) -> SamplingClient:
        """Save the weights for sampling and return a client for them; blocks until saved.

        `name` is ignored with a warning, as the official SDK ignores it: the weights exist as long
        as the session. Use `save_weights_for_sampler` to keep them. With `kind` "inflight", samples
        already in progress continue with the new weights; `record_stability_info` makes the server
        record the data that the loss stable_reinforce needs (both release 0.38.0). `retry_config`
        limits and retries the samples of the returned client.
        """
        _warn_of_unused_name(name)
        saved = self.save_weights_and_get_sampling_client_submit(
            retry_config, kind=kind, record_stability_info=record_stability_info
        )
        return resolve_client(saved, SamplingClient)

    async def save_weights_and_get_sampling_client_async(
        self,
        name: str | None = None,
        retry_config: RetryConfig | None = None,
        record_stability_info: bool = False,
        kind: types.SamplingClientKind = "snapshot",
    ) -> SamplingClient:
        """As `save_weights_and_get_sampling_client`, awaited."""
        _warn_of_unused_name(name)
        return await self.save_weights_and_get_sampling_client_submit(
            retry_config, kind=kind, record_stability_info=record_stability_info
        )

    def create_sampling_client(
        self,
        model_path: str,
        retry_config: RetryConfig | None = None,
        record_stability_info: bool = False,
    ) -> SamplingClient:
        """A client that samples from saved weights; blocks until the server has loaded them.

        Raises:
            InvalidInputError: `model_path` is not a path.
            NotFoundError: the server has no such checkpoint.
        """
        opened = open_sampling_client(
            self._core,
            model_path=model_path,
            record_stability_info=record_stability_info,
            retry_config=retry_config,
        )
        return resolve_client(opened, SamplingClient)

    create_sampling_client_async = async_result(create_sampling_client)

    def usage(self) -> Usage:
        """The tokens that this client has trained, and its updates, once their results arrived.

        `Usage.cost` is the cost for a price; `tinker_ext.usage` estimates it before a run.
        """
        return self._requests.usage.read()

    def get_console_url(self) -> str:
        """The page of the training run in the console of the hosted service.

        Other servers have no console; there it is the address of the run's record in the API.
        """
        return page_url(self._core, f"training_runs/{self.model_id}")

    def get_info(self) -> types.GetInfoResponse:
        """The server's information about this model."""
        return self._info().result()

    async def get_info_async(self) -> types.GetInfoResponse:
        """As `get_info`, awaited."""
        return await self._info()

    def get_tokenizer(self) -> PreTrainedTokenizerBase:
        """The model's tokenizer, loaded by transformers: the server's choice first.

        Raises:
            TinkerError: it could not be loaded; the message lists the sources that were tried.
        """
        return _tokenizer_of(self.get_info())

    async def get_tokenizer_async(self) -> PreTrainedTokenizerBase:
        """As `get_tokenizer`, loaded on a worker thread."""
        return await asyncio.to_thread(_tokenizer_of, await self._info())

    def __repr__(self) -> str:
        return f"<TrainingClient {self.model_id}>"

    def _info(self) -> APIFuture[types.GetInfoResponse]:
        with tracing.operation("get_info", {tracing.MODEL_ID: self.model_id}):
            self._requests.check_usable()
            body = models.GetInfoRequest(model_id=self.model_id)
            response = self._core.call(operations.get_info(body=body))
            return self._core.start(response, types.GetInfoResponse.from_api)

    def _batch(
        self,
        operation: Operation,
        data: Sequence[types.Datum],
        loss_fn: types.LossFnType,
        loss_fn_config: types.LossFnConfig | None,
    ) -> APIFuture[types.ForwardBackwardOutput]:
        with tracing.operation(operation) as traced:
            with tracing.stage(tracing.Stage.ENCODE):
                batch = Batch.encode(
                    operation, self.model_id, data, loss_fn, loss_fn_config, self._core.protocol
                )
            for datum in data:
                if not datum.loss_fn_inputs.keys() <= INPUT_KEYS:
                    warn_of_misspelled_keys(datum.loss_fn_inputs)
                    break
            known = loss_fn in LOSSES and not batch.config
            hint = None if known else misspelled_names(loss_fn, batch.config)
            return self._requests.start(
                batch.parts,
                batch.output,
                batch.attributes,
                parallel=batch.parallel,
                traced=traced,
                hint=hint,
            )

    def _check_handle(self, loss: LossHandle, data: Sequence[types.Datum], arrays: Arrays) -> None:
        if arrays != "torch":
            raise InvalidInputError("a LossHandle requires arrays='torch'", where="arrays")
        if loss.session_id != self._core.session.known_id:
            raise InvalidInputError(
                f"the loss {loss.name} belongs to session {loss.session_id}; create it again with "
                "the ServiceClient of this training client",
                where="loss_fn",
            )
        types.validate_data(data, images=self._core.protocol.images_of("forward_backward"))
        loss.check_data(data)

    def _custom(
        self, data: Sequence[types.Datum], loss_fn: CustomLoss, arrays: Arrays
    ) -> APIFuture[types.ForwardBackwardOutput]:
        with tracing.stage(tracing.Stage.ENCODE):
            images = self._core.protocol.images_of("forward")
            types.validate_data(data, loss_fn="cross_entropy", images=images)
            datums = list(data)
            logprobs = self._cross_entropy("forward", forward_data(datums))

        def surrogate(bodies: list[ResultBody]) -> tuple[Batch, Gradients]:
            gradients = run_loss(datums, logprobs.output(bodies), loss_fn, arrays)
            batch = self._cross_entropy("forward_backward", gradients.surrogate_batch(datums))
            return batch, gradients

        async def run(first: int, second: int) -> tuple[Batch, Gradients, list[ResultBody]]:
            bodies = await self._run(logprobs, first)
            with tracing.stage(tracing.Stage.CUSTOM_LOSS):
                batch, gradients = await self._requests.work.run(lambda: surrogate(bodies), second)
            return batch, gradients, await self._run(batch, second)

        return self._requests.start_pair(
            run, lambda done: done[1].merge_into(done[0].output(done[2]))
        )

    def _cross_entropy(self, operation: Operation, data: Sequence[types.Datum]) -> Batch:
        protocol = self._core.protocol
        return Batch.encode(operation, self.model_id, data, "cross_entropy", None, protocol)

    async def _run(self, batch: Batch, ticket: int) -> list[ResultBody]:
        return await self._requests.run(
            ticket, batch.parts, batch.attributes, parallel=batch.parallel
        )


#: Release 0.38.0's name of a client that is still being created; here the client is a future.
BackcompatTrainingClientFuture: TypeAlias = TrainingClient


def _tokenizer_of(info: types.GetInfoResponse) -> PreTrainedTokenizerBase:
    from tinker_ext.tokenizers import get_tokenizer

    name = info.model_data.model_name or info.model_name or ""
    return get_tokenizer(name, info.model_data.tokenizer_id)


def _optim_step_request(
    model_id: str, optim_params: types.OptimParams | None, adam_params: types.AdamParams | None
) -> models.OptimStepRequest:
    params = optim_params if adam_params is None else adam_params
    if params is None or (optim_params is not None and adam_params is not None):
        raise InvalidInputError("pass either optim_params or adam_params", where="optim_params")
    if not isinstance(params, types.OptimParams):
        raise InvalidInputError(
            f"expected AdamParams or DimuonParams, got {type(params).__name__}",
            where="optim_params",
        )
    if isinstance(params, types.AdamParams):
        return models.OptimStepRequest(model_id=model_id, adam_params=params.to_api())
    return models.OptimStepRequest(model_id=model_id, optimizer_params=params.to_api())


def _warn_of_unused_name(name: str | None) -> None:
    """Warn that `name` is ignored, as both releases of the official SDK do."""
    if name is not None:
        warnings.warn(
            f"save_weights_and_get_sampling_client ignores the name {name!r}: its weights exist "
            "as long as the session. Use save_weights_for_sampler to keep them under a name",
            UserWarning,
            stacklevel=3,
        )


def _check_loss_type_input(loss_type_input: Literal["logprobs"] | None) -> None:
    """Reject any input of a custom loss but logprobs, as release 0.38.0 does.

    Raises:
        InvalidInputError: it is neither None nor "logprobs".
    """
    if loss_type_input not in (None, "logprobs"):
        raise InvalidInputError(
            f"expected 'logprobs', the only input of a loss, got {loss_type_input!r}",
            where="loss_type_input",
        )
