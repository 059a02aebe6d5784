# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

T = TypeVar("T", bound="UserSearchOwner")


@_attrs_define
class UserSearchOwner:
    """The sessions of some users."""

    owner_urns: list[str]
    """ The users. """
    type_: Literal["user"] | Unset = "user"

    def to_dict(self) -> dict[str, Any]:
        owner_urns = self.owner_urns

        type_ = self.type_

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "owner_urns": owner_urns,
            }
        )
        if type_ is not UNSET:
            field_dict["type"] = type_

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        owner_urns = cast(list[str], d.pop("owner_urns"))

        type_ = cast(Literal["user"] | Unset, d.pop("type", UNSET))
        if type_ != "user" and not isinstance(type_, Unset):
            raise ValueError(f"type must match const 'user', got '{type_}'")

        user_search_owner = cls(
            owner_urns=owner_urns,
            type_=type_,
        )

        return user_search_owner
