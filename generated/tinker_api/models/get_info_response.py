# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.adam_optimizer_config import AdamOptimizerConfig
    from ..models.model_data import ModelData
    from ..models.optimizer_config_base import OptimizerConfigBase


T = TypeVar("T", bound="GetInfoResponse")


@_attrs_define
class GetInfoResponse:
    """What a model is made of."""

    type_: None | str | Unset = UNSET
    model_data: Any | ModelData | None | Unset = UNSET
    """ The base model. """
    model_id: Any | None | str | Unset = UNSET
    """ The model's id. """
    optimizer_config: AdamOptimizerConfig | Any | None | OptimizerConfigBase | Unset = UNSET
    """ The kind of optimizer. """
    is_lora: bool | None | Unset = UNSET
    """ Whether it is an adapter. """
    lora_rank: int | None | Unset = UNSET
    """ Rank of the adapter. """
    model_name: None | str | Unset = UNSET
    """ Name of the base model. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.adam_optimizer_config import AdamOptimizerConfig  # noqa: PLC0415
        from ..models.model_data import ModelData  # noqa: PLC0415
        from ..models.optimizer_config_base import OptimizerConfigBase  # noqa: PLC0415

        type_: None | str | Unset = self.type_

        model_data: Any | dict[str, Any] | None | Unset
        if isinstance(self.model_data, Unset):
            model_data = UNSET
        elif isinstance(self.model_data, ModelData):
            model_data = self.model_data.to_dict()
        else:
            model_data = self.model_data

        model_id: Any | None | str | Unset = self.model_id

        optimizer_config: Any | dict[str, Any] | None | Unset
        if isinstance(self.optimizer_config, Unset):
            optimizer_config = UNSET
        elif isinstance(self.optimizer_config, OptimizerConfigBase):
            optimizer_config = self.optimizer_config.to_dict()
        elif isinstance(self.optimizer_config, AdamOptimizerConfig):
            optimizer_config = self.optimizer_config.to_dict()
        else:
            optimizer_config = self.optimizer_config

        is_lora: bool | None | Unset = self.is_lora

        lora_rank: int | None | Unset = self.lora_rank

        model_name: None | str | Unset = self.model_name

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if type_ is not UNSET:
            field_dict["type"] = type_
        if model_data is not UNSET:
            field_dict["model_data"] = model_data
        if model_id is not UNSET:
            field_dict["model_id"] = model_id
        if optimizer_config is not UNSET:
            field_dict["optimizer_config"] = optimizer_config
        if is_lora is not UNSET:
            field_dict["is_lora"] = is_lora
        if lora_rank is not UNSET:
            field_dict["lora_rank"] = lora_rank
        if model_name is not UNSET:
            field_dict["model_name"] = model_name

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.adam_optimizer_config import AdamOptimizerConfig  # noqa: PLC0415
        from ..models.model_data import ModelData  # noqa: PLC0415
        from ..models.optimizer_config_base import OptimizerConfigBase  # noqa: PLC0415

        d = dict(src_dict)

        def _parse_type_(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        type_ = _parse_type_(d.pop("type", UNSET))

        def _parse_model_data(data: object) -> Any | ModelData | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                model_data_type_0 = ModelData.from_dict(data)

                return model_data_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Any | ModelData | None | Unset, data)

        model_data = _parse_model_data(d.pop("model_data", UNSET))

        def _parse_model_id(data: object) -> Any | None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(Any | None | str | Unset, data)

        model_id = _parse_model_id(d.pop("model_id", UNSET))

        def _parse_optimizer_config(
            data: object,
        ) -> AdamOptimizerConfig | Any | None | OptimizerConfigBase | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_optimizer_config_type_0 = OptimizerConfigBase.from_dict(data)

                return componentsschemas_optimizer_config_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_optimizer_config_type_1 = AdamOptimizerConfig.from_dict(data)

                return componentsschemas_optimizer_config_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(AdamOptimizerConfig | Any | None | OptimizerConfigBase | Unset, data)

        optimizer_config = _parse_optimizer_config(d.pop("optimizer_config", UNSET))

        def _parse_is_lora(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        is_lora = _parse_is_lora(d.pop("is_lora", UNSET))

        def _parse_lora_rank(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        lora_rank = _parse_lora_rank(d.pop("lora_rank", UNSET))

        def _parse_model_name(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        model_name = _parse_model_name(d.pop("model_name", UNSET))

        get_info_response = cls(
            type_=type_,
            model_data=model_data,
            model_id=model_id,
            optimizer_config=optimizer_config,
            is_lora=is_lora,
            lora_rank=lora_rank,
            model_name=model_name,
        )

        get_info_response.additional_properties = d
        return get_info_response

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
