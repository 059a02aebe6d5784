# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

T = TypeVar("T", bound="LoadWeightsRequest")


@_attrs_define
class LoadWeightsRequest:
    """Loads a saved training state."""

    model_id: str
    """ The id of a model being trained and of its training run. """
    path: str
    """ The tinker:// path of what to load. """
    seq_id: int | None | Unset = UNSET
    """ Place in the order of the model's requests, from 1. A repeat of a number is the same request. """
    type_: Literal["load_weights"] | Unset = "load_weights"

    def to_dict(self) -> dict[str, Any]:
        model_id = self.model_id

        path = self.path

        seq_id: int | None | Unset
        if isinstance(self.seq_id, Unset):
            seq_id = UNSET
        else:
            seq_id = self.seq_id

        type_ = self.type_

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "model_id": model_id,
                "path": path,
            }
        )
        if seq_id is not UNSET:
            field_dict["seq_id"] = seq_id
        if type_ is not UNSET:
            field_dict["type"] = type_

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        model_id = d.pop("model_id")

        path = d.pop("path")

        def _parse_seq_id(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        seq_id = _parse_seq_id(d.pop("seq_id", UNSET))

        type_ = cast(Literal["load_weights"] | Unset, d.pop("type", UNSET))
        if type_ != "load_weights" and not isinstance(type_, Unset):
            raise ValueError(f"type must match const 'load_weights', got '{type_}'")

        load_weights_request = cls(
            model_id=model_id,
            path=path,
            seq_id=seq_id,
            type_=type_,
        )

        return load_weights_request
