"""What a server says of itself, its models and its training runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import field, frozen

from tinker_ext.types.inputs.optimizers import AdamOptimizerConfig, OptimizerConfig
from tinker_ext.types.responses.checkpoints import Checkpoint, Cursor
from tinker_ext.types.unset import as_dict, as_utc, or_default, or_none

if TYPE_CHECKING:
    from datetime import datetime

    from tinker_api import models as api
    from tinker_api.types import Unset


@frozen
class SupportedModel:
    """A base model the server offers. Some servers leave the name out.

    `max_context_length` is in tokens; `trainable` and `sampleable` say what it can be used for.
    Servers before 0.38 say nothing of the three.
    """

    model_name: str | None = None
    max_context_length: int | None = None
    trainable: bool | None = None
    sampleable: bool | None = None

    @classmethod
    def from_api(cls, model: api.SupportedModel) -> SupportedModel:
        """Read an entry; a server that writes ``model_id`` instead of ``model_name`` is read."""
        return cls(
            model_name=or_none(model.model_name) or or_none(model.model_id),
            max_context_length=or_none(model.max_context_length),
            trainable=or_none(model.trainable),
            sampleable=or_none(model.sampleable),
        )


@frozen
class GetServerCapabilitiesResponse:
    """What the server can do."""

    supported_models: list[SupportedModel] = field(factory=list)

    @classmethod
    def from_api(cls, model: api.GetServerCapabilitiesResponse) -> GetServerCapabilitiesResponse:
        """Read an answer; a missing list becomes empty."""
        return cls([SupportedModel.from_api(one) for one in or_default(model.supported_models, [])])


@frozen
class ModelData:
    """A base model's architecture, name and tokenizer, as far as the server says."""

    arch: str | None = None
    model_name: str | None = None
    tokenizer_id: str | None = None

    @classmethod
    def from_api(cls, model: api.ModelData) -> ModelData:
        """Read an entry."""
        return cls(or_none(model.arch), or_none(model.model_name), or_none(model.tokenizer_id))


@frozen
class GetInfoResponse:
    """What a model in training is."""

    model_data: ModelData
    model_id: str
    is_lora: bool | None = None
    lora_rank: int | None = None
    model_name: str | None = None
    optimizer_config: OptimizerConfig = field(factory=AdamOptimizerConfig)
    type: Literal["get_info"] = "get_info"

    @classmethod
    def from_api(cls, model: api.GetInfoResponse) -> GetInfoResponse:
        """Read an answer."""
        return cls(
            model_data=ModelData.from_api(model.model_data),
            model_id=model.model_id,
            is_lora=or_none(model.is_lora),
            lora_rank=or_none(model.lora_rank),
            model_name=or_none(model.model_name),
            optimizer_config=OptimizerConfig.from_api(model.optimizer_config),
        )


@frozen
class TrainingRun:
    """A training run's record. Times have a zone."""

    training_run_id: str
    base_model: str
    model_owner: str
    is_lora: bool
    last_request_time: datetime
    corrupted: bool = False
    lora_rank: int | None = None
    last_checkpoint: Checkpoint | None = None
    last_sampler_checkpoint: Checkpoint | None = None
    user_metadata: dict[str, str] | None = None

    @classmethod
    def from_api(cls, model: api.TrainingRun) -> TrainingRun:
        """Read a record."""
        return cls(
            training_run_id=model.training_run_id,
            base_model=model.base_model,
            model_owner=model.model_owner,
            is_lora=model.is_lora,
            last_request_time=as_utc(model.last_request_time),
            corrupted=or_default(model.corrupted, False),
            lora_rank=or_none(model.lora_rank),
            last_checkpoint=_checkpoint(model.last_checkpoint),
            last_sampler_checkpoint=_checkpoint(model.last_sampler_checkpoint),
            user_metadata=as_dict(model.user_metadata),
        )


def _checkpoint(model: api.Checkpoint | Unset | None) -> Checkpoint | None:
    found = or_none(model)
    return None if found is None else Checkpoint.from_api(found)


@frozen
class TrainingRunsResponse:
    """A page of training runs."""

    training_runs: list[TrainingRun]
    cursor: Cursor

    @classmethod
    def from_api(cls, model: api.TrainingRunsResponse) -> TrainingRunsResponse:
        """Read a page; without a cursor the page is taken for the whole list."""
        runs = [TrainingRun.from_api(one) for one in or_default(model.training_runs, [])]
        cursor = or_none(model.cursor)
        whole = Cursor(offset=0, limit=len(runs), total_count=len(runs))
        return cls(runs, whole if cursor is None else Cursor.from_api(cursor))
