# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.adam_optimizer_config import AdamOptimizerConfig
    from ..models.optimizer_config_base import OptimizerConfigBase


T = TypeVar("T", bound="WeightsInfoResponse")


@_attrs_define
class WeightsInfoResponse:
    """What saved weights are made of."""

    base_model: None | str | Unset = UNSET
    """ Name of the base model. """
    optimizer_config: AdamOptimizerConfig | Any | None | OptimizerConfigBase | Unset = UNSET
    """ The kind of optimizer. """
    is_lora: bool | None | Unset = UNSET
    """ Whether they are an adapter. """
    lora_rank: int | None | Unset = UNSET
    """ Rank of the adapter. """
    train_unembed: bool | None | Unset = UNSET
    """ Whether the output layer has an adapter. """
    train_mlp: bool | None | Unset = UNSET
    """ Whether the feed-forward layers have adapters. """
    train_attn: bool | None | Unset = UNSET
    """ Whether the attention layers have adapters. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.adam_optimizer_config import AdamOptimizerConfig  # noqa: PLC0415
        from ..models.optimizer_config_base import OptimizerConfigBase  # noqa: PLC0415

        base_model: None | str | Unset = self.base_model

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

        train_unembed: bool | None | Unset = self.train_unembed

        train_mlp: bool | None | Unset = self.train_mlp

        train_attn: bool | None | Unset = self.train_attn

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if base_model is not UNSET:
            field_dict["base_model"] = base_model
        if optimizer_config is not UNSET:
            field_dict["optimizer_config"] = optimizer_config
        if is_lora is not UNSET:
            field_dict["is_lora"] = is_lora
        if lora_rank is not UNSET:
            field_dict["lora_rank"] = lora_rank
        if train_unembed is not UNSET:
            field_dict["train_unembed"] = train_unembed
        if train_mlp is not UNSET:
            field_dict["train_mlp"] = train_mlp
        if train_attn is not UNSET:
            field_dict["train_attn"] = train_attn

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.adam_optimizer_config import AdamOptimizerConfig  # noqa: PLC0415
        from ..models.optimizer_config_base import OptimizerConfigBase  # noqa: PLC0415

        d = dict(src_dict)

        def _parse_base_model(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        base_model = _parse_base_model(d.pop("base_model", UNSET))

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

        def _parse_train_unembed(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        train_unembed = _parse_train_unembed(d.pop("train_unembed", UNSET))

        def _parse_train_mlp(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        train_mlp = _parse_train_mlp(d.pop("train_mlp", UNSET))

        def _parse_train_attn(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        train_attn = _parse_train_attn(d.pop("train_attn", UNSET))

        weights_info_response = cls(
            base_model=base_model,
            optimizer_config=optimizer_config,
            is_lora=is_lora,
            lora_rank=lora_rank,
            train_unembed=train_unembed,
            train_mlp=train_mlp,
            train_attn=train_attn,
        )

        weights_info_response.additional_properties = d
        return weights_info_response

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
