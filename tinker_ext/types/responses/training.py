"""Responses to training calls: outputs, optimizer steps, and saved and loaded weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from attrs import field, frozen
from tinker_api import models as api

from tinker_ext.types.display import abbreviated, table
from tinker_ext.types.inputs.params import AdamOptimizerConfig, OptimizerConfig
from tinker_ext.types.records import Record
from tinker_ext.types.structuring import (
    ResponseType,
    extension,
    or_none,
    read_metadata,
    required,
    structure,
)
from tinker_ext.types.tensors.tensor_data import TensorData

LossFnOutput: TypeAlias = dict[str, TensorData]


@frozen
class ForwardBackwardOutput(Record):
    """The result of a forward or forward_backward, with one `loss_fn_outputs` entry per datum.

    `loss_fn_output_type` is ``""`` if the server sends none. `metrics` may be empty.
    """

    loss_fn_output_type: str
    loss_fn_outputs: list[LossFnOutput] = field(repr=abbreviated)
    metrics: dict[str, float] = field(factory=dict)

    def _repr_html_(self) -> str:
        """The metrics as a table, for notebooks."""
        return _metrics_table(self.metrics, f"Outputs of {len(self.loss_fn_outputs)} datums.")

    @classmethod
    def from_api(cls, model: api.ForwardBackwardOutput) -> ForwardBackwardOutput:
        """Decodes a result; missing or null lists and maps become empty.

        Raises:
            ValueError: a tensor's numbers, dtype and shape don't fit together.
        """
        kind = model.loss_fn_output_type
        if not isinstance(kind, str):
            title = "ForwardBackwardOutput.loss_fn_output_type"
            kind = read_metadata(str, kind, title) or ""
        outputs = []
        for index, output in enumerate(model.loss_fn_outputs or ()):
            where = f"loss_fn_outputs[{index}]"
            tensors = output.additional_properties.items()
            outputs.append(
                {key: TensorData.from_api(item, f"{where}[{key!r}]") for key, item in tensors}
            )
        metrics = read_metadata(dict[str, float], model.metrics, "ForwardBackwardOutput.metrics")
        return cls(kind, outputs, metrics or {})


@frozen
class OptimStepResponse(ResponseType):
    """The result of an optimizer step; `metrics` is None if the server sends none."""

    metrics: dict[str, float] | None = None

    def _repr_html_(self) -> str:
        """The metrics as a table, for notebooks."""
        return _metrics_table(self.metrics or {}, "An optimizer step.")


def _metrics_table(metrics: Mapping[str, float], caption: str) -> str:
    rows = ({"metric": name, "value": str(value)} for name, value in metrics.items())
    return table(rows, caption)


@frozen
class CreateModelResponse(ResponseType):
    """The id of a new model (a training run)."""

    model_id: str = field(metadata=required())
    type: Literal["create_model"] = "create_model"


@frozen
class UnloadModelResponse(ResponseType):
    """The id of the unloaded model."""

    model_id: str | None = None
    type: Literal["unload_model"] = "unload_model"


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


#: Aliases of ``str``, for annotations written against release 0.4.1.
ModelID = str
RequestID = str
