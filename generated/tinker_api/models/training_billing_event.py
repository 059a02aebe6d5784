# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar, cast

from attrs import define as _attrs_define

T = TypeVar("T", bound="TrainingBillingEvent")


@_attrs_define
class TrainingBillingEvent:
    """Tokens trained on."""

    type_: Literal["training"]
    token_count: int
    """ How many tokens. """

    def to_dict(self) -> dict[str, Any]:
        type_ = self.type_

        token_count = self.token_count

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "type": type_,
                "token_count": token_count,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        type_ = cast(Literal["training"], d.pop("type"))
        if type_ != "training":
            raise ValueError(f"type must match const 'training', got '{type_}'")

        token_count = d.pop("token_count")

        training_billing_event = cls(
            type_=type_,
            token_count=token_count,
        )

        return training_billing_event
