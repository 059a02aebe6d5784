# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

T = TypeVar("T", bound="ActiveSessionStatusQuery")


@_attrs_define
class ActiveSessionStatusQuery:
    """Sessions that go on."""

    type_: Literal["active"] | Unset = "active"

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
        type_ = cast(Literal["active"] | Unset, d.pop("type", UNSET))
        if type_ != "active" and not isinstance(type_, Unset):
            raise ValueError(f"type must match const 'active', got '{type_}'")

        active_session_status_query = cls(
            type_=type_,
        )

        return active_session_status_query
