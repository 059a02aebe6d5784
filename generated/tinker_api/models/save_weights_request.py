# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

T = TypeVar("T", bound="SaveWeightsRequest")


@_attrs_define
class SaveWeightsRequest:
    """Saves the training state."""

    model_id: str
    """ The id of a model being trained and of its training run. """
    path: None | str | Unset = UNSET
    """ A name for the checkpoint, made up by the server if null. """
    seq_id: int | None | Unset = UNSET
    """ Place in the order of the model's requests, from 1. A repeat of a number is the same request. """
    type_: Literal["save_weights"] | Unset = "save_weights"

    def to_dict(self) -> dict[str, Any]:
        model_id = self.model_id

        path: None | str | Unset
        if isinstance(self.path, Unset):
            path = UNSET
        else:
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
            }
        )
        if path is not UNSET:
            field_dict["path"] = path
        if seq_id is not UNSET:
            field_dict["seq_id"] = seq_id
        if type_ is not UNSET:
            field_dict["type"] = type_

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        model_id = d.pop("model_id")

        def _parse_path(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        path = _parse_path(d.pop("path", UNSET))

        def _parse_seq_id(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        seq_id = _parse_seq_id(d.pop("seq_id", UNSET))

        type_ = cast(Literal["save_weights"] | Unset, d.pop("type", UNSET))
        if type_ != "save_weights" and not isinstance(type_, Unset):
            raise ValueError(f"type must match const 'save_weights', got '{type_}'")

        save_weights_request = cls(
            model_id=model_id,
            path=path,
            seq_id=seq_id,
            type_=type_,
        )

        return save_weights_request
