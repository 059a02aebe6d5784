# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.api_key_details import ApiKeyDetails


T = TypeVar("T", bound="SelfApiKeyResponse")


@_attrs_define
class SelfApiKeyResponse:
    """A key, without the key itself."""

    key_id: int
    """ Its number. """
    name: str
    """ Its name. """
    note: str
    """ What its owner noted about it. """
    details: ApiKeyDetails
    """ Whose a key is. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        key_id = self.key_id

        name = self.name

        note = self.note

        details = self.details.to_dict()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "key_id": key_id,
                "name": name,
                "note": note,
                "details": details,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.api_key_details import ApiKeyDetails  # noqa: PLC0415

        d = dict(src_dict)
        key_id = d.pop("key_id")

        name = d.pop("name")

        note = d.pop("note")

        details = ApiKeyDetails.from_dict(d.pop("details"))

        self_api_key_response = cls(
            key_id=key_id,
            name=name,
            note=note,
            details=details,
        )

        self_api_key_response.additional_properties = d
        return self_api_key_response

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
