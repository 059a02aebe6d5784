"""Creates models, new or from a saved state, and registers custom losses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen
from tinker_api import models
from tinker_api.types import UNSET

from tinker_ext.clients.argument_checks import check_nonempty_str, check_str_mapping
from tinker_ext.clients.custom_loss.graph import encode_graph
from tinker_ext.clients.custom_loss.handle import LossHandle
from tinker_ext.clients.hints import check_base_model, check_path
from tinker_ext.clients.result_decoding import decode_result
from tinker_ext.errors import InvalidInputError
from tinker_ext.runtime.core import submit
from tinker_ext.transport import operations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinker_ext import types
    from tinker_ext.clients.custom_loss.tracing import TracedLoss
    from tinker_ext.runtime.core import ClientCore


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
        model_seq_id=core.session.next_model_seq_id() if model_seq_id is None else model_seq_id,
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
        custom_loss_seq_id=core.session.next_loss_seq_id(),
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
