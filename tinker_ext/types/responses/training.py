"""What training calls answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from attrs import field, frozen

from tinker_ext.types.tensors.tensor_data import TensorData
from tinker_ext.types.unset import as_dict, or_default, or_none

if TYPE_CHECKING:
    from tinker_api import models as api

LossFnOutput: TypeAlias = dict[str, TensorData]


@frozen
class ForwardBackwardOutput:
    """The outcome of a forward or forward_backward, one `loss_fn_outputs` entry per datum.

    `loss_fn_output_type` is ``""`` where the server names none. `metrics` may be empty.
    """

    loss_fn_output_type: str
    loss_fn_outputs: list[LossFnOutput]
    metrics: dict[str, float] = field(factory=dict)

    @classmethod
    def from_api(cls, model: api.ForwardBackwardOutput) -> ForwardBackwardOutput:
        """Read a result; missing or null lists and maps become empty.

        Raises:
            ValueError: a tensor's numbers, dtype and shape don't fit together.
        """
        outputs = enumerate(or_default(model.loss_fn_outputs, []))
        return cls(
            loss_fn_output_type=or_default(model.loss_fn_output_type, ""),
            loss_fn_outputs=[_output(one, f"loss_fn_outputs[{at}]") for at, one in outputs],
            metrics=as_dict(model.metrics) or {},
        )


def _output(model: object, where: str) -> LossFnOutput:
    tensors = (as_dict(model) or {}).items()
    return {key: TensorData.from_api(value, f"{where}[{key!r}]") for key, value in tensors}


@frozen
class OptimStepResponse:
    """The outcome of an optimizer step; `metrics` is None where the server gives none."""

    metrics: dict[str, float] | None = None

    @classmethod
    def from_api(cls, model: api.OptimStepResponse) -> OptimStepResponse:
        """Read an answer."""
        return cls(metrics=as_dict(model.metrics))


@frozen
class CreateModelResponse:
    """A new model (a training run), by id."""

    model_id: str
    type: Literal["create_model"] = "create_model"

    @classmethod
    def from_api(cls, model: api.CreateModelResponse) -> CreateModelResponse:
        """Read an answer."""
        return cls(model_id=model.model_id)


@frozen
class UnloadModelResponse:
    """The model that was unloaded, by id."""

    model_id: str | None = None
    type: Literal["unload_model"] = "unload_model"

    @classmethod
    def from_api(cls, model: api.UnloadModelResponse) -> UnloadModelResponse:
        """Read an answer."""
        return cls(model_id=or_none(model.model_id))


#: Identifiers are text; the names exist for annotations written against release 0.4.1.
ModelID = str
RequestID = str
