"""Responses that describe a server, its models and its training runs."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from attrs import evolve, field, frozen

from tinker_ext.types.display import abbreviated, table
from tinker_ext.types.inputs.params import AdamOptimizerConfig, OptimizerConfig
from tinker_ext.types.responses.checkpoints import Checkpoint, Cursor
from tinker_ext.types.structuring import (
    ResponseType,
    extension,
    or_default,
    or_none,
    read_metadata,
    required,
    structure,
)


@frozen
class SupportedModel(ResponseType):
    """A base model that the server offers. Some servers send no name.

    `max_context_length` is in tokens; `trainable` and `sampleable` are the allowed uses. Servers
    before 0.38 send none of the three.
    """

    model_name: str | None = None
    max_context_length: int | None = None
    trainable: bool | None = None
    sampleable: bool | None = None

    @classmethod
    def from_api(cls, model: Any) -> SupportedModel:
        """Decodes an entry; some servers send ``model_id`` instead of ``model_name``."""
        entry = structure(cls, model)
        if entry.model_name:
            return entry
        return evolve(
            entry, model_name=read_metadata(str, model.model_id, "SupportedModel.model_id")
        )


@frozen
class GetServerCapabilitiesResponse(ResponseType):
    """The capabilities of a server."""

    supported_models: list[SupportedModel] = field(factory=list, repr=abbreviated)


@frozen
class ModelData(ResponseType):
    """A base model's architecture, name and tokenizer; None if the server does not send them."""

    arch: str | None = None
    model_name: str | None = None
    tokenizer_id: str | None = None


@frozen
class GetInfoResponse(ResponseType):
    """A model in training.

    `lora_alpha` is the numerator of the adapter's scale, ``lora_alpha / lora_rank``. Only the
    embedded backend sends it; None if the server does not.
    """

    model_data: ModelData
    model_id: str
    is_lora: bool | None = None
    lora_rank: int | None = None
    model_name: str | None = None
    optimizer_config: OptimizerConfig = field(factory=AdamOptimizerConfig)
    type: Literal["get_info"] = "get_info"
    lora_alpha: float | None = None

    @classmethod
    def from_api(cls, model: Any) -> GetInfoResponse:
        """Decodes the response, with a field that no release documents."""
        return structure(cls, model, lora_alpha=extension(model, "lora_alpha"))


@frozen
class TrainingRun(ResponseType):
    """A training run. Times have a zone; fields are None if the server sends no valid value."""

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


@frozen
class TrainingRunsResponse(ResponseType):
    """A page of training runs."""

    training_runs: list[TrainingRun] = field(repr=abbreviated)
    cursor: Cursor = field(metadata=required())

    def _repr_html_(self) -> str:
        """The training runs as a table, for notebooks."""
        return table(
            {
                "run": run.training_run_id,
                "base model": run.base_model,
                "rank": run.lora_rank,
                "last request": run.last_request_time,
                "last checkpoint": run.last_checkpoint and run.last_checkpoint.tinker_path,
                "corrupted": "yes" if run.corrupted else None,
            }
            for run in self.training_runs
        )

    @classmethod
    def from_api(cls, model: Any) -> TrainingRunsResponse:
        """Decodes a page; a page without a cursor is the complete list."""
        if or_none(model.cursor) is not None:
            return structure(cls, model)
        count = len(or_default(model.training_runs, []))
        return structure(cls, model, cursor=Cursor(offset=0, limit=count, total_count=count))
