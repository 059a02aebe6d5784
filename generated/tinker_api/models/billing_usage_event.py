# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.checkpoint_billing_event import CheckpointBillingEvent
    from ..models.other_object import OtherObject
    from ..models.sampling_prefill_billing_event import SamplingPrefillBillingEvent
    from ..models.sampling_sample_billing_event import SamplingSampleBillingEvent
    from ..models.storage_billing_event import StorageBillingEvent
    from ..models.training_billing_event import TrainingBillingEvent


T = TypeVar("T", bound="BillingUsageEvent")


@_attrs_define
class BillingUsageEvent:
    """The usage of one kind in one hour."""

    bucket_start: Any | datetime.datetime | None | Unset = UNSET
    """ When the hour begins. """
    bucket_end: Any | datetime.datetime | None | Unset = UNSET
    """ When it ends. """
    base_model: None | str | Unset = UNSET
    """ The base model, if known. """
    user_id: None | str | Unset = UNSET
    """ Whose session it was, if known. """
    user_name: None | str | Unset = UNSET
    """ Their name. """
    session_id: None | str | Unset = UNSET
    """ The session, if there was one. """
    project_id: None | str | Unset = UNSET
    """ The session's project. """
    estimated_cost_usd: float | None | Unset = UNSET
    """ The cost in US dollars, before credits; null if unknown. """
    effective_rate_usd_per_million_tokens: float | None | Unset = UNSET
    """ The price of a million tokens in US dollars, for tokens. """
    effective_rate_usd_per_gigabyte_month: float | None | Unset = UNSET
    """ The price of a gigabyte for 720 hours in US dollars, for storage. """
    event_info: (
        Any
        | CheckpointBillingEvent
        | None
        | OtherObject
        | SamplingPrefillBillingEvent
        | SamplingSampleBillingEvent
        | StorageBillingEvent
        | TrainingBillingEvent
        | Unset
    ) = UNSET
    """ What kind it was and how much. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.checkpoint_billing_event import CheckpointBillingEvent  # noqa: PLC0415
        from ..models.other_object import OtherObject  # noqa: PLC0415
        from ..models.sampling_prefill_billing_event import SamplingPrefillBillingEvent  # noqa: PLC0415
        from ..models.sampling_sample_billing_event import SamplingSampleBillingEvent  # noqa: PLC0415
        from ..models.storage_billing_event import StorageBillingEvent  # noqa: PLC0415
        from ..models.training_billing_event import TrainingBillingEvent  # noqa: PLC0415

        bucket_start: Any | None | str | Unset
        if isinstance(self.bucket_start, Unset):
            bucket_start = UNSET
        elif isinstance(self.bucket_start, datetime.datetime):
            bucket_start = self.bucket_start.isoformat()
        else:
            bucket_start = self.bucket_start

        bucket_end: Any | None | str | Unset
        if isinstance(self.bucket_end, Unset):
            bucket_end = UNSET
        elif isinstance(self.bucket_end, datetime.datetime):
            bucket_end = self.bucket_end.isoformat()
        else:
            bucket_end = self.bucket_end

        base_model: None | str | Unset = self.base_model

        user_id: None | str | Unset = self.user_id

        user_name: None | str | Unset = self.user_name

        session_id: None | str | Unset = self.session_id

        project_id: None | str | Unset = self.project_id

        estimated_cost_usd: float | None | Unset = self.estimated_cost_usd

        effective_rate_usd_per_million_tokens: float | None | Unset = (
            self.effective_rate_usd_per_million_tokens
        )

        effective_rate_usd_per_gigabyte_month: float | None | Unset = (
            self.effective_rate_usd_per_gigabyte_month
        )

        event_info: Any | dict[str, Any] | None | Unset
        if isinstance(self.event_info, Unset):
            event_info = UNSET
        elif isinstance(self.event_info, SamplingPrefillBillingEvent):
            event_info = self.event_info.to_dict()
        elif isinstance(self.event_info, TrainingBillingEvent):
            event_info = self.event_info.to_dict()
        elif isinstance(self.event_info, SamplingSampleBillingEvent):
            event_info = self.event_info.to_dict()
        elif isinstance(self.event_info, CheckpointBillingEvent):
            event_info = self.event_info.to_dict()
        elif isinstance(self.event_info, StorageBillingEvent):
            event_info = self.event_info.to_dict()
        elif isinstance(self.event_info, OtherObject):
            event_info = self.event_info.to_dict()
        else:
            event_info = self.event_info

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if bucket_start is not UNSET:
            field_dict["bucket_start"] = bucket_start
        if bucket_end is not UNSET:
            field_dict["bucket_end"] = bucket_end
        if base_model is not UNSET:
            field_dict["base_model"] = base_model
        if user_id is not UNSET:
            field_dict["user_id"] = user_id
        if user_name is not UNSET:
            field_dict["user_name"] = user_name
        if session_id is not UNSET:
            field_dict["session_id"] = session_id
        if project_id is not UNSET:
            field_dict["project_id"] = project_id
        if estimated_cost_usd is not UNSET:
            field_dict["estimated_cost_usd"] = estimated_cost_usd
        if effective_rate_usd_per_million_tokens is not UNSET:
            field_dict["effective_rate_usd_per_million_tokens"] = (
                effective_rate_usd_per_million_tokens
            )
        if effective_rate_usd_per_gigabyte_month is not UNSET:
            field_dict["effective_rate_usd_per_gigabyte_month"] = (
                effective_rate_usd_per_gigabyte_month
            )
        if event_info is not UNSET:
            field_dict["event_info"] = event_info

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.checkpoint_billing_event import CheckpointBillingEvent  # noqa: PLC0415
        from ..models.other_object import OtherObject  # noqa: PLC0415
        from ..models.sampling_prefill_billing_event import SamplingPrefillBillingEvent  # noqa: PLC0415
        from ..models.sampling_sample_billing_event import SamplingSampleBillingEvent  # noqa: PLC0415
        from ..models.storage_billing_event import StorageBillingEvent  # noqa: PLC0415
        from ..models.training_billing_event import TrainingBillingEvent  # noqa: PLC0415

        d = dict(src_dict)

        def _parse_bucket_start(data: object) -> Any | datetime.datetime | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                bucket_start_type_0 = datetime.datetime.fromisoformat(data)

                return bucket_start_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Any | datetime.datetime | None | Unset, data)

        bucket_start = _parse_bucket_start(d.pop("bucket_start", UNSET))

        def _parse_bucket_end(data: object) -> Any | datetime.datetime | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                bucket_end_type_0 = datetime.datetime.fromisoformat(data)

                return bucket_end_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Any | datetime.datetime | None | Unset, data)

        bucket_end = _parse_bucket_end(d.pop("bucket_end", UNSET))

        def _parse_base_model(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        base_model = _parse_base_model(d.pop("base_model", UNSET))

        def _parse_user_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        user_id = _parse_user_id(d.pop("user_id", UNSET))

        def _parse_user_name(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        user_name = _parse_user_name(d.pop("user_name", UNSET))

        def _parse_session_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        session_id = _parse_session_id(d.pop("session_id", UNSET))

        def _parse_project_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        project_id = _parse_project_id(d.pop("project_id", UNSET))

        def _parse_estimated_cost_usd(data: object) -> float | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | Unset, data)

        estimated_cost_usd = _parse_estimated_cost_usd(d.pop("estimated_cost_usd", UNSET))

        def _parse_effective_rate_usd_per_million_tokens(data: object) -> float | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | Unset, data)

        effective_rate_usd_per_million_tokens = _parse_effective_rate_usd_per_million_tokens(
            d.pop("effective_rate_usd_per_million_tokens", UNSET)
        )

        def _parse_effective_rate_usd_per_gigabyte_month(data: object) -> float | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | Unset, data)

        effective_rate_usd_per_gigabyte_month = _parse_effective_rate_usd_per_gigabyte_month(
            d.pop("effective_rate_usd_per_gigabyte_month", UNSET)
        )

        def _parse_event_info(
            data: object,
        ) -> (
            Any
            | CheckpointBillingEvent
            | None
            | OtherObject
            | SamplingPrefillBillingEvent
            | SamplingSampleBillingEvent
            | StorageBillingEvent
            | TrainingBillingEvent
            | Unset
        ):
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_billing_event_info_type_0 = SamplingPrefillBillingEvent.from_dict(
                    data
                )

                return componentsschemas_billing_event_info_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_billing_event_info_type_1 = TrainingBillingEvent.from_dict(data)

                return componentsschemas_billing_event_info_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_billing_event_info_type_2 = SamplingSampleBillingEvent.from_dict(
                    data
                )

                return componentsschemas_billing_event_info_type_2
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_billing_event_info_type_3 = CheckpointBillingEvent.from_dict(data)

                return componentsschemas_billing_event_info_type_3
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_billing_event_info_type_4 = StorageBillingEvent.from_dict(data)

                return componentsschemas_billing_event_info_type_4
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_billing_event_info_type_5 = OtherObject.from_dict(data)

                return componentsschemas_billing_event_info_type_5
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(
                Any
                | CheckpointBillingEvent
                | None
                | OtherObject
                | SamplingPrefillBillingEvent
                | SamplingSampleBillingEvent
                | StorageBillingEvent
                | TrainingBillingEvent
                | Unset,
                data,
            )

        event_info = _parse_event_info(d.pop("event_info", UNSET))

        billing_usage_event = cls(
            bucket_start=bucket_start,
            bucket_end=bucket_end,
            base_model=base_model,
            user_id=user_id,
            user_name=user_name,
            session_id=session_id,
            project_id=project_id,
            estimated_cost_usd=estimated_cost_usd,
            effective_rate_usd_per_million_tokens=effective_rate_usd_per_million_tokens,
            effective_rate_usd_per_gigabyte_month=effective_rate_usd_per_gigabyte_month,
            event_info=event_info,
        )

        billing_usage_event.additional_properties = d
        return billing_usage_event

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
