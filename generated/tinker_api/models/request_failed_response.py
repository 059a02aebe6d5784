# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.request_error_category_known import (
    RequestErrorCategoryKnown,
    check_request_error_category_known,
)
from ..types import UNSET, Unset

T = TypeVar("T", bound="RequestFailedResponse")


@_attrs_define
class RequestFailedResponse:
    """The work failed, and will not succeed if asked for again."""

    error: str
    """ The reason in words. """
    category: None | RequestErrorCategoryKnown | str | Unset = UNSET
    """ Whose fault it is. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        error = self.error

        category: None | str | Unset = self.category

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "error": error,
            }
        )
        if category is not UNSET:
            field_dict["category"] = category

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        error = d.pop("error")

        def _parse_category(data: object) -> None | RequestErrorCategoryKnown | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                componentsschemas_request_error_category_type_0 = (
                    check_request_error_category_known(data)
                )

                return componentsschemas_request_error_category_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | RequestErrorCategoryKnown | str | Unset, data)

        category = _parse_category(d.pop("category", UNSET))

        request_failed_response = cls(
            error=error,
            category=category,
        )

        request_failed_response.additional_properties = d
        return request_failed_response

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
