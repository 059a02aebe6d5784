"""What saving and loading weights answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import field, frozen

from tinker_ext.types.inputs.optimizers import AdamOptimizerConfig, OptimizerConfig
from tinker_ext.types.unset import or_none

if TYPE_CHECKING:
    from tinker_api import models as api


@frozen
class SaveWeightsResponse:
    """Where the training state was saved."""

    path: str
    type: Literal["save_weights"] = "save_weights"

    @classmethod
    def from_api(cls, model: api.SaveWeightsResponse) -> SaveWeightsResponse:
        """Read an answer."""
        return cls(path=model.path)


@frozen
class LoadWeightsResponse:
    """Where the training state was loaded from, and into which model, if the server says."""

    path: str | None = None
    model_id: str | None = None
    type: Literal["load_weights"] = "load_weights"

    @classmethod
    def from_api(cls, model: api.LoadWeightsResponse) -> LoadWeightsResponse:
        """Read an answer."""
        return cls(path=or_none(model.path), model_id=or_none(model.model_id))


@frozen
class SaveWeightsForSamplerResponse:
    """Where weights for sampling were saved."""

    path: str
    type: Literal["save_weights_for_sampler"] = "save_weights_for_sampler"

    @classmethod
    def from_api(cls, model: api.SaveWeightsForSamplerResponse) -> SaveWeightsForSamplerResponse:
        """Read an answer."""
        return cls(path=model.path)


@frozen
class SaveWeightsForSamplerResponseInternal:
    """What a server answers to either kind of save: a path (named) or a session (ephemeral)."""

    path: str | None = None
    sampling_session_id: str | None = None
    type: Literal["save_weights_for_sampler"] = "save_weights_for_sampler"

    @classmethod
    def from_api(
        cls, model: api.SaveWeightsForSamplerResponseInternal
    ) -> SaveWeightsForSamplerResponseInternal:
        """Read an answer."""
        return cls(path=or_none(model.path), sampling_session_id=or_none(model.sampling_session_id))


@frozen
class SaveWeightsExternalResponse:
    """Where weights for use elsewhere were saved; `size_bytes` is None where unknown."""

    path: str
    size_bytes: int | None = None
    type: Literal["save_weights_external"] = "save_weights_external"

    @classmethod
    def from_api(
        cls, model: api.SaveWeightsExternalResponseInternal
    ) -> SaveWeightsExternalResponse:
        """Read an answer; ValueError where it names no path."""
        path = or_none(model.path)
        if path is None:
            raise ValueError("the server saved the weights and did not say where")
        return cls(path=path, size_bytes=or_none(model.size_bytes))


@frozen
class WeightsInfoResponse:
    """What saved weights are of, and the optimizer they were trained with.

    What a server leaves out is None; the optimizer is then Adam, as in release 0.38.0.
    """

    base_model: str
    is_lora: bool
    lora_rank: int | None = None
    train_unembed: bool | None = None
    train_mlp: bool | None = None
    train_attn: bool | None = None
    optimizer_config: OptimizerConfig = field(factory=AdamOptimizerConfig)

    @classmethod
    def from_api(cls, model: api.WeightsInfoResponse) -> WeightsInfoResponse:
        """Read an answer."""
        return cls(
            base_model=model.base_model,
            is_lora=model.is_lora,
            lora_rank=or_none(model.lora_rank),
            train_unembed=or_none(model.train_unembed),
            train_mlp=or_none(model.train_mlp),
            train_attn=or_none(model.train_attn),
            optimizer_config=OptimizerConfig.from_api(model.optimizer_config),
        )
