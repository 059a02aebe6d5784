"""Creates models, new or from a saved state, and registers custom losses."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from attrs import evolve, field, frozen
from tinker_api import models
from tinker_api.types import UNSET

from tinker_ext import types
from tinker_ext.clients.argument_checks import (
    check_base_model,
    check_nonempty_str,
    check_path,
    check_str_mapping,
)
from tinker_ext.clients.checkpoint_lookup import find_run_id, run_id_hint
from tinker_ext.clients.custom_loss import LossHandle
from tinker_ext.clients.loss_tracing import TracedLoss, encode_graph
from tinker_ext.clients.result_decoding import decode_result, require_base_model
from tinker_ext.clients.service import DEFAULT_RANK
from tinker_ext.clients.training import TrainingClient
from tinker_ext.errors import InvalidInputError, NotFoundError, TinkerError
from tinker_ext.protocol.server_protocol import ServerProtocol, at_least
from tinker_ext.runtime.core import ClientCore, submit
from tinker_ext.tracing import log
from tinker_ext.transport import operations
from tinker_ext.transport.operations import Request
from tinker_ext.types.structuring import or_default, or_none, or_unset

# Timeouts in seconds for releasing what a failed or complete call leaves on the server: normally,
# and after a cancellation.
CLEANUP_TIMEOUT, HASTY_CLEANUP_TIMEOUT = 30.0, 1.5
ADVICE = "; pass base_model to create the client"


@frozen(kw_only=True)
class ModelSpec:
    """A model to create. An `optimizer` of None is Adam, the default of every server."""

    base_model: str
    lora: types.LoraConfig
    user_metadata: Mapping[str, str] | None = None
    optimizer: types.OptimizerConfig | None = None

    def __attrs_post_init__(self) -> None:
        check_nonempty_str(self.base_model, "base_model")
        check_base_model(self.base_model, "create_training_client_from_state")
        if self.user_metadata is not None:
            check_str_mapping(self.user_metadata, "user_metadata")


@frozen(kw_only=True)
class ResumeSpec:
    """A saved state to resume from.

    `base_model` replaces the base model of the saved run. `with_optimizer` restores the optimizer
    state or leaves it out; None leaves the choice to the server. `optimizer` is a different
    optimizer to continue with.
    """

    path: str
    base_model: str | None = None
    user_metadata: Mapping[str, str] | None = None
    access_token: str | None = field(default=None, repr=False)
    optimizer: types.OptimizerConfig | None = None
    with_optimizer: bool | None = None

    @property
    def wants_optimizer(self) -> bool | None:
        """Whether to restore the optimizer state, which a different `optimizer` cannot use."""
        return self.with_optimizer if self.optimizer is None else False

    def __attrs_post_init__(self) -> None:
        check_path(self.path, "tinker_path", "create_lora_training_client")
        if self.base_model is not None:
            check_nonempty_str(self.base_model, "base_model")
            check_base_model(self.base_model, "the first argument")
        if self.user_metadata is not None:
            check_str_mapping(self.user_metadata, "user_metadata")


def resume_spec(
    path: str,
    base_model: str | dict[str, str] | None,
    user_metadata: dict[str, str] | None,
    **options: Any,
) -> ResumeSpec:
    """The state to resume from; in release 0.4.1 the metadata was the second argument."""
    if isinstance(base_model, dict):
        if user_metadata is not None:
            raise InvalidInputError(
                "expected the name of a base model, got a dict; pass the metadata as user_metadata "
                "only",
                where="base_model",
            )
        base_model, user_metadata = None, base_model
    return ResumeSpec(path=path, base_model=base_model, user_metadata=user_metadata, **options)


async def create_model(core: ClientCore, spec: ModelSpec, model_seq_id: int | None = None) -> str:
    """Create a model on the server; returns its id.

    `model_seq_id` defaults to the session's next number.
    """
    session_id = await core.session.id()
    body = models.CreateModelRequest(
        session_id=session_id,
        model_seq_id=next(core.session.model_seq_ids) if model_seq_id is None else model_seq_id,
        base_model=spec.base_model,
        lora_config=spec.lora.to_api(),
        optimizer_config=UNSET if spec.optimizer is None else spec.optimizer.to_api(),
    )
    if spec.user_metadata:
        body.user_metadata = models.UserMetadata.from_dict(dict(spec.user_metadata))
    result = await submit(core, operations.create_model(body=body))
    return decode_result(
        "create_model", result, models.CreateModelResponse, lambda response: response.model_id
    )


async def register_loss(core: ClientCore, traced: TracedLoss) -> LossHandle:
    """Create a handle for a traced loss; a server that runs losses itself receives the loss."""
    handle = LossHandle(traced.name, traced.inputs, await core.session.id(), traced.graph)
    flags = core.protocol.flags
    if flags is None or not flags.custom_loss_server_side:
        return handle
    body = models.CreateCustomLossRequest(
        session_id=handle.session_id,
        custom_loss_seq_id=next(core.session.loss_seq_ids),
        name=traced.name,
        inputs=[parameter.to_api() for parameter in traced.inputs],
        graph=encode_graph(traced),
    )
    name = "create_custom_loss"
    result = await submit(core, operations.create_custom_loss(body=body))
    loss_id = decode_result(
        name, result, models.CreateCustomLossResponse, lambda response: response.loss_id
    )
    return evolve(handle, loss_id=loss_id)


class LoadCreateUnsupportedError(Exception):
    """The server cannot create a model and load its weights in one request."""


async def resume_from_state(core: ClientCore, state: ResumeSpec) -> TrainingClient:
    """Create a client that resumes from a saved state."""
    session_id = await core.session.id()
    seq_id = next(core.session.model_seq_ids)
    if core.protocol.loads_into_new_model:
        try:
            return TrainingClient(core, await _create_by_loading(core, state, session_id, seq_id))
        except LoadCreateUnsupportedError:
            pass  # The rejected request did not use the number, so it is free.
    spec = await _spec_of_saved_model(core, state)
    client = TrainingClient(core, await create_model(core, spec, seq_id))
    try:
        await client.load_state(state.path, state.access_token, optimizer=state.wants_optimizer)
    except BaseException:
        await unload_unused(client)
        raise
    return client


async def unload_unused(client: TrainingClient) -> None:
    """Unload a model that the caller has no client of. An error is only logged.

    A server without this operation unloads the model when the session ends.
    """
    task = asyncio.current_task()
    cancelled = task is not None and task.cancelling() > 0
    try:
        async with asyncio.timeout(HASTY_CLEANUP_TIMEOUT if cancelled else CLEANUP_TIMEOUT):
            await client.unload()
    except (TinkerError, TimeoutError) as error:
        log.info("model %s was not unloaded: %s", client.model_id, str(error) or "timeout")


async def _create_by_loading(
    core: ClientCore, state: ResumeSpec, session_id: str, seq_id: int
) -> str:
    """Create a model from the saved weights; returns its id."""
    optimizer = state.wants_optimizer
    body = models.LoadWeightsRequest(
        path=state.path,
        session_id=session_id,
        model_seq_id=seq_id,
        base_model=or_unset(state.base_model),
        optimizer=True if optimizer is None else optimizer,
        optimizer_config=UNSET if state.optimizer is None else state.optimizer.to_api(),
        weights_access_token=or_unset(state.access_token),
    )
    if state.user_metadata:
        body.user_metadata = models.UserMetadata.from_dict(dict(state.user_metadata))

    request = _LoadIntoNewModel(operations.load_weights, keywords={"body": body})
    result = await submit(core, request.with_secret(state.access_token))
    model_id = decode_result(
        "load_weights", result, models.LoadWeightsResponse, lambda response: response.model_id
    )
    # The id that release 0.38.0 assumes if the response has none.
    return or_none(model_id) or f"{session_id}:train:{seq_id}"


class _LoadIntoNewModel(Request[models.UntypedAPIFuture]):
    def build(self, protocol: ServerProtocol) -> dict[str, Any]:
        if not protocol.loads_into_new_model:
            raise LoadCreateUnsupportedError
        return super().build(protocol)


async def _spec_of_saved_model(core: ClientCore, state: ResumeSpec) -> ModelSpec:
    """The spec of a model like the saved one."""
    was_missing = not core.protocol.supports("get_weights_info")
    response = await _weights_info(core, state.path)
    if response is None:
        try:
            return await _spec_of_run(core, state)
        except (NotFoundError, InvalidInputError):
            if not was_missing:
                raise
        # An earlier 404 may have been about a path, not about the operation.
        response = await core.call(
            operations.get_weights_info(body=models.WeightsInfoRequest(tinker_path=state.path))
        )
    info = types.WeightsInfoResponse.from_api(response)
    return ModelSpec(
        base_model=state.base_model
        or require_base_model(info.base_model, "get_weights_info", ADVICE),
        lora=types.LoraConfig(
            rank=or_default(info.lora_rank, DEFAULT_RANK),
            train_unembed=or_default(info.train_unembed, True),
            train_mlp=or_default(info.train_mlp, True),
            train_attn=or_default(info.train_attn, True),
        ),
        user_metadata=state.user_metadata,
        optimizer=state.optimizer,
    )


async def _weights_info(core: ClientCore, path: str) -> models.WeightsInfoResponse | None:
    """The server's description of saved weights; None if it is too old to have one."""
    if not at_least(core.protocol.release, "0.24.1") or not core.protocol.supports(
        "get_weights_info"
    ):
        return None
    try:
        with run_id_hint(path):
            body = models.WeightsInfoRequest(tinker_path=path)
            return await core.call(operations.get_weights_info(body=body))
    except NotFoundError:
        if core.protocol.supports("get_weights_info"):
            raise
        return None


async def _spec_of_run(core: ClientCore, state: ResumeSpec) -> ModelSpec:
    """The spec of the saved run, as release 0.4.1 returns it: of the adapter only the rank."""
    run_id = await find_run_id(core, state.path)
    with run_id_hint(run_id):
        response = await core.call(operations.get_training_run(run_id))
    run = types.TrainingRun.from_api(response)
    return ModelSpec(
        base_model=state.base_model
        or require_base_model(run.base_model, "get_training_run", ADVICE),
        lora=types.LoraConfig(rank=DEFAULT_RANK if run.lora_rank is None else run.lora_rank),
        user_metadata={**(run.user_metadata or {}), **(state.user_metadata or {})},
        optimizer=state.optimizer,
    )
