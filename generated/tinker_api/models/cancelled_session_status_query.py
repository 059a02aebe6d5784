# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

T = TypeVar("T", bound="CancelledSessionStatusQuery")


@_attrs_define
class CancelledSessionStatusQuery:
    """Sessions that a user stopped."""

    type_: Literal["cancelled"] | Unset = "cancelled"

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
        type_ = cast(Literal["cancelled"] | Unset, d.pop("type", UNSET))
        if type_ != "cancelled" and not isinstance(type_, Unset):
            raise ValueError(f"type must match const 'cancelled', got '{type_}'")

        cancelled_session_status_query = cls(
            type_=type_,
        )

        return cancelled_session_status_query
