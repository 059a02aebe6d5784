# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from attrs import define as _attrs_define

T = TypeVar("T", bound="FutureRetrieveRequest")


@_attrs_define
class FutureRetrieveRequest:
    """Fetches a result."""

    request_id: str
    """ The id of submitted work. Its form is the server's affair. """

    def to_dict(self) -> dict[str, Any]:
        request_id = self.request_id

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "request_id": request_id,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        request_id = d.pop("request_id")

        future_retrieve_request = cls(
            request_id=request_id,
        )

        return future_retrieve_request
