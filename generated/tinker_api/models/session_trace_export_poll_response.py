# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.session_trace_export_poll_response_status_known import (
    SessionTraceExportPollResponseStatusKnown,
    check_session_trace_export_poll_response_status_known,
)
from ..types import UNSET, Unset

T = TypeVar("T", bound="SessionTraceExportPollResponse")


@_attrs_define
class SessionTraceExportPollResponse:
    """How far an export is."""

    status: SessionTraceExportPollResponseStatusKnown | str
    """ States of an export. Values not listed may occur. """
    url: None | str | Unset = UNSET
    """ Where it is, when ready. """
    error: None | str | Unset = UNSET
    """ The error, if the request failed. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        status: str = self.status

        url: None | str | Unset = self.url

        error: None | str | Unset = self.error

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "status": status,
            }
        )
        if url is not UNSET:
            field_dict["url"] = url
        if error is not UNSET:
            field_dict["error"] = error

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)

        def _parse_status(data: object) -> SessionTraceExportPollResponseStatusKnown | str:
            try:
                if not isinstance(data, str):
                    raise TypeError()
                componentsschemas_session_trace_export_poll_response_status_type_0 = (
                    check_session_trace_export_poll_response_status_known(data)
                )

                return componentsschemas_session_trace_export_poll_response_status_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(SessionTraceExportPollResponseStatusKnown | str, data)

        status = _parse_status(d.pop("status"))

        def _parse_url(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        url = _parse_url(d.pop("url", UNSET))

        def _parse_error(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        error = _parse_error(d.pop("error", UNSET))

        session_trace_export_poll_response = cls(
            status=status,
            url=url,
            error=error,
        )

        session_trace_export_poll_response.additional_properties = d
        return session_trace_export_poll_response

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
