# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.model_input import ModelInput
    from ..models.sampling_params import SamplingParams
    from ..models.tensor_data import TensorData


T = TypeVar("T", bound="SampleRequest")


@_attrs_define
class SampleRequest:
    """Generates from a prompt, or scores it."""

    prompt: ModelInput
    """ What a model reads - chunks of text and images in their order. """
    sampling_params: SamplingParams
    """ How to choose tokens. """
    num_samples: int | Unset = 1
    """ How many sequences to generate. """
    base_model: None | str | Unset = UNSET
    """ What to sample from, without a sampling session: a base model. """
    model_path: None | str | Unset = UNSET
    """ What to sample from, without a sampling session: saved weights. """
    sampling_session_id: None | str | Unset = UNSET
    """ What to sample from. """
    seq_id: int | None | Unset = UNSET
    """ Counts the requests of the sampling session. A repeat of a number is the same request. """
    prompt_logprobs: bool | None | Unset = UNSET
    """ Whether to score the prompt's tokens. """
    topk_prompt_logprobs: int | Unset = 0
    """ How many of the likeliest tokens to give per position of the prompt. 0 for none. """
    topk_sample_logprobs: int | Unset = UNSET
    """ How many of the likeliest tokens to give per generated token. 0 for none. """
    target_prompt_logprobs: None | TensorData | Unset = UNSET
    """ Token ids to score along the prompt: one row per position after the first, -1 for nothing. """
    prompt_alt_tokens_k: int | Unset = UNSET
    """ How many other tokens to draw at each position of the prompt after the first. 0 for none. """
    prompt_logprobs_last_n: int | None | Unset = UNSET
    """ Score only this many tokens at the prompt's end; null for all. """
    record_stability_info: bool | None | Unset = UNSET
    """ Whether the server keeps what the stable_reinforce loss needs. """
    type_: Literal["sample"] | Unset = "sample"

    def to_dict(self) -> dict[str, Any]:
        from ..models.tensor_data import TensorData  # noqa: PLC0415

        prompt = self.prompt.to_dict()

        sampling_params = self.sampling_params.to_dict()

        num_samples = self.num_samples

        base_model: None | str | Unset = self.base_model

        model_path: None | str | Unset = self.model_path

        sampling_session_id: None | str | Unset = self.sampling_session_id

        seq_id: int | None | Unset = self.seq_id

        prompt_logprobs: bool | None | Unset = self.prompt_logprobs

        topk_prompt_logprobs = self.topk_prompt_logprobs

        topk_sample_logprobs = self.topk_sample_logprobs

        target_prompt_logprobs: dict[str, Any] | None | Unset
        if isinstance(self.target_prompt_logprobs, Unset):
            target_prompt_logprobs = UNSET
        elif isinstance(self.target_prompt_logprobs, TensorData):
            target_prompt_logprobs = self.target_prompt_logprobs.to_dict()
        else:
            target_prompt_logprobs = self.target_prompt_logprobs

        prompt_alt_tokens_k = self.prompt_alt_tokens_k

        prompt_logprobs_last_n: int | None | Unset = self.prompt_logprobs_last_n

        record_stability_info: bool | None | Unset = self.record_stability_info

        type_ = self.type_

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "prompt": prompt,
                "sampling_params": sampling_params,
            }
        )
        if num_samples is not UNSET:
            field_dict["num_samples"] = num_samples
        if base_model is not UNSET:
            field_dict["base_model"] = base_model
        if model_path is not UNSET:
            field_dict["model_path"] = model_path
        if sampling_session_id is not UNSET:
            field_dict["sampling_session_id"] = sampling_session_id
        if seq_id is not UNSET:
            field_dict["seq_id"] = seq_id
        if prompt_logprobs is not UNSET:
            field_dict["prompt_logprobs"] = prompt_logprobs
        if topk_prompt_logprobs is not UNSET:
            field_dict["topk_prompt_logprobs"] = topk_prompt_logprobs
        if topk_sample_logprobs is not UNSET:
            field_dict["topk_sample_logprobs"] = topk_sample_logprobs
        if target_prompt_logprobs is not UNSET:
            field_dict["target_prompt_logprobs"] = target_prompt_logprobs
        if prompt_alt_tokens_k is not UNSET:
            field_dict["prompt_alt_tokens_k"] = prompt_alt_tokens_k
        if prompt_logprobs_last_n is not UNSET:
            field_dict["prompt_logprobs_last_n"] = prompt_logprobs_last_n
        if record_stability_info is not UNSET:
            field_dict["record_stability_info"] = record_stability_info
        if type_ is not UNSET:
            field_dict["type"] = type_

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.model_input import ModelInput  # noqa: PLC0415
        from ..models.sampling_params import SamplingParams  # noqa: PLC0415
        from ..models.tensor_data import TensorData  # noqa: PLC0415

        d = dict(src_dict)
        prompt = ModelInput.from_dict(d.pop("prompt"))

        sampling_params = SamplingParams.from_dict(d.pop("sampling_params"))

        num_samples = d.pop("num_samples", UNSET)

        def _parse_base_model(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        base_model = _parse_base_model(d.pop("base_model", UNSET))

        def _parse_model_path(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        model_path = _parse_model_path(d.pop("model_path", UNSET))

        def _parse_sampling_session_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        sampling_session_id = _parse_sampling_session_id(d.pop("sampling_session_id", UNSET))

        def _parse_seq_id(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        seq_id = _parse_seq_id(d.pop("seq_id", UNSET))

        def _parse_prompt_logprobs(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        prompt_logprobs = _parse_prompt_logprobs(d.pop("prompt_logprobs", UNSET))

        topk_prompt_logprobs = d.pop("topk_prompt_logprobs", UNSET)

        topk_sample_logprobs = d.pop("topk_sample_logprobs", UNSET)

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

        prompt_alt_tokens_k = d.pop("prompt_alt_tokens_k", UNSET)

        def _parse_prompt_logprobs_last_n(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        prompt_logprobs_last_n = _parse_prompt_logprobs_last_n(
            d.pop("prompt_logprobs_last_n", UNSET)
        )

        def _parse_record_stability_info(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        record_stability_info = _parse_record_stability_info(d.pop("record_stability_info", UNSET))

        type_ = cast(Literal["sample"] | Unset, d.pop("type", UNSET))
        if type_ != "sample" and not isinstance(type_, Unset):
            raise ValueError(f"type must match const 'sample', got '{type_}'")

        sample_request = cls(
            prompt=prompt,
            sampling_params=sampling_params,
            num_samples=num_samples,
            base_model=base_model,
            model_path=model_path,
            sampling_session_id=sampling_session_id,
            seq_id=seq_id,
            prompt_logprobs=prompt_logprobs,
            topk_prompt_logprobs=topk_prompt_logprobs,
            topk_sample_logprobs=topk_sample_logprobs,
            target_prompt_logprobs=target_prompt_logprobs,
            prompt_alt_tokens_k=prompt_alt_tokens_k,
            prompt_logprobs_last_n=prompt_logprobs_last_n,
            record_stability_info=record_stability_info,
            type_=type_,
        )

        return sample_request
