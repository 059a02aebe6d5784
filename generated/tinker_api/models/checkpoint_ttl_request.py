# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define

T = TypeVar("T", bound="CheckpointTtlRequest")


@_attrs_define
class CheckpointTtlRequest:
    """Lets a checkpoint expire."""

    ttl_seconds: int | None
    """ Seconds from now; null to keep it. """

    def to_dict(self) -> dict[str, Any]:
        ttl_seconds: int | None = self.ttl_seconds

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "ttl_seconds": ttl_seconds,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)

        def _parse_ttl_seconds(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        ttl_seconds = _parse_ttl_seconds(d.pop("ttl_seconds"))

        checkpoint_ttl_request = cls(
            ttl_seconds=ttl_seconds,
        )

        return checkpoint_ttl_request
