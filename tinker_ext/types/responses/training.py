"""Responses to training calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from attrs import field, frozen
from tinker_api import models as api

from tinker_ext.types.display import abbreviated, table
from tinker_ext.types.records import Record
from tinker_ext.types.structuring import ResponseType, read_metadata, required
from tinker_ext.types.tensors.tensor_data import TensorData
from tinker_ext.types.unset import as_dict, or_default

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
        outputs = enumerate(or_default(model.loss_fn_outputs, []))
        return cls(
            loss_fn_output_type=read_metadata(
                str, model.loss_fn_output_type, "ForwardBackwardOutput.loss_fn_output_type"
            )
            or "",
            loss_fn_outputs=[
                _decode_output(output, f"loss_fn_outputs[{index}]") for index, output in outputs
            ],
            metrics=read_metadata(dict[str, float], model.metrics, "ForwardBackwardOutput.metrics")
            or {},
        )


def _decode_output(model: object, where: str) -> LossFnOutput:
    tensors = (as_dict(model) or {}).items()
    return {key: TensorData.from_api(tensor, f"{where}[{key!r}]") for key, tensor in tensors}


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


#: Aliases of ``str``, for annotations written against release 0.4.1.
ModelID = str
RequestID = str
