# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.prompt_alt_tokens import PromptAltTokens
    from ..models.sampled_sequence import SampledSequence
    from ..models.tensor_data import TensorData


T = TypeVar("T", bound="SampleResponse")


@_attrs_define
class SampleResponse:
    """The generated sequences and the scores."""

    sequences: list[SampledSequence] | None
    """ The generated sequences. """
    prompt_logprobs: list[Any] | None | Unset = UNSET
    """ Natural logarithms of the probabilities of the prompt's tokens; null where there is none, as for the first.
    """
    topk_prompt_logprobs: list[Any] | None | Unset = UNSET
    """ Per position of the prompt null, or pairs of token id and logprob. """
    target_prompt_logprobs: None | TensorData | Unset = UNSET
    """ Logprobs of the token ids asked for, in the same shape. """
    prompt_cache_hit_tokens: int | Unset = UNSET
    """ How many tokens of the prompt the server had already read. """
    prompt_alt_tokens: None | PromptAltTokens | Unset = UNSET
    """ The other tokens drawn, if asked for. """
    type_: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.prompt_alt_tokens import PromptAltTokens  # noqa: PLC0415
        from ..models.tensor_data import TensorData  # noqa: PLC0415

        sequences: list[dict[str, Any]] | None
        if isinstance(self.sequences, list):
            sequences = []
            for sequences_type_0_item_data in self.sequences:
                sequences_type_0_item = sequences_type_0_item_data.to_dict()
                sequences.append(sequences_type_0_item)

        else:
            sequences = self.sequences

        prompt_logprobs: list[Any] | None | Unset = self.prompt_logprobs

        topk_prompt_logprobs: list[Any] | None | Unset = self.topk_prompt_logprobs

        target_prompt_logprobs: dict[str, Any] | None | Unset
        if isinstance(self.target_prompt_logprobs, Unset):
            target_prompt_logprobs = UNSET
        elif isinstance(self.target_prompt_logprobs, TensorData):
            target_prompt_logprobs = self.target_prompt_logprobs.to_dict()
        else:
            target_prompt_logprobs = self.target_prompt_logprobs

        prompt_cache_hit_tokens = self.prompt_cache_hit_tokens

        prompt_alt_tokens: dict[str, Any] | None | Unset
        if isinstance(self.prompt_alt_tokens, Unset):
            prompt_alt_tokens = UNSET
        elif isinstance(self.prompt_alt_tokens, PromptAltTokens):
            prompt_alt_tokens = self.prompt_alt_tokens.to_dict()
        else:
            prompt_alt_tokens = self.prompt_alt_tokens

        type_: None | str | Unset = self.type_

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "sequences": sequences,
            }
        )
        if prompt_logprobs is not UNSET:
            field_dict["prompt_logprobs"] = prompt_logprobs
        if topk_prompt_logprobs is not UNSET:
            field_dict["topk_prompt_logprobs"] = topk_prompt_logprobs
        if target_prompt_logprobs is not UNSET:
            field_dict["target_prompt_logprobs"] = target_prompt_logprobs
        if prompt_cache_hit_tokens is not UNSET:
            field_dict["prompt_cache_hit_tokens"] = prompt_cache_hit_tokens
        if prompt_alt_tokens is not UNSET:
            field_dict["prompt_alt_tokens"] = prompt_alt_tokens
        if type_ is not UNSET:
            field_dict["type"] = type_

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.prompt_alt_tokens import PromptAltTokens  # noqa: PLC0415
        from ..models.sampled_sequence import SampledSequence  # noqa: PLC0415
        from ..models.tensor_data import TensorData  # noqa: PLC0415

        d = dict(src_dict)

        def _parse_sequences(data: object) -> list[SampledSequence] | None:
            if data is None:
                return data
            if not isinstance(data, list):
                raise TypeError(f"sequences cannot be {type(data).__name__}")
            sequences_type_0 = []
            _sequences_type_0 = data
            for sequences_type_0_item_data in _sequences_type_0:
                sequences_type_0_item = SampledSequence.from_dict(sequences_type_0_item_data)

                sequences_type_0.append(sequences_type_0_item)

            return sequences_type_0

        sequences = _parse_sequences(d.pop("sequences"))

        def _parse_prompt_logprobs(data: object) -> list[Any] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            if not isinstance(data, list):
                raise TypeError(f"prompt_logprobs cannot be {type(data).__name__}")
            return data

        prompt_logprobs = _parse_prompt_logprobs(d.pop("prompt_logprobs", UNSET))

        def _parse_topk_prompt_logprobs(data: object) -> list[Any] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            if not isinstance(data, list):
                raise TypeError(f"topk_prompt_logprobs cannot be {type(data).__name__}")
            return data

        topk_prompt_logprobs = _parse_topk_prompt_logprobs(d.pop("topk_prompt_logprobs", UNSET))

        def _parse_target_prompt_logprobs(data: object) -> None | TensorData | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            if not isinstance(data, dict):
                raise TypeError(f"target_prompt_logprobs cannot be {type(data).__name__}")
            target_prompt_logprobs_type_0 = TensorData.from_dict(data)

            return target_prompt_logprobs_type_0

        target_prompt_logprobs = _parse_target_prompt_logprobs(
            d.pop("target_prompt_logprobs", UNSET)
        )

        prompt_cache_hit_tokens = d.pop("prompt_cache_hit_tokens", UNSET)

        def _parse_prompt_alt_tokens(data: object) -> None | PromptAltTokens | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            if not isinstance(data, dict):
                raise TypeError(f"prompt_alt_tokens cannot be {type(data).__name__}")
            prompt_alt_tokens_type_0 = PromptAltTokens.from_dict(data)

            return prompt_alt_tokens_type_0

        prompt_alt_tokens = _parse_prompt_alt_tokens(d.pop("prompt_alt_tokens", UNSET))

        def _parse_type_(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        type_ = _parse_type_(d.pop("type", UNSET))

        sample_response = cls(
            sequences=sequences,
            prompt_logprobs=prompt_logprobs,
            topk_prompt_logprobs=topk_prompt_logprobs,
            target_prompt_logprobs=target_prompt_logprobs,
            prompt_cache_hit_tokens=prompt_cache_hit_tokens,
            prompt_alt_tokens=prompt_alt_tokens,
            type_=type_,
        )

        sample_response.additional_properties = d
        return sample_response

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
