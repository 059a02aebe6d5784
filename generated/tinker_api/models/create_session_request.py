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
    user_metadata: None | UserMetadata
    """ What the user wants to find again, or null. """
    sdk_version: str
    """ Version of the client. """
    project_id: None | str | Unset = UNSET
    """ The project it belongs to, or null. """
    display_name: None | str | Unset = UNSET
    """ A name for people, or null. """
    type_: Literal["create_session"] | Unset = "create_session"

    def to_dict(self) -> dict[str, Any]:
        from ..models.user_metadata import UserMetadata  # noqa: PLC0415

        tags = self.tags

        user_metadata: dict[str, Any] | None
        if isinstance(self.user_metadata, UserMetadata):
            user_metadata = self.user_metadata.to_dict()
        else:
            user_metadata = self.user_metadata

        sdk_version = self.sdk_version

        project_id: None | str | Unset = self.project_id

        display_name: None | str | Unset = self.display_name

        type_ = self.type_

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "tags": tags,
                "user_metadata": user_metadata,
                "sdk_version": sdk_version,
            }
        )
        if project_id is not UNSET:
            field_dict["project_id"] = project_id
        if display_name is not UNSET:
            field_dict["display_name"] = display_name
        if type_ is not UNSET:
            field_dict["type"] = type_

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.user_metadata import UserMetadata  # noqa: PLC0415

        d = dict(src_dict)
        tags = cast(list[str], d.pop("tags"))

        def _parse_user_metadata(data: object) -> None | UserMetadata:
            if data is None:
                return data
            if not isinstance(data, dict):
                raise TypeError(f"user_metadata cannot be {type(data).__name__}")
            user_metadata_type_0 = UserMetadata.from_dict(data)

            return user_metadata_type_0

        user_metadata = _parse_user_metadata(d.pop("user_metadata"))

        sdk_version = d.pop("sdk_version")

        def _parse_project_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        project_id = _parse_project_id(d.pop("project_id", UNSET))

        def _parse_display_name(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        display_name = _parse_display_name(d.pop("display_name", UNSET))

        type_ = cast(Literal["create_session"] | Unset, d.pop("type", UNSET))
        if type_ != "create_session" and not isinstance(type_, Unset):
            raise ValueError(f"type must match const 'create_session', got '{type_}'")

        create_session_request = cls(
            tags=tags,
            user_metadata=user_metadata,
            sdk_version=sdk_version,
            project_id=project_id,
            display_name=display_name,
            type_=type_,
        )

        return create_session_request
