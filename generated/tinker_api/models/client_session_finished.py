# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.client_session_finish_errored import ClientSessionFinishErrored
    from ..models.client_session_finish_interrupted import ClientSessionFinishInterrupted
    from ..models.client_session_finish_success import ClientSessionFinishSuccess
    from ..models.other_object import OtherObject


T = TypeVar("T", bound="ClientSessionFinished")


@_attrs_define
class ClientSessionFinished:
    """Its client said that it was over."""

    type_: Literal["client_finished"]
    reason: (
        ClientSessionFinishErrored
        | ClientSessionFinishInterrupted
        | ClientSessionFinishSuccess
        | OtherObject
    )
    """ How it ended, identified by `type`. """
    detail: None | str | Unset = UNSET
    """ More about it, or null. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        type_ = self.type_

        reason: dict[str, Any]
        reason = self.reason.to_dict()

        detail: None | str | Unset = self.detail

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "type": type_,
                "reason": reason,
            }
        )
        if detail is not UNSET:
            field_dict["detail"] = detail

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.client_session_finish_errored import ClientSessionFinishErrored  # noqa: PLC0415
        from ..models.client_session_finish_interrupted import ClientSessionFinishInterrupted  # noqa: PLC0415
        from ..models.client_session_finish_success import ClientSessionFinishSuccess  # noqa: PLC0415
        from ..models.other_object import OtherObject  # noqa: PLC0415

        d = dict(src_dict)
        type_ = cast(Literal["client_finished"], d.pop("type"))
        if type_ != "client_finished":
            raise ValueError(f"type must match const 'client_finished', got '{type_}'")

        def _parse_reason(
            data: object,
        ) -> (
            ClientSessionFinishErrored
            | ClientSessionFinishInterrupted
            | ClientSessionFinishSuccess
            | OtherObject
        ):
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_client_session_finish_reason_type_0 = (
                    ClientSessionFinishSuccess.from_dict(data)
                )

                return componentsschemas_client_session_finish_reason_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_client_session_finish_reason_type_1 = (
                    ClientSessionFinishErrored.from_dict(data)
                )

                return componentsschemas_client_session_finish_reason_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_client_session_finish_reason_type_2 = (
                    ClientSessionFinishInterrupted.from_dict(data)
                )

                return componentsschemas_client_session_finish_reason_type_2
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            if not isinstance(data, dict):
                raise TypeError(f"reason cannot be {type(data).__name__}")
            componentsschemas_client_session_finish_reason_type_3 = OtherObject.from_dict(data)

            return componentsschemas_client_session_finish_reason_type_3

        reason = _parse_reason(d.pop("reason"))

        def _parse_detail(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        detail = _parse_detail(d.pop("detail", UNSET))

        client_session_finished = cls(
            type_=type_,
            reason=reason,
            detail=detail,
        )

        client_session_finished.additional_properties = d
        return client_session_finished

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
