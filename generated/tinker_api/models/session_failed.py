# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.session_failed_category_known import (
    SessionFailedCategoryKnown,
    check_session_failed_category_known,
)

if TYPE_CHECKING:
    from ..models.other_object import OtherObject
    from ..models.session_failed_request_reason import SessionFailedRequestReason
    from ..models.session_failed_sampling_session_reason import SessionFailedSamplingSessionReason
    from ..models.session_failed_training_run_reason import SessionFailedTrainingRunReason


T = TypeVar("T", bound="SessionFailed")


@_attrs_define
class SessionFailed:
    """Something in it failed."""

    type_: Literal["failed"]
    category: SessionFailedCategoryKnown | str
    """ The party that can resolve the failure. Values not listed may occur. """
    reason: (
        OtherObject
        | SessionFailedRequestReason
        | SessionFailedSamplingSessionReason
        | SessionFailedTrainingRunReason
    )
    """ The cause of the failure, identified by `type`. """
    message: str
    """ The reason in words. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        type_ = self.type_

        category: str = self.category

        reason: dict[str, Any]
        reason = self.reason.to_dict()

        message = self.message

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "type": type_,
                "category": category,
                "reason": reason,
                "message": message,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.other_object import OtherObject  # noqa: PLC0415
        from ..models.session_failed_request_reason import SessionFailedRequestReason  # noqa: PLC0415
        from ..models.session_failed_sampling_session_reason import (
            SessionFailedSamplingSessionReason,  # noqa: PLC0415
        )
        from ..models.session_failed_training_run_reason import SessionFailedTrainingRunReason  # noqa: PLC0415

        d = dict(src_dict)
        type_ = cast(Literal["failed"], d.pop("type"))
        if type_ != "failed":
            raise ValueError(f"type must match const 'failed', got '{type_}'")

        def _parse_category(data: object) -> SessionFailedCategoryKnown | str:
            try:
                if not isinstance(data, str):
                    raise TypeError()
                componentsschemas_session_failed_category_type_0 = (
                    check_session_failed_category_known(data)
                )

                return componentsschemas_session_failed_category_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(SessionFailedCategoryKnown | str, data)

        category = _parse_category(d.pop("category"))

        def _parse_reason(
            data: object,
        ) -> (
            OtherObject
            | SessionFailedRequestReason
            | SessionFailedSamplingSessionReason
            | SessionFailedTrainingRunReason
        ):
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_session_failed_reason_type_0 = (
                    SessionFailedRequestReason.from_dict(data)
                )

                return componentsschemas_session_failed_reason_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_session_failed_reason_type_1 = (
                    SessionFailedTrainingRunReason.from_dict(data)
                )

                return componentsschemas_session_failed_reason_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_session_failed_reason_type_2 = (
                    SessionFailedSamplingSessionReason.from_dict(data)
                )

                return componentsschemas_session_failed_reason_type_2
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            if not isinstance(data, dict):
                raise TypeError(f"reason cannot be {type(data).__name__}")
            componentsschemas_session_failed_reason_type_3 = OtherObject.from_dict(data)

            return componentsschemas_session_failed_reason_type_3

        reason = _parse_reason(d.pop("reason"))

        message = d.pop("message")

        session_failed = cls(
            type_=type_,
            category=category,
            reason=reason,
            message=message,
        )

        session_failed.additional_properties = d
        return session_failed

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
