"""Training a LoRA adapter: requests in the order they were made, results as futures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from attrs import evolve
from tinker_api import models

from tinker_ext import tracing, types
from tinker_ext.clients._training_base import TrainingClientBase
from tinker_ext.clients.batches import Batch, Operation
from tinker_ext.clients.compat import check_loss_type_input
from tinker_ext.clients.custom_loss.gradients import (
    Arrays,
    CustomLoss,
    Gradients,
    check_loss,
    forward_data,
    run_loss,
)
from tinker_ext.clients.custom_loss.handle import LossHandle
from tinker_ext.clients.result_decoding import ResultBody, result_decoder
from tinker_ext.errors import InvalidInputError
from tinker_ext.runtime.submission.ordered import ChunkRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from tinker_ext.runtime.concurrency.futures import APIFuture
    from tinker_ext.transport.gateway import Gateway

Future = models.UntypedAPIFuture


class TrainingClient(TrainingClientBase):
    """One model in training. Make it with `ServiceClient.create_lora_training_client`.

    Every method that trains, saves or loads returns a future at once. Requests reach the server in
    the order they were made, also from several threads; one that fails does not hold up the next.
    The `*_async` names are those of the official SDK; where they return a future, so does the
    plain name.

    It pickles, without the key, to be handed over: the process that unpickles it goes on with the
    next number, so the one that made it must not send more. A copy within a process is the client
    itself.

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

        Raises:
            InvalidInputError: at once, naming the datum and the field; nothing was sent.
        """
        return self._batch("forward", data, loss_fn, loss_fn_config)

    def forward_backward(
        self,
        data: Sequence[types.Datum],
        loss_fn: types.LossFnType,
        loss_fn_config: types.LossFnConfig | None = None,
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
        loss_fn: CustomLoss | LossHandle,
        *,
        arrays: Arrays = "torch",
        loss_type_input: Literal["logprobs"] | None = None,
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
        `loss_type_input` is release 0.38.0's, and says what is so anyway.

        A handle of `ServiceClient.create_custom_loss` runs on the server where that has it, as one
        request with all of the data's inputs; elsewhere here, like any function.

        Raises:
            InvalidInputError: at once for bad data, or a `loss_fn` that is no function; from the
                future for what it returned.
            ConfigurationError: torch is asked for and not installed.
        """
        check_loss_type_input(loss_type_input)
        if isinstance(loss_fn, LossHandle):
            self._check_handle(loss_fn, data, arrays)
            if loss_fn.loss_id is not None:
                return self.forward_backward(data, "custom", {"loss_id": loss_fn.loss_id})
        check_loss(loss_fn, arrays)
        with tracing.operation("forward_backward_custom", {tracing.MODEL_ID: self.model_id}):
            return self._custom(data, loss_fn, arrays)

    def _check_handle(self, loss: LossHandle, data: Sequence[types.Datum], arrays: Arrays) -> None:
        if arrays != "torch":
            raise InvalidInputError("a handle is of a torch function", where="arrays")
        if loss.session_id != self._core.session.known_id:
            raise InvalidInputError(
                f"the loss {loss.name} was made in session {loss.session_id}, and is of use to its "
                "clients alone",
                where="loss_fn",
            )
        types.validate_data(data, images=self._core.dialect.images)
        loss.check_data(data)

    def _custom(
        self, data: Sequence[types.Datum], loss_fn: CustomLoss, arrays: Arrays
    ) -> APIFuture[types.ForwardBackwardOutput]:
        with tracing.stage(tracing.Stage.ENCODE):
            types.validate_data(data, loss_fn="cross_entropy", images=self._core.dialect.images)
            kept = list(data)
            logprobs = self._linear("forward", forward_data(kept))

        def surrogate(bodies: list[ResultBody]) -> tuple[Batch, Gradients]:
            gradients = run_loss(kept, logprobs.output(bodies), loss_fn, arrays)
            batch = self._linear("forward_backward", gradients.surrogate_batch(kept))
            return batch, gradients

        async def run(first: int, second: int) -> tuple[Batch, Gradients, list[ResultBody]]:
            bodies = await self._ran(logprobs, first)
            with tracing.stage(tracing.Stage.CUSTOM_LOSS):
                batch, gradients = await self._requests.work.run(lambda: surrogate(bodies))
            return batch, gradients, await self._ran(batch, second)

        return self._requests.start_pair(
            run, lambda done: done[1].merge_into(done[0].output(done[2]))
        )

    def _linear(self, operation: Operation, data: Sequence[types.Datum]) -> Batch:
        dialect = self._core.dialect
        return Batch.of(operation, self.model_id, data, "cross_entropy", None, dialect)

    async def _ran(self, batch: Batch, ticket: int) -> list[ResultBody]:
        return await self._requests.run(
            batch.operation,
            ticket,
            batch.parts,
            batch.attributes,
            parallel=batch.parallel,
        )

    def optim_step(
        self,
        optim_params: types.OptimParams | None = None,
        *,
        adam_params: types.AdamParams | None = None,
    ) -> APIFuture[types.OptimStepResponse]:
        """Update the weights with the gradients added up, which then start from zero.

        The params are of the optimizer that the model was made with, `AdamParams` unless another
        was chosen. `adam_params` is the argument's name in release 0.4.1.
        """
        body = _step(self.model_id, optim_params, adam_params)

        def send(gateway: Gateway, seq_id: int) -> Awaitable[Future]:
            return gateway.optim_step(evolve(body, seq_id=seq_id))

        finish = result_decoder(
            "optim_step", models.OptimStepResponse, types.OptimStepResponse.from_api
        )
        return self._requests.start("optim_step", [ChunkRequest(send)], finish)

    def unload(self) -> APIFuture[types.UnloadModelResponse]:
        """Have the server drop the model's weights and optimizer state from memory.

        What was called before it is finished first; checkpoints are kept. Every later call on this
        client raises ClientClosedError, unless the server could not unload the model: release
        0.38.0 has no such operation, and ends models with their session.
        """
        model_id = self.model_id
        finish = result_decoder(
            "unload_model", models.UnloadModelResponse, types.UnloadModelResponse.from_api
        )
        return self._requests.unload(lambda gateway: gateway.unload_model(model_id), finish)

    async def unload_async(self) -> APIFuture[types.UnloadModelResponse]:
        return self.unload()

    async def forward_async(
        self,
        data: Sequence[types.Datum],
        loss_fn: types.LossFnType,
        loss_fn_config: types.LossFnConfig | None = None,
    ) -> APIFuture[types.ForwardBackwardOutput]:
        return self.forward(data, loss_fn, loss_fn_config)

    async def forward_backward_async(
        self,
        data: Sequence[types.Datum],
        loss_fn: types.LossFnType,
        loss_fn_config: types.LossFnConfig | None = None,
    ) -> APIFuture[types.ForwardBackwardOutput]:
        return self.forward_backward(data, loss_fn, loss_fn_config)

    async def forward_backward_custom_async(
        self,
        data: Sequence[types.Datum],
        loss_fn: CustomLoss | LossHandle,
        *,
        arrays: Arrays = "torch",
        loss_type_input: Literal["logprobs"] | None = None,
    ) -> APIFuture[types.ForwardBackwardOutput]:
        return self.forward_backward_custom(
            data, loss_fn, arrays=arrays, loss_type_input=loss_type_input
        )

    async def optim_step_async(
        self,
        optim_params: types.OptimParams | None = None,
        *,
        adam_params: types.AdamParams | None = None,
    ) -> APIFuture[types.OptimStepResponse]:
        return self.optim_step(optim_params, adam_params=adam_params)

    def __repr__(self) -> str:
        return f"<TrainingClient {self.model_id}>"

    def _batch(
        self,
        operation: Operation,
        data: Sequence[types.Datum],
        loss_fn: types.LossFnType,
        loss_fn_config: types.LossFnConfig | None,
    ) -> APIFuture[types.ForwardBackwardOutput]:
        with tracing.operation(operation):
            with tracing.stage(tracing.Stage.ENCODE):
                batch = Batch.of(
                    operation, self.model_id, data, loss_fn, loss_fn_config, self._core.dialect
                )
            return self._requests.start(
                operation,
                batch.parts,
                batch.output,
                batch.attributes,
                parallel=batch.parallel,
            )


#: Release 0.38.0's name of a client that is being made; here it is a future of itself.
BackcompatTrainingClientFuture: TypeAlias = TrainingClient


def _step(
    model_id: str, params: types.OptimParams | None, adam: types.AdamParams | None
) -> models.OptimStepRequest:
    given = params if adam is None else adam
    if given is None or (params is not None and adam is not None):
        raise InvalidInputError("give the params of one optimizer", where="optim_params")
    if not isinstance(given, types.OptimParams):
        raise InvalidInputError(
            f"expected AdamParams or DimuonParams, got {type(given).__name__}", where="optim_params"
        )
    if isinstance(given, types.AdamParams):
        return models.OptimStepRequest(model_id=model_id, adam_params=given.to_api())
    return models.OptimStepRequest(model_id=model_id, optimizer_params=given.to_api())
