# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.external_weights_urls_response_urls_type_0 import (
        ExternalWeightsUrlsResponseUrlsType0,
    )


T = TypeVar("T", bound="ExternalWeightsUrlsResponse")


@_attrs_define
class ExternalWeightsUrlsResponse:
    """Where the files of external weights are."""

    urls: Any | ExternalWeightsUrlsResponseUrlsType0 | None | Unset = UNSET
    """ Signed URLs by relative path. """
    expires: Any | datetime.datetime | None | Unset = UNSET
    """ Until when they work. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.external_weights_urls_response_urls_type_0 import (
            ExternalWeightsUrlsResponseUrlsType0,  # noqa: PLC0415
        )

        urls: Any | dict[str, Any] | None | Unset
        if isinstance(self.urls, Unset):
            urls = UNSET
        elif isinstance(self.urls, ExternalWeightsUrlsResponseUrlsType0):
            urls = self.urls.to_dict()
        else:
            urls = self.urls

        expires: Any | None | str | Unset
        if isinstance(self.expires, Unset):
            expires = UNSET
        elif isinstance(self.expires, datetime.datetime):
            expires = self.expires.isoformat()
        else:
            expires = self.expires

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if urls is not UNSET:
            field_dict["urls"] = urls
        if expires is not UNSET:
            field_dict["expires"] = expires

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.external_weights_urls_response_urls_type_0 import (
            ExternalWeightsUrlsResponseUrlsType0,  # noqa: PLC0415
        )

        d = dict(src_dict)

        def _parse_urls(data: object) -> Any | ExternalWeightsUrlsResponseUrlsType0 | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                urls_type_0 = ExternalWeightsUrlsResponseUrlsType0.from_dict(data)

                return urls_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Any | ExternalWeightsUrlsResponseUrlsType0 | None | Unset, data)

        urls = _parse_urls(d.pop("urls", UNSET))

        def _parse_expires(data: object) -> Any | datetime.datetime | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                expires_type_0 = datetime.datetime.fromisoformat(data)

                return expires_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Any | datetime.datetime | None | Unset, data)

        expires = _parse_expires(d.pop("expires", UNSET))

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
