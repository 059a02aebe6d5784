# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.billing_usage_event import BillingUsageEvent
    from ..models.billing_usage_response_sessions_type_0 import BillingUsageResponseSessionsType0


T = TypeVar("T", bound="BillingUsageResponse")


@_attrs_define
class BillingUsageResponse:
    """The usage."""

    data: list[BillingUsageEvent] | None
    """ By hour, the largest first within an hour. """
    sessions: Any | BillingUsageResponseSessionsType0 | None | Unset = UNSET
    """ The sessions that occur in data, by id. """
    cost_data_through: Any | datetime.datetime | None | Unset = UNSET
    """ Until when costs come from invoices; later ones are from the price list. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.billing_usage_response_sessions_type_0 import (
            BillingUsageResponseSessionsType0,  # noqa: PLC0415
        )

        data: list[dict[str, Any]] | None
        if isinstance(self.data, list):
            data = []
            for data_type_0_item_data in self.data:
                data_type_0_item = data_type_0_item_data.to_dict()
                data.append(data_type_0_item)

        else:
            data = self.data

        sessions: Any | dict[str, Any] | None | Unset
        if isinstance(self.sessions, Unset):
            sessions = UNSET
        elif isinstance(self.sessions, BillingUsageResponseSessionsType0):
            sessions = self.sessions.to_dict()
        else:
            sessions = self.sessions

        cost_data_through: Any | None | str | Unset
        if isinstance(self.cost_data_through, Unset):
            cost_data_through = UNSET
        elif isinstance(self.cost_data_through, datetime.datetime):
            cost_data_through = self.cost_data_through.isoformat()
        else:
            cost_data_through = self.cost_data_through

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "data": data,
            }
        )
        if sessions is not UNSET:
            field_dict["sessions"] = sessions
        if cost_data_through is not UNSET:
            field_dict["cost_data_through"] = cost_data_through

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.billing_usage_event import BillingUsageEvent  # noqa: PLC0415
        from ..models.billing_usage_response_sessions_type_0 import (
            BillingUsageResponseSessionsType0,  # noqa: PLC0415
        )

        d = dict(src_dict)

        def _parse_data(data: object) -> list[BillingUsageEvent] | None:
            if data is None:
                return data
            if not isinstance(data, list):
                raise TypeError(f"data cannot be {type(data).__name__}")
            data_type_0 = []
            _data_type_0 = data
            for data_type_0_item_data in _data_type_0:
                data_type_0_item = BillingUsageEvent.from_dict(data_type_0_item_data)

                data_type_0.append(data_type_0_item)

            return data_type_0

        data = _parse_data(d.pop("data"))

        def _parse_sessions(data: object) -> Any | BillingUsageResponseSessionsType0 | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                sessions_type_0 = BillingUsageResponseSessionsType0.from_dict(data)

                return sessions_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Any | BillingUsageResponseSessionsType0 | None | Unset, data)

        sessions = _parse_sessions(d.pop("sessions", UNSET))

        def _parse_cost_data_through(data: object) -> Any | datetime.datetime | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                cost_data_through_type_0 = datetime.datetime.fromisoformat(data)

                return cost_data_through_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Any | datetime.datetime | None | Unset, data)

        cost_data_through = _parse_cost_data_through(d.pop("cost_data_through", UNSET))

        billing_usage_response = cls(
            data=data,
            sessions=sessions,
            cost_data_through=cost_data_through,
        )

        billing_usage_response.additional_properties = d
        return billing_usage_response

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
