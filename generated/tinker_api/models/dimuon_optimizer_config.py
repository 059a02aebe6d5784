# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

T = TypeVar("T", bound="DimuonOptimizerConfig")


@_attrs_define
class DimuonOptimizerConfig:
    """The optimizer Dimuon."""

    type_: Literal["dimuon"] | Unset = "dimuon"
    version: Literal[1] | Unset = 1
    """ Which form of it. """

    def to_dict(self) -> dict[str, Any]:
        type_ = self.type_

        version = self.version

        field_dict: dict[str, Any] = {}

        field_dict.update({})
        if type_ is not UNSET:
            field_dict["type"] = type_
        if version is not UNSET:
            field_dict["version"] = version

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        type_ = cast(Literal["dimuon"] | Unset, d.pop("type", UNSET))
        if type_ != "dimuon" and not isinstance(type_, Unset):
            raise ValueError(f"type must match const 'dimuon', got '{type_}'")

        version = cast(Literal[1] | Unset, d.pop("version", UNSET))
        if version != 1 and not isinstance(version, Unset):
            raise ValueError(f"version must match const 1, got '{version}'")

        dimuon_optimizer_config = cls(
            type_=type_,
            version=version,
        )

        return dimuon_optimizer_config
