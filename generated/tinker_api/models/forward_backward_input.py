# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define

from ..models.loss_fn_type_known import LossFnTypeKnown, check_loss_fn_type_known
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.datum import Datum
    from ..models.loss_fn_config import LossFnConfig


T = TypeVar("T", bound="ForwardBackwardInput")


@_attrs_define
class ForwardBackwardInput:
    """Examples and the loss to compute on them."""

    data: list[Datum]
    """ The examples. Clients send at most 128 at a time. """
    loss_fn: LossFnTypeKnown | str
    """ Loss functions by name. Values not listed may occur. """
    loss_fn_config: LossFnConfig | None | Unset = UNSET
    """ Its settings, or null. """

    def to_dict(self) -> dict[str, Any]:
        from ..models.loss_fn_config import LossFnConfig  # noqa: PLC0415

        data = []
        for data_item_data in self.data:
            data_item = data_item_data.to_dict()
            data.append(data_item)

        loss_fn: str = self.loss_fn

        loss_fn_config: dict[str, Any] | None | Unset
        if isinstance(self.loss_fn_config, Unset):
            loss_fn_config = UNSET
        elif isinstance(self.loss_fn_config, LossFnConfig):
            loss_fn_config = self.loss_fn_config.to_dict()
        else:
            loss_fn_config = self.loss_fn_config

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "data": data,
                "loss_fn": loss_fn,
            }
        )
        if loss_fn_config is not UNSET:
            field_dict["loss_fn_config"] = loss_fn_config

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.datum import Datum  # noqa: PLC0415
        from ..models.loss_fn_config import LossFnConfig  # noqa: PLC0415

        d = dict(src_dict)
        data = []
        _data = d.pop("data")
        for data_item_data in _data:
            data_item = Datum.from_dict(data_item_data)

            data.append(data_item)

        def _parse_loss_fn(data: object) -> LossFnTypeKnown | str:
            try:
                if not isinstance(data, str):
                    raise TypeError()
                componentsschemas_loss_fn_type_type_0 = check_loss_fn_type_known(data)

                return componentsschemas_loss_fn_type_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(LossFnTypeKnown | str, data)

        loss_fn = _parse_loss_fn(d.pop("loss_fn"))

        def _parse_loss_fn_config(data: object) -> LossFnConfig | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            if not isinstance(data, dict):
                raise TypeError(f"loss_fn_config cannot be {type(data).__name__}")
            loss_fn_config_type_0 = LossFnConfig.from_dict(data)

            return loss_fn_config_type_0

        loss_fn_config = _parse_loss_fn_config(d.pop("loss_fn_config", UNSET))

        forward_backward_input = cls(
            data=data,
            loss_fn=loss_fn,
            loss_fn_config=loss_fn_config,
        )

        return forward_backward_input
