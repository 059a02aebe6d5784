# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="CurrentCheckpointStorageUsageItem")


@_attrs_define
class CurrentCheckpointStorageUsageItem:
    """What the checkpoints of one owner in one project take up."""

    project_id: None | str | Unset = UNSET
    """ The project, if known. """
    org_user_urn: None | str | Unset = UNSET
    """ The owner, if known. """
    user_email: None | str | Unset = UNSET
    """ Their address. """
    user_name: None | str | Unset = UNSET
    """ Their name. """
    checkpoint_count: int | None | Unset = UNSET
    """ How many checkpoints. """
    size_bytes: int | None | Unset = UNSET
    """ Their size in bytes. """
    size_gigabytes: float | None | Unset = UNSET
    """ Their size in gigabytes. """
    estimated_monthly_cost_usd: float | None | Unset = UNSET
    """ What 720 hours of it cost in US dollars, if known. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        project_id: None | str | Unset = self.project_id

        org_user_urn: None | str | Unset = self.org_user_urn

        user_email: None | str | Unset = self.user_email

        user_name: None | str | Unset = self.user_name

        checkpoint_count: int | None | Unset = self.checkpoint_count

        size_bytes: int | None | Unset = self.size_bytes

        size_gigabytes: float | None | Unset = self.size_gigabytes

        estimated_monthly_cost_usd: float | None | Unset = self.estimated_monthly_cost_usd

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if project_id is not UNSET:
            field_dict["project_id"] = project_id
        if org_user_urn is not UNSET:
            field_dict["org_user_urn"] = org_user_urn
        if user_email is not UNSET:
            field_dict["user_email"] = user_email
        if user_name is not UNSET:
            field_dict["user_name"] = user_name
        if checkpoint_count is not UNSET:
            field_dict["checkpoint_count"] = checkpoint_count
        if size_bytes is not UNSET:
            field_dict["size_bytes"] = size_bytes
        if size_gigabytes is not UNSET:
            field_dict["size_gigabytes"] = size_gigabytes
        if estimated_monthly_cost_usd is not UNSET:
            field_dict["estimated_monthly_cost_usd"] = estimated_monthly_cost_usd

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)

        def _parse_project_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        project_id = _parse_project_id(d.pop("project_id", UNSET))

        def _parse_org_user_urn(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        org_user_urn = _parse_org_user_urn(d.pop("org_user_urn", UNSET))

        def _parse_user_email(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        user_email = _parse_user_email(d.pop("user_email", UNSET))

        def _parse_user_name(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        user_name = _parse_user_name(d.pop("user_name", UNSET))

        def _parse_checkpoint_count(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        checkpoint_count = _parse_checkpoint_count(d.pop("checkpoint_count", UNSET))

        def _parse_size_bytes(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        size_bytes = _parse_size_bytes(d.pop("size_bytes", UNSET))

        def _parse_size_gigabytes(data: object) -> float | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | Unset, data)

        size_gigabytes = _parse_size_gigabytes(d.pop("size_gigabytes", UNSET))

        def _parse_estimated_monthly_cost_usd(data: object) -> float | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | Unset, data)

        estimated_monthly_cost_usd = _parse_estimated_monthly_cost_usd(
            d.pop("estimated_monthly_cost_usd", UNSET)
        )

        current_checkpoint_storage_usage_item = cls(
            project_id=project_id,
            org_user_urn=org_user_urn,
            user_email=user_email,
            user_name=user_name,
            checkpoint_count=checkpoint_count,
            size_bytes=size_bytes,
            size_gigabytes=size_gigabytes,
            estimated_monthly_cost_usd=estimated_monthly_cost_usd,
        )

        current_checkpoint_storage_usage_item.additional_properties = d
        return current_checkpoint_storage_usage_item

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
