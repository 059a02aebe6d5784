# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

T = TypeVar("T", bound="TopkPromptLogprobs")


@_attrs_define
class TopkPromptLogprobs:
    """The likeliest tokens per position as two tables. Client side; on the wire in protobuf only."""

    token_ids: list[Any]
    """ Token ids, one row per position. """
    logprobs: list[Any]
    """ Their logprobs; -99999 with token 0 for nothing. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        token_ids = self.token_ids

        logprobs = self.logprobs

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "token_ids": token_ids,
                "logprobs": logprobs,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        token_ids = cast(list[Any], d.pop("token_ids"))

        logprobs = cast(list[Any], d.pop("logprobs"))

        topk_prompt_logprobs = cls(
            token_ids=token_ids,
            logprobs=logprobs,
        )

        topk_prompt_logprobs.additional_properties = d
        return topk_prompt_logprobs

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
