# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

T = TypeVar("T", bound="SamplingParams")


@_attrs_define
class SamplingParams:
    """How to choose tokens."""

    max_tokens: int | None | Unset = UNSET
    """ How many tokens at most. Without it as many as the context allows. """
    seed: int | None | Unset = UNSET
    """ Makes the choice the same each time. """
    stop: list[int] | list[str] | None | str | Unset = UNSET
    """ Where to stop: a text, several, or token ids. """
    temperature: float | Unset = 1.0
    """ 0 takes the likeliest token; 1 samples from the model's own distribution. """
    top_k: int | Unset = -1
    """ Choose among this many likeliest tokens only. -1 for all. """
    top_p: float | Unset = 1.0
    """ Choose among the likeliest tokens that together have this probability. """

    def to_dict(self) -> dict[str, Any]:
        max_tokens: int | None | Unset = self.max_tokens

        seed: int | None | Unset = self.seed

        stop: list[int] | list[str] | None | str | Unset = self.stop

        temperature = self.temperature

        top_k = self.top_k

        top_p = self.top_p

        field_dict: dict[str, Any] = {}

        field_dict.update({})
        if max_tokens is not UNSET:
            field_dict["max_tokens"] = max_tokens
        if seed is not UNSET:
            field_dict["seed"] = seed
        if stop is not UNSET:
            field_dict["stop"] = stop
        if temperature is not UNSET:
            field_dict["temperature"] = temperature
        if top_k is not UNSET:
            field_dict["top_k"] = top_k
        if top_p is not UNSET:
            field_dict["top_p"] = top_p

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)

        def _parse_max_tokens(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        max_tokens = _parse_max_tokens(d.pop("max_tokens", UNSET))

        def _parse_seed(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        seed = _parse_seed(d.pop("seed", UNSET))

        def _parse_stop(data: object) -> list[int] | list[str] | None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                stop_type_1 = cast(list[str], data)

                return stop_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, (list, memoryview)):
                    raise TypeError()
                stop_type_2 = cast(list[int], data)

                return stop_type_2
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[int] | list[str] | None | str | Unset, data)

        stop = _parse_stop(d.pop("stop", UNSET))

        temperature = d.pop("temperature", UNSET)

        top_k = d.pop("top_k", UNSET)

        top_p = d.pop("top_p", UNSET)

        sampling_params = cls(
            max_tokens=max_tokens,
            seed=seed,
            stop=stop,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
        )

        return sampling_params
