# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define

if TYPE_CHECKING:
    from ..models.session_finish_request_reason import SessionFinishRequestReason


T = TypeVar("T", bound="SessionFinishRequest")


@_attrs_define
class SessionFinishRequest:
    """Says how a session ended."""

    reason: SessionFinishRequestReason
    """ How a session ended. """
    detail: None | str
    """ More about it, or null. """

    def to_dict(self) -> dict[str, Any]:
        reason = self.reason.to_dict()

        detail: None | str = self.detail

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "reason": reason,
                "detail": detail,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.session_finish_request_reason import SessionFinishRequestReason  # noqa: PLC0415

        d = dict(src_dict)
        reason = SessionFinishRequestReason.from_dict(d.pop("reason"))

        def _parse_detail(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        detail = _parse_detail(d.pop("detail"))

        session_finish_request = cls(
            reason=reason,
            detail=detail,
        )

        return session_finish_request
