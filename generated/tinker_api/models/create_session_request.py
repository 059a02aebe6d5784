# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.user_metadata import UserMetadata


T = TypeVar("T", bound="CreateSessionRequest")


@_attrs_define
class CreateSessionRequest:
    """Opens a session."""

    tags: list[str]
    """ Words to find the session by. """
    sdk_version: str
    """ Version of the client. """
    user_metadata: None | UserMetadata
    """ What the user wants to find again, or null. """
    type_: Literal["create_session"] | Unset = "create_session"

    def to_dict(self) -> dict[str, Any]:
        from ..models.user_metadata import UserMetadata  # noqa: PLC0415

        tags = self.tags

        sdk_version = self.sdk_version

        user_metadata: dict[str, Any] | None
        if isinstance(self.user_metadata, UserMetadata):
            user_metadata = self.user_metadata.to_dict()
        else:
            user_metadata = self.user_metadata

        type_ = self.type_

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "tags": tags,
                "sdk_version": sdk_version,
                "user_metadata": user_metadata,
            }
        )
        if type_ is not UNSET:
            field_dict["type"] = type_

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.user_metadata import UserMetadata  # noqa: PLC0415

        d = dict(src_dict)
        tags = cast(list[str], d.pop("tags"))

        sdk_version = d.pop("sdk_version")

        def _parse_user_metadata(data: object) -> None | UserMetadata:
            if data is None:
                return data
            if not isinstance(data, dict):
                raise TypeError(f"user_metadata cannot be {type(data).__name__}")
            user_metadata_type_0 = UserMetadata.from_dict(data)

            return user_metadata_type_0

        user_metadata = _parse_user_metadata(d.pop("user_metadata"))

        type_ = cast(Literal["create_session"] | Unset, d.pop("type", UNSET))
        if type_ != "create_session" and not isinstance(type_, Unset):
            raise ValueError(f"type must match const 'create_session', got '{type_}'")

        create_session_request = cls(
            tags=tags,
            sdk_version=sdk_version,
            user_metadata=user_metadata,
            type_=type_,
        )

        return create_session_request
