# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.client_session_finished import ClientSessionFinished
    from ..models.other_object import OtherObject
    from ..models.session_active import SessionActive
    from ..models.session_cancelled import SessionCancelled
    from ..models.session_failed import SessionFailed
    from ..models.text_metadata import TextMetadata


T = TypeVar("T", bound="SessionSummary")


@_attrs_define
class SessionSummary:
    """A session in short."""

    session_id: None | str | Unset = UNSET
    """ Its id. """
    created_at: Any | datetime.datetime | None | Unset = UNSET
    """ When it was opened. """
    owner: None | str | Unset = UNSET
    """ Whose it is. """
    project_id: None | str | Unset = UNSET
    """ The project it belongs to. """
    status: (
        Any
        | ClientSessionFinished
        | None
        | OtherObject
        | SessionActive
        | SessionCancelled
        | SessionFailed
        | Unset
    ) = UNSET
    """ The status; null if unknown. """
    checkpoints_count: int | None | Unset = UNSET
    """ How many checkpoints it has. """
    display_name: None | str | Unset = UNSET
    """ Its name for people, or null. """
    user_metadata: Any | None | TextMetadata | Unset = UNSET
    """ What the user wants to find again, or null. """
    checkpoint_storage_bytes: int | None | Unset = UNSET
    """ What its checkpoints take up in bytes, if known. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.client_session_finished import ClientSessionFinished  # noqa: PLC0415
        from ..models.other_object import OtherObject  # noqa: PLC0415
        from ..models.session_active import SessionActive  # noqa: PLC0415
        from ..models.session_cancelled import SessionCancelled  # noqa: PLC0415
        from ..models.session_failed import SessionFailed  # noqa: PLC0415
        from ..models.text_metadata import TextMetadata  # noqa: PLC0415

        session_id: None | str | Unset = self.session_id

        created_at: Any | None | str | Unset
        if isinstance(self.created_at, Unset):
            created_at = UNSET
        elif isinstance(self.created_at, datetime.datetime):
            created_at = self.created_at.isoformat()
        else:
            created_at = self.created_at

        owner: None | str | Unset = self.owner

        project_id: None | str | Unset = self.project_id

        status: Any | dict[str, Any] | None | Unset
        if isinstance(self.status, Unset):
            status = UNSET
        elif isinstance(self.status, SessionFailed):
            status = self.status.to_dict()
        elif isinstance(self.status, ClientSessionFinished):
            status = self.status.to_dict()
        elif isinstance(self.status, SessionCancelled):
            status = self.status.to_dict()
        elif isinstance(self.status, SessionActive):
            status = self.status.to_dict()
        elif isinstance(self.status, OtherObject):
            status = self.status.to_dict()
        else:
            status = self.status

        checkpoints_count: int | None | Unset = self.checkpoints_count

        display_name: None | str | Unset = self.display_name

        user_metadata: Any | dict[str, Any] | None | Unset
        if isinstance(self.user_metadata, Unset):
            user_metadata = UNSET
        elif isinstance(self.user_metadata, TextMetadata):
            user_metadata = self.user_metadata.to_dict()
        else:
            user_metadata = self.user_metadata

        checkpoint_storage_bytes: int | None | Unset = self.checkpoint_storage_bytes

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if session_id is not UNSET:
            field_dict["session_id"] = session_id
        if created_at is not UNSET:
            field_dict["created_at"] = created_at
        if owner is not UNSET:
            field_dict["owner"] = owner
        if project_id is not UNSET:
            field_dict["project_id"] = project_id
        if status is not UNSET:
            field_dict["status"] = status
        if checkpoints_count is not UNSET:
            field_dict["checkpoints_count"] = checkpoints_count
        if display_name is not UNSET:
            field_dict["display_name"] = display_name
        if user_metadata is not UNSET:
            field_dict["user_metadata"] = user_metadata
        if checkpoint_storage_bytes is not UNSET:
            field_dict["checkpoint_storage_bytes"] = checkpoint_storage_bytes

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.client_session_finished import ClientSessionFinished  # noqa: PLC0415
        from ..models.other_object import OtherObject  # noqa: PLC0415
        from ..models.session_active import SessionActive  # noqa: PLC0415
        from ..models.session_cancelled import SessionCancelled  # noqa: PLC0415
        from ..models.session_failed import SessionFailed  # noqa: PLC0415
        from ..models.text_metadata import TextMetadata  # noqa: PLC0415

        d = dict(src_dict)

        def _parse_session_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        session_id = _parse_session_id(d.pop("session_id", UNSET))

        def _parse_created_at(data: object) -> Any | datetime.datetime | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                created_at_type_0 = datetime.datetime.fromisoformat(data)

                return created_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Any | datetime.datetime | None | Unset, data)

        created_at = _parse_created_at(d.pop("created_at", UNSET))

        def _parse_owner(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        owner = _parse_owner(d.pop("owner", UNSET))

        def _parse_project_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        project_id = _parse_project_id(d.pop("project_id", UNSET))

        def _parse_status(
            data: object,
        ) -> (
            Any
            | ClientSessionFinished
            | None
            | OtherObject
            | SessionActive
            | SessionCancelled
            | SessionFailed
            | Unset
        ):
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_session_status_type_0 = SessionFailed.from_dict(data)

                return componentsschemas_session_status_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_session_status_type_1 = ClientSessionFinished.from_dict(data)

                return componentsschemas_session_status_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_session_status_type_2 = SessionCancelled.from_dict(data)

                return componentsschemas_session_status_type_2
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_session_status_type_3 = SessionActive.from_dict(data)

                return componentsschemas_session_status_type_3
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_session_status_type_4 = OtherObject.from_dict(data)

                return componentsschemas_session_status_type_4
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(
                Any
                | ClientSessionFinished
                | None
                | OtherObject
                | SessionActive
                | SessionCancelled
                | SessionFailed
                | Unset,
                data,
            )

        status = _parse_status(d.pop("status", UNSET))

        def _parse_checkpoints_count(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        checkpoints_count = _parse_checkpoints_count(d.pop("checkpoints_count", UNSET))

        def _parse_display_name(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        display_name = _parse_display_name(d.pop("display_name", UNSET))

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

        def _parse_checkpoint_storage_bytes(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        checkpoint_storage_bytes = _parse_checkpoint_storage_bytes(
            d.pop("checkpoint_storage_bytes", UNSET)
        )

        session_summary = cls(
            session_id=session_id,
            created_at=created_at,
            owner=owner,
            project_id=project_id,
            status=status,
            checkpoints_count=checkpoints_count,
            display_name=display_name,
            user_metadata=user_metadata,
            checkpoint_storage_bytes=checkpoint_storage_bytes,
        )

        session_summary.additional_properties = d
        return session_summary

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
