# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.external_weights_urls_response_urls_type_0 import (
        ExternalWeightsUrlsResponseUrlsType0,
    )


T = TypeVar("T", bound="ExternalWeightsUrlsResponse")


@_attrs_define
class ExternalWeightsUrlsResponse:
    """Where the files of external weights are."""

    urls: ExternalWeightsUrlsResponseUrlsType0 | None
    """ Signed URLs by relative path. """
    expires: datetime.datetime
    """ Until when they work. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.external_weights_urls_response_urls_type_0 import (
            ExternalWeightsUrlsResponseUrlsType0,  # noqa: PLC0415
        )

        urls: dict[str, Any] | None
        if isinstance(self.urls, ExternalWeightsUrlsResponseUrlsType0):
            urls = self.urls.to_dict()
        else:
            urls = self.urls

        expires = self.expires.isoformat()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "urls": urls,
                "expires": expires,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.external_weights_urls_response_urls_type_0 import (
            ExternalWeightsUrlsResponseUrlsType0,  # noqa: PLC0415
        )

        d = dict(src_dict)

        def _parse_urls(data: object) -> ExternalWeightsUrlsResponseUrlsType0 | None:
            if data is None:
                return data
            if not isinstance(data, dict):
                raise TypeError(f"urls cannot be {type(data).__name__}")
            urls_type_0 = ExternalWeightsUrlsResponseUrlsType0.from_dict(data)

            return urls_type_0

        urls = _parse_urls(d.pop("urls"))

        expires = datetime.datetime.fromisoformat(d.pop("expires"))

        external_weights_urls_response = cls(
            urls=urls,
            expires=expires,
        )

        external_weights_urls_response.additional_properties = d
        return external_weights_urls_response

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
