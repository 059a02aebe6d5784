# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.checkpoint_type_known import CheckpointTypeKnown, check_checkpoint_type_known
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.text_metadata import TextMetadata


T = TypeVar("T", bound="Checkpoint")


@_attrs_define
class Checkpoint:
    """Saved weights."""

    checkpoint_id: None | str | Unset = UNSET
    """ Kind and name, such as `weights/0001`. """
    checkpoint_type: Any | CheckpointTypeKnown | None | str | Unset = UNSET
    """ The purpose of the checkpoint. """
    time: Any | datetime.datetime | None | str | Unset = UNSET
    """ When it was saved. """
    tinker_path: None | str | Unset = UNSET
    """ tinker://RUN/KIND/NAME. """
    size_bytes: int | None | Unset = UNSET
    """ Its size in bytes, if known. """
    public: bool | None | Unset = False
    """ Whether the checkpoint is public. """
    user_metadata: Any | None | TextMetadata | Unset = UNSET
    """ What the user wants to find again, or null. """
    expires_at: Any | datetime.datetime | None | Unset = UNSET
    """ When it goes away; null for never. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.text_metadata import TextMetadata  # noqa: PLC0415

        checkpoint_id: None | str | Unset = self.checkpoint_id

        checkpoint_type: Any | None | str | Unset = self.checkpoint_type

        time: Any | None | str | Unset
        if isinstance(self.time, Unset):
            time = UNSET
        elif isinstance(self.time, datetime.datetime):
            time = self.time.isoformat()
        else:
            time = self.time

        tinker_path: None | str | Unset = self.tinker_path

        size_bytes: int | None | Unset = self.size_bytes

        public: bool | None | Unset = self.public

        user_metadata: Any | dict[str, Any] | None | Unset
        if isinstance(self.user_metadata, Unset):
            user_metadata = UNSET
        elif isinstance(self.user_metadata, TextMetadata):
            user_metadata = self.user_metadata.to_dict()
        else:
            user_metadata = self.user_metadata

        expires_at: Any | None | str | Unset
        if isinstance(self.expires_at, Unset):
            expires_at = UNSET
        elif isinstance(self.expires_at, datetime.datetime):
            expires_at = self.expires_at.isoformat()
        else:
            expires_at = self.expires_at

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if checkpoint_id is not UNSET:
            field_dict["checkpoint_id"] = checkpoint_id
        if checkpoint_type is not UNSET:
            field_dict["checkpoint_type"] = checkpoint_type
        if time is not UNSET:
            field_dict["time"] = time
        if tinker_path is not UNSET:
            field_dict["tinker_path"] = tinker_path
        if size_bytes is not UNSET:
            field_dict["size_bytes"] = size_bytes
        if public is not UNSET:
            field_dict["public"] = public
        if user_metadata is not UNSET:
            field_dict["user_metadata"] = user_metadata
        if expires_at is not UNSET:
            field_dict["expires_at"] = expires_at

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.text_metadata import TextMetadata  # noqa: PLC0415

        d = dict(src_dict)

        def _parse_checkpoint_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        checkpoint_id = _parse_checkpoint_id(d.pop("checkpoint_id", UNSET))

        def _parse_checkpoint_type(data: object) -> Any | CheckpointTypeKnown | None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                componentsschemas_checkpoint_type_type_0 = check_checkpoint_type_known(data)

                return componentsschemas_checkpoint_type_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Any | CheckpointTypeKnown | None | str | Unset, data)

        checkpoint_type = _parse_checkpoint_type(d.pop("checkpoint_type", UNSET))

        def _parse_time(data: object) -> Any | datetime.datetime | None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                time_type_0 = datetime.datetime.fromisoformat(data)

                return time_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Any | datetime.datetime | None | str | Unset, data)

        time = _parse_time(d.pop("time", UNSET))

        def _parse_tinker_path(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        tinker_path = _parse_tinker_path(d.pop("tinker_path", UNSET))

        def _parse_size_bytes(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        size_bytes = _parse_size_bytes(d.pop("size_bytes", UNSET))

        def _parse_public(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        public = _parse_public(d.pop("public", UNSET))

        def _parse_user_metadata(data: object) -> Any | None | TextMetadata | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                user_metadata_type_0 = TextMetadata.from_dict(data)

                return user_metadata_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Any | None | TextMetadata | Unset, data)

        user_metadata = _parse_user_metadata(d.pop("user_metadata", UNSET))

        def _parse_expires_at(data: object) -> Any | datetime.datetime | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                expires_at_type_0 = datetime.datetime.fromisoformat(data)

                return expires_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Any | datetime.datetime | None | Unset, data)

        expires_at = _parse_expires_at(d.pop("expires_at", UNSET))

        checkpoint = cls(
            checkpoint_id=checkpoint_id,
            checkpoint_type=checkpoint_type,
            time=time,
            tinker_path=tinker_path,
            size_bytes=size_bytes,
            public=public,
            user_metadata=user_metadata,
            expires_at=expires_at,
        )

        checkpoint.additional_properties = d
        return checkpoint

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
