# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from attrs import define as _attrs_define

from ..models.session_finish_request_reason_type import (
    SessionFinishRequestReasonType,
    check_session_finish_request_reason_type,
)

T = TypeVar("T", bound="SessionFinishRequestReason")


@_attrs_define
class SessionFinishRequestReason:
    """How a session ended."""

    type_: SessionFinishRequestReasonType
    """ Ways a session ends. """

    def to_dict(self) -> dict[str, Any]:
        type_: str = self.type_

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "type": type_,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        type_ = check_session_finish_request_reason_type(d.pop("type"))

        session_finish_request_reason = cls(
            type_=type_,
        )

        return session_finish_request_reason
