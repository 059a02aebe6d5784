# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar, cast

from attrs import define as _attrs_define

T = TypeVar("T", bound="SamplingPrefillBillingEvent")


@_attrs_define
class SamplingPrefillBillingEvent:
    """Tokens of prompts."""

    type_: Literal["sampling_prefill"]
    cached: bool
    """ Whether they were in the cache. """
    token_count: int
    """ How many tokens. """

    def to_dict(self) -> dict[str, Any]:
        type_ = self.type_

        cached = self.cached

        token_count = self.token_count

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "type": type_,
                "cached": cached,
                "token_count": token_count,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        type_ = cast(Literal["sampling_prefill"], d.pop("type"))
        if type_ != "sampling_prefill":
            raise ValueError(f"type must match const 'sampling_prefill', got '{type_}'")

        cached = d.pop("cached")

        token_count = d.pop("token_count")

        sampling_prefill_billing_event = cls(
            type_=type_,
            cached=cached,
            token_count=token_count,
        )

        return sampling_prefill_billing_event
