# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

T = TypeVar("T", bound="AdamOptimizerConfig")


@_attrs_define
class AdamOptimizerConfig:
    """The optimizer Adam, with decoupled weight decay."""

    type_: Literal["adamw"] | Unset = "adamw"

    def to_dict(self) -> dict[str, Any]:
        type_ = self.type_

        field_dict: dict[str, Any] = {}

        field_dict.update({})
        if type_ is not UNSET:
            field_dict["type"] = type_

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        type_ = cast(Literal["adamw"] | Unset, d.pop("type", UNSET))
        if type_ != "adamw" and not isinstance(type_, Unset):
            raise ValueError(f"type must match const 'adamw', got '{type_}'")

        adam_optimizer_config = cls(
            type_=type_,
        )

        return adam_optimizer_config
