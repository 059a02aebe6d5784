# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

T = TypeVar("T", bound="SaveWeightsExternalRequest")


@_attrs_define
class SaveWeightsExternalRequest:
    """Saves weights for use elsewhere."""

    model_id: str
    """ The id of a model being trained and of its training run. """
    path: str
    """ A name for them. """
    seq_id: int | None | Unset = UNSET
    """ Place in the order of the model's requests, from 1. A repeat of a number is the same request. """
    ttl_seconds: int | None | Unset = UNSET
    """ Seconds until it expires, an hour to ten years; null for never. """
    age_encryption_recipients: list[str] | None | Unset = UNSET
    """ Public keys (age or SSH) to encrypt every file for; null for no encryption. """
    type_: Literal["save_weights_external"] | Unset = "save_weights_external"

    def to_dict(self) -> dict[str, Any]:
        model_id = self.model_id

        path = self.path

        seq_id: int | None | Unset = self.seq_id

        ttl_seconds: int | None | Unset = self.ttl_seconds

        age_encryption_recipients: list[str] | None | Unset = self.age_encryption_recipients

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
        if ttl_seconds is not UNSET:
            field_dict["ttl_seconds"] = ttl_seconds
        if age_encryption_recipients is not UNSET:
            field_dict["age_encryption_recipients"] = age_encryption_recipients
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

        def _parse_ttl_seconds(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        ttl_seconds = _parse_ttl_seconds(d.pop("ttl_seconds", UNSET))

        def _parse_age_encryption_recipients(data: object) -> list[str] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            if not isinstance(data, list):
                raise TypeError(f"age_encryption_recipients cannot be {type(data).__name__}")
            age_encryption_recipients_type_0 = cast(list[str], data)

            return age_encryption_recipients_type_0

        age_encryption_recipients = _parse_age_encryption_recipients(
            d.pop("age_encryption_recipients", UNSET)
        )

        type_ = cast(Literal["save_weights_external"] | Unset, d.pop("type", UNSET))
        if type_ != "save_weights_external" and not isinstance(type_, Unset):
            raise ValueError(f"type must match const 'save_weights_external', got '{type_}'")

        save_weights_external_request = cls(
            model_id=model_id,
            path=path,
            seq_id=seq_id,
            ttl_seconds=ttl_seconds,
            age_encryption_recipients=age_encryption_recipients,
            type_=type_,
        )

        return save_weights_external_request
