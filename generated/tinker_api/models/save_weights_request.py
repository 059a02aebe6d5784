# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.text_metadata import TextMetadata


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
    ttl_seconds: int | None | Unset = UNSET
    """ Seconds until it expires, an hour to ten years; null for never. """
    overwrite: bool | Unset = UNSET
    """ Whether a checkpoint of this name may be replaced. """
    user_metadata: None | TextMetadata | Unset = UNSET
    """ What the user wants to find again, or null. """
    type_: Literal["save_weights"] | Unset = "save_weights"

    def to_dict(self) -> dict[str, Any]:
        from ..models.text_metadata import TextMetadata  # noqa: PLC0415

        model_id = self.model_id

        path: None | str | Unset = self.path

        seq_id: int | None | Unset = self.seq_id

        ttl_seconds: int | None | Unset = self.ttl_seconds

        overwrite = self.overwrite

        user_metadata: dict[str, Any] | None | Unset
        if isinstance(self.user_metadata, Unset):
            user_metadata = UNSET
        elif isinstance(self.user_metadata, TextMetadata):
            user_metadata = self.user_metadata.to_dict()
        else:
            user_metadata = self.user_metadata

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
        if ttl_seconds is not UNSET:
            field_dict["ttl_seconds"] = ttl_seconds
        if overwrite is not UNSET:
            field_dict["overwrite"] = overwrite
        if user_metadata is not UNSET:
            field_dict["user_metadata"] = user_metadata
        if type_ is not UNSET:
            field_dict["type"] = type_

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.text_metadata import TextMetadata  # noqa: PLC0415

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

        def _parse_ttl_seconds(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        ttl_seconds = _parse_ttl_seconds(d.pop("ttl_seconds", UNSET))

        overwrite = d.pop("overwrite", UNSET)

        def _parse_user_metadata(data: object) -> None | TextMetadata | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            if not isinstance(data, dict):
                raise TypeError(f"user_metadata cannot be {type(data).__name__}")
            user_metadata_type_0 = TextMetadata.from_dict(data)

            return user_metadata_type_0

        user_metadata = _parse_user_metadata(d.pop("user_metadata", UNSET))

        type_ = cast(Literal["save_weights"] | Unset, d.pop("type", UNSET))
        if type_ != "save_weights" and not isinstance(type_, Unset):
            raise ValueError(f"type must match const 'save_weights', got '{type_}'")

        save_weights_request = cls(
            model_id=model_id,
            path=path,
            seq_id=seq_id,
            ttl_seconds=ttl_seconds,
            overwrite=overwrite,
            user_metadata=user_metadata,
            type_=type_,
        )

        return save_weights_request
