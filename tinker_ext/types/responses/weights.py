"""Responses to saving and loading weights."""

from __future__ import annotations

from typing import Any, Literal

from attrs import field, frozen

from tinker_ext.types.inputs.optimizers import AdamOptimizerConfig, OptimizerConfig
from tinker_ext.types.structuring import ResponseType, extension, required, structure
from tinker_ext.types.unset import or_none


@frozen
class SaveWeightsResponse(ResponseType):
    """The path of a saved training state."""

    path: str = field(metadata=required())
    type: Literal["save_weights"] = "save_weights"


@frozen
class LoadWeightsResponse(ResponseType):
    """The path of the loaded training state and the model it was loaded into, if sent."""

    path: str | None = None
    model_id: str | None = None
    type: Literal["load_weights"] = "load_weights"


@frozen
class SaveWeightsForSamplerResponse(ResponseType):
    """The path of weights saved for sampling."""

    path: str = field(metadata=required())
    type: Literal["save_weights_for_sampler"] = "save_weights_for_sampler"


@frozen
class SaveWeightsForSamplerResponseInternal(ResponseType):
    """The server's response to both kinds of save: a path (named) or a session (ephemeral)."""

    path: str | None = None
    sampling_session_id: str | None = None
    type: Literal["save_weights_for_sampler"] = "save_weights_for_sampler"


@frozen
class SaveWeightsExternalResponse(ResponseType):
    """The path of weights saved for use elsewhere; `size_bytes` is None if unknown."""

    path: str = field(metadata=required())
    size_bytes: int | None = None
    type: Literal["save_weights_external"] = "save_weights_external"

    @classmethod
    def from_api(cls, model: Any) -> SaveWeightsExternalResponse:
        """Decodes the generated model.

        Raises:
            ValueError: the response has no path.
        """
        path = or_none(model.path)
        if path is None:
            raise ValueError("path: the server saved the weights but returned no path")
        return structure(cls, model)


@frozen
class WeightsInfoResponse(ResponseType):
    """The base model, adapter and optimizer of saved weights.

    Fields that the server does not send are None, except that the optimizer is Adam, as in
    release 0.38.0. `lora_alpha` is the numerator of the adapter's scale, ``lora_alpha /
    lora_rank``; only the embedded backend sends it.
    """

    base_model: str
    is_lora: bool
    lora_rank: int | None = None
    train_unembed: bool | None = None
    train_mlp: bool | None = None
    train_attn: bool | None = None
    optimizer_config: OptimizerConfig = field(factory=AdamOptimizerConfig)
    lora_alpha: float | None = None

    @classmethod
    def from_api(cls, model: Any) -> WeightsInfoResponse:
        """Decodes the response, with a field that no release documents."""
        return structure(cls, model, lora_alpha=extension(model, "lora_alpha"))
