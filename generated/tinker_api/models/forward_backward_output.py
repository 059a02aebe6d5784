# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.loss_fn_output import LossFnOutput
    from ..models.metrics import Metrics


T = TypeVar("T", bound="ForwardBackwardOutput")


@_attrs_define
class ForwardBackwardOutput:
    """What a pass gave."""

    loss_fn_outputs: list[LossFnOutput] | None
    """ One entry per example, in their order. """
    loss_fn_output_type: None | str | Unset = UNSET
    """ A name for the kind of the outputs. """
    metrics: Any | Metrics | None | Unset = UNSET
    """ Numbers about the pass. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.metrics import Metrics  # noqa: PLC0415

        loss_fn_outputs: list[dict[str, Any]] | None
        if isinstance(self.loss_fn_outputs, list):
            loss_fn_outputs = []
            for loss_fn_outputs_type_0_item_data in self.loss_fn_outputs:
                loss_fn_outputs_type_0_item = loss_fn_outputs_type_0_item_data.to_dict()
                loss_fn_outputs.append(loss_fn_outputs_type_0_item)

        else:
            loss_fn_outputs = self.loss_fn_outputs

        loss_fn_output_type: None | str | Unset = self.loss_fn_output_type

        metrics: Any | dict[str, Any] | None | Unset
        if isinstance(self.metrics, Unset):
            metrics = UNSET
        elif isinstance(self.metrics, Metrics):
            metrics = self.metrics.to_dict()
        else:
            metrics = self.metrics

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "loss_fn_outputs": loss_fn_outputs,
            }
        )
        if loss_fn_output_type is not UNSET:
            field_dict["loss_fn_output_type"] = loss_fn_output_type
        if metrics is not UNSET:
            field_dict["metrics"] = metrics

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.loss_fn_output import LossFnOutput  # noqa: PLC0415
        from ..models.metrics import Metrics  # noqa: PLC0415

        d = dict(src_dict)

        def _parse_loss_fn_outputs(data: object) -> list[LossFnOutput] | None:
            if data is None:
                return data
            if not isinstance(data, list):
                raise TypeError(f"loss_fn_outputs cannot be {type(data).__name__}")
            loss_fn_outputs_type_0 = []
            _loss_fn_outputs_type_0 = data
            for loss_fn_outputs_type_0_item_data in _loss_fn_outputs_type_0:
                loss_fn_outputs_type_0_item = LossFnOutput.from_dict(
                    loss_fn_outputs_type_0_item_data
                )

                loss_fn_outputs_type_0.append(loss_fn_outputs_type_0_item)

            return loss_fn_outputs_type_0

        loss_fn_outputs = _parse_loss_fn_outputs(d.pop("loss_fn_outputs"))

        def _parse_loss_fn_output_type(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        loss_fn_output_type = _parse_loss_fn_output_type(d.pop("loss_fn_output_type", UNSET))

        def _parse_metrics(data: object) -> Any | Metrics | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                metrics_type_0 = Metrics.from_dict(data)

                return metrics_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Any | Metrics | None | Unset, data)

        metrics = _parse_metrics(d.pop("metrics", UNSET))

        forward_backward_output = cls(
            loss_fn_outputs=loss_fn_outputs,
            loss_fn_output_type=loss_fn_output_type,
            metrics=metrics,
        )

        forward_backward_output.additional_properties = d
        return forward_backward_output

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
