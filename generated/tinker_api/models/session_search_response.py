# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.session_search_cursor import SessionSearchCursor
    from ..models.session_summary import SessionSummary


T = TypeVar("T", bound="SessionSearchResponse")


@_attrs_define
class SessionSearchResponse:
    """A page of sessions."""

    sessions: list[SessionSummary] | None
    """ The sessions, latest first. """
    next_cursor: None | SessionSearchCursor | Unset = UNSET
    """ Where the next page begins; null at the end. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.session_search_cursor import SessionSearchCursor  # noqa: PLC0415

        sessions: list[dict[str, Any]] | None
        if isinstance(self.sessions, list):
            sessions = []
            for sessions_type_0_item_data in self.sessions:
                sessions_type_0_item = sessions_type_0_item_data.to_dict()
                sessions.append(sessions_type_0_item)

        else:
            sessions = self.sessions

        next_cursor: dict[str, Any] | None | Unset
        if isinstance(self.next_cursor, Unset):
            next_cursor = UNSET
        elif isinstance(self.next_cursor, SessionSearchCursor):
            next_cursor = self.next_cursor.to_dict()
        else:
            next_cursor = self.next_cursor

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "sessions": sessions,
            }
        )
        if next_cursor is not UNSET:
            field_dict["next_cursor"] = next_cursor

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.session_search_cursor import SessionSearchCursor  # noqa: PLC0415
        from ..models.session_summary import SessionSummary  # noqa: PLC0415

        d = dict(src_dict)

        def _parse_sessions(data: object) -> list[SessionSummary] | None:
            if data is None:
                return data
            if not isinstance(data, list):
                raise TypeError(f"sessions cannot be {type(data).__name__}")
            sessions_type_0 = []
            _sessions_type_0 = data
            for sessions_type_0_item_data in _sessions_type_0:
                sessions_type_0_item = SessionSummary.from_dict(sessions_type_0_item_data)

                sessions_type_0.append(sessions_type_0_item)

            return sessions_type_0

        sessions = _parse_sessions(d.pop("sessions"))

        def _parse_next_cursor(data: object) -> None | SessionSearchCursor | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            if not isinstance(data, dict):
                raise TypeError(f"next_cursor cannot be {type(data).__name__}")
            next_cursor_type_0 = SessionSearchCursor.from_dict(data)

            return next_cursor_type_0

        next_cursor = _parse_next_cursor(d.pop("next_cursor", UNSET))

        session_search_response = cls(
            sessions=sessions,
            next_cursor=next_cursor,
        )

        session_search_response.additional_properties = d
        return session_search_response

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
