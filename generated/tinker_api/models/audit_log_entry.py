# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.audit_log_entry_event_details_type_0 import AuditLogEntryEventDetailsType0


T = TypeVar("T", bound="AuditLogEntry")


@_attrs_define
class AuditLogEntry:
    """One event."""

    timestamp: Any | datetime.datetime | None | Unset = UNSET
    """ When it happened. """
    event: None | str | Unset = UNSET
    """ The object and the action, such as checkpoint_read. """
    event_details: Any | AuditLogEntryEventDetailsType0 | None | Unset = UNSET
    """ The user, and further details. """
    model_id: None | str | Unset = UNSET
    """ Deprecated; see event_details. """
    tinker_path: None | str | Unset = UNSET
    """ Deprecated; see event_details. """
    purpose: None | str | Unset = UNSET
    """ Deprecated; see event_details. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.audit_log_entry_event_details_type_0 import AuditLogEntryEventDetailsType0  # noqa: PLC0415

        timestamp: Any | None | str | Unset
        if isinstance(self.timestamp, Unset):
            timestamp = UNSET
        elif isinstance(self.timestamp, datetime.datetime):
            timestamp = self.timestamp.isoformat()
        else:
            timestamp = self.timestamp

        event: None | str | Unset = self.event

        event_details: Any | dict[str, Any] | None | Unset
        if isinstance(self.event_details, Unset):
            event_details = UNSET
        elif isinstance(self.event_details, AuditLogEntryEventDetailsType0):
            event_details = self.event_details.to_dict()
        else:
            event_details = self.event_details

        model_id: None | str | Unset = self.model_id

        tinker_path: None | str | Unset = self.tinker_path

        purpose: None | str | Unset = self.purpose

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if timestamp is not UNSET:
            field_dict["timestamp"] = timestamp
        if event is not UNSET:
            field_dict["event"] = event
        if event_details is not UNSET:
            field_dict["event_details"] = event_details
        if model_id is not UNSET:
            field_dict["model_id"] = model_id
        if tinker_path is not UNSET:
            field_dict["tinker_path"] = tinker_path
        if purpose is not UNSET:
            field_dict["purpose"] = purpose

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.audit_log_entry_event_details_type_0 import AuditLogEntryEventDetailsType0  # noqa: PLC0415

        d = dict(src_dict)

        def _parse_timestamp(data: object) -> Any | datetime.datetime | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                timestamp_type_0 = datetime.datetime.fromisoformat(data)

                return timestamp_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Any | datetime.datetime | None | Unset, data)

        timestamp = _parse_timestamp(d.pop("timestamp", UNSET))

        def _parse_event(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        event = _parse_event(d.pop("event", UNSET))

        def _parse_event_details(
            data: object,
        ) -> Any | AuditLogEntryEventDetailsType0 | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                event_details_type_0 = AuditLogEntryEventDetailsType0.from_dict(data)

                return event_details_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Any | AuditLogEntryEventDetailsType0 | None | Unset, data)

        event_details = _parse_event_details(d.pop("event_details", UNSET))

        def _parse_model_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        model_id = _parse_model_id(d.pop("model_id", UNSET))

        def _parse_tinker_path(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        tinker_path = _parse_tinker_path(d.pop("tinker_path", UNSET))

        def _parse_purpose(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        purpose = _parse_purpose(d.pop("purpose", UNSET))

        audit_log_entry = cls(
            timestamp=timestamp,
            event=event,
            event_details=event_details,
            model_id=model_id,
            tinker_path=tinker_path,
            purpose=purpose,
        )

        audit_log_entry.additional_properties = d
        return audit_log_entry

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
