# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.checkpoint_type_known import CheckpointTypeKnown, check_checkpoint_type_known
from ..types import UNSET, Unset

T = TypeVar("T", bound="Checkpoint")


@_attrs_define
class Checkpoint:
    """Saved weights."""

    checkpoint_id: str
    """ Kind and name, such as `weights/0001`. """
    checkpoint_type: CheckpointTypeKnown | str
    """ `training`: to go on training from; `sampler`: to sample from. Values not listed may occur. """
    time: datetime.datetime
    """ When it was saved. """
    tinker_path: str
    """ tinker://RUN/KIND/NAME. """
    size_bytes: int | None | Unset = UNSET
    """ Its size in bytes, if known. """
    public: bool | Unset = False
    """ Whether everybody can see it. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        checkpoint_id = self.checkpoint_id

        checkpoint_type: str
        checkpoint_type = self.checkpoint_type

        time = self.time.isoformat()

        tinker_path = self.tinker_path

        size_bytes: int | None | Unset
        if isinstance(self.size_bytes, Unset):
            size_bytes = UNSET
        else:
            size_bytes = self.size_bytes

        public = self.public

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "checkpoint_id": checkpoint_id,
                "checkpoint_type": checkpoint_type,
                "time": time,
                "tinker_path": tinker_path,
            }
        )
        if size_bytes is not UNSET:
            field_dict["size_bytes"] = size_bytes
        if public is not UNSET:
            field_dict["public"] = public

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        checkpoint_id = d.pop("checkpoint_id")

        def _parse_checkpoint_type(data: object) -> CheckpointTypeKnown | str:
            try:
                if not isinstance(data, str):
                    raise TypeError()
                componentsschemas_checkpoint_type_type_0 = check_checkpoint_type_known(data)

                return componentsschemas_checkpoint_type_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(CheckpointTypeKnown | str, data)

        checkpoint_type = _parse_checkpoint_type(d.pop("checkpoint_type"))

        time = datetime.datetime.fromisoformat(d.pop("time"))

        tinker_path = d.pop("tinker_path")

        def _parse_size_bytes(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        size_bytes = _parse_size_bytes(d.pop("size_bytes", UNSET))

        public = d.pop("public", UNSET)

        checkpoint = cls(
            checkpoint_id=checkpoint_id,
            checkpoint_type=checkpoint_type,
            time=time,
            tinker_path=tinker_path,
            size_bytes=size_bytes,
            public=public,
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
