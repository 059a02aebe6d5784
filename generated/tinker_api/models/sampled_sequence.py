# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.stop_reason_known import StopReasonKnown, check_stop_reason_known
from ..types import UNSET, Unset

T = TypeVar("T", bound="SampledSequence")


@_attrs_define
class SampledSequence:
    """One generated sequence."""

    stop_reason: StopReasonKnown | str
    """ Why a sequence ended: its length, or a stop sequence. Values not listed may occur. """
    tokens: list[int] | None
    """ The generated token ids. """
    sequence_id: str | Unset = UNSET
    """ Names the sequence in later requests. Put in by the client. """
    logprobs: list[float] | None | Unset = UNSET
    """ The natural logarithm of each token's probability when it was chosen. """
    topk_logprobs: list[Any] | None | Unset = UNSET
    """ Per generated token null, or pairs of token id and logprob. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        stop_reason: str = self.stop_reason

        tokens: list[int] | None = self.tokens

        sequence_id = self.sequence_id

        logprobs: list[float] | None | Unset = self.logprobs

        topk_logprobs: list[Any] | None | Unset = self.topk_logprobs

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "stop_reason": stop_reason,
                "tokens": tokens,
            }
        )
        if sequence_id is not UNSET:
            field_dict["sequence_id"] = sequence_id
        if logprobs is not UNSET:
            field_dict["logprobs"] = logprobs
        if topk_logprobs is not UNSET:
            field_dict["topk_logprobs"] = topk_logprobs

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)

        def _parse_stop_reason(data: object) -> StopReasonKnown | str:
            try:
                if not isinstance(data, str):
                    raise TypeError()
                componentsschemas_stop_reason_type_0 = check_stop_reason_known(data)

                return componentsschemas_stop_reason_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(StopReasonKnown | str, data)

        stop_reason = _parse_stop_reason(d.pop("stop_reason"))

        def _parse_tokens(data: object) -> list[int] | None:
            if data is None:
                return data
            if not isinstance(data, (list, memoryview)):
                raise TypeError(f"tokens cannot be {type(data).__name__}")
            tokens_type_0 = cast(list[int], data)

            return tokens_type_0

        tokens = _parse_tokens(d.pop("tokens"))

        sequence_id = d.pop("sequence_id", UNSET)

        def _parse_logprobs(data: object) -> list[float] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            if not isinstance(data, (list, memoryview)):
                raise TypeError(f"logprobs cannot be {type(data).__name__}")
            logprobs_type_0 = cast(list[float], data)

            return logprobs_type_0

        logprobs = _parse_logprobs(d.pop("logprobs", UNSET))

        def _parse_topk_logprobs(data: object) -> list[Any] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            if not isinstance(data, list):
                raise TypeError(f"topk_logprobs cannot be {type(data).__name__}")
            return data

        topk_logprobs = _parse_topk_logprobs(d.pop("topk_logprobs", UNSET))

        sampled_sequence = cls(
            stop_reason=stop_reason,
            tokens=tokens,
            sequence_id=sequence_id,
            logprobs=logprobs,
            topk_logprobs=topk_logprobs,
        )

        sampled_sequence.additional_properties = d
        return sampled_sequence

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
