"""Models that go on from a saved state: in one request where the server can, in two elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_api import models
from tinker_api.types import UNSET

from tinker_ext import types
from tinker_ext.clients.hints import explaining_run_id
from tinker_ext.clients.making import DEFAULT_RANK, NewModel, SavedState, make_model
from tinker_ext.clients.reading import read
from tinker_ext.clients.training import TrainingClient
from tinker_ext.errors import NotFoundError
from tinker_ext.rules.flags import at_least
from tinker_ext.runtime.submitting import submit
from tinker_ext.types.absent import known, known_or, or_unset

if TYPE_CHECKING:
    from tinker_ext.runtime.core import ClientCore
    from tinker_ext.transport.gateway import Gateway


class _NotByLoadingError(Exception):
    """The server turned out to make models and load them in two steps."""


async def restore(core: ClientCore, state: SavedState) -> TrainingClient:
    """A client that goes on from a saved state."""
    session_id = await core.session.id()
    number = core.session.next_model_seq_id()
    if core.dialect.creates_by_load:
        try:
            return TrainingClient(core, await _made_by_load(core, state, session_id, number))
        except _NotByLoadingError:
            pass  # The number was refused with the request, so it is free.
    wish = await _saved_model(core, state)
    client = TrainingClient(core, await make_model(core, wish, number))
    await client.load_state(state.path, state.access_token, optimizer=state.wants_optimizer)
    return client


async def _made_by_load(core: ClientCore, state: SavedState, session_id: str, number: int) -> str:
    """Have the server make a model of the weights; its id."""
    wants = state.wants_optimizer
    body = models.LoadWeightsRequest(
        path=state.path,
        session_id=session_id,
        model_seq_id=number,
        base_model=or_unset(state.base_model),
        optimizer=True if wants is None else wants,
        optimizer_config=UNSET if state.optimizer is None else state.optimizer.to_api(),
        weights_access_token=or_unset(state.access_token),
    )
    if state.user_metadata:
        body.user_metadata = models.UserMetadata.from_dict(dict(state.user_metadata))

    async def send(gateway: Gateway) -> models.UntypedAPIFuture:
        if not gateway.dialect.creates_by_load:
            raise _NotByLoadingError
        return await gateway.load_weights(body)

    result = await submit(core, "load_weights", send)
    made = read("load_weights", result, models.LoadWeightsResponse, lambda one: one.model_id)
    # As release 0.38.0 names them where the server does not.
    return known(made) or f"{session_id}:train:{number}"


async def _saved_model(core: ClientCore, state: SavedState) -> NewModel:
    """A model like the one that was saved."""
    info = await _weights_info(core, state.path)
    if info is None:
        return await _model_of_run(core, state)
    return NewModel(
        base_model=state.base_model or info.base_model,
        lora=types.LoraConfig(
            rank=known_or(info.lora_rank, DEFAULT_RANK),
            train_unembed=known_or(info.train_unembed, True),
            train_mlp=known_or(info.train_mlp, True),
            train_attn=known_or(info.train_attn, True),
        ),
        user_metadata=state.user_metadata,
        optimizer=state.optimizer,
    )


async def _weights_info(core: ClientCore, path: str) -> models.WeightsInfoResponse | None:
    """What the server says of saved weights; None where it is too old to."""
    if not at_least(core.dialect.release, "0.24.1") or not core.dialect.has("get_weights_info"):
        return None
    try:
        with explaining_run_id(path):
            return await core.call(
                "get_weights_info", lambda gateway: gateway.get_weights_info(path)
            )
    except NotFoundError:
        if core.dialect.has("get_weights_info"):
            raise
        return None


async def _model_of_run(core: ClientCore, state: SavedState) -> NewModel:
    """Of the run whose state it is: release 0.4.1. Only the rank is told of its adapter."""
    with explaining_run_id(state.run_id):
        response = await core.call(
            "get_training_run", lambda gateway: gateway.get_training_run(state.run_id)
        )
    run = types.TrainingRun.from_api(response)
    return NewModel(
        base_model=state.base_model or run.base_model,
        lora=types.LoraConfig(rank=DEFAULT_RANK if run.lora_rank is None else run.lora_rank),
        user_metadata={**(run.user_metadata or {}), **(state.user_metadata or {})},
        optimizer=state.optimizer,
    )
