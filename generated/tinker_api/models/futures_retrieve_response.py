# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.future_failed import FutureFailed
    from ..models.future_finished import FutureFinished
    from ..models.other_object import OtherObject


T = TypeVar("T", bound="FuturesRetrieveResponse")


@_attrs_define
class FuturesRetrieveResponse:
    """Requests that have ended since the last time."""

    completions: list[FutureFailed | FutureFinished | OtherObject] | None
    """ The requests. """
    cursor: int
    """ What to ask from the next time. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        completions: list[dict[str, Any]] | None
        if isinstance(self.completions, list):
            completions = []
            for completions_type_0_item_data in self.completions:
                completions_type_0_item: dict[str, Any]
                completions_type_0_item = completions_type_0_item_data.to_dict()
                completions.append(completions_type_0_item)

        else:
            completions = self.completions

        cursor = self.cursor

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "completions": completions,
                "cursor": cursor,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.future_failed import FutureFailed  # noqa: PLC0415
        from ..models.future_finished import FutureFinished  # noqa: PLC0415
        from ..models.other_object import OtherObject  # noqa: PLC0415

        d = dict(src_dict)

        def _parse_completions(
            data: object,
        ) -> list[FutureFailed | FutureFinished | OtherObject] | None:
            if data is None:
                return data
            if not isinstance(data, list):
                raise TypeError(f"completions cannot be {type(data).__name__}")
            completions_type_0 = []
            _completions_type_0 = data
            for completions_type_0_item_data in _completions_type_0:

                def _parse_completions_type_0_item(
                    data: object,
                ) -> FutureFailed | FutureFinished | OtherObject:
                    try:
                        if not isinstance(data, dict):
                            raise TypeError()
                        componentsschemas_future_completion_type_0 = FutureFinished.from_dict(data)

                        return componentsschemas_future_completion_type_0
                    except (TypeError, ValueError, AttributeError, KeyError):
                        pass
                    try:
                        if not isinstance(data, dict):
                            raise TypeError()
                        componentsschemas_future_completion_type_1 = FutureFailed.from_dict(data)

                        return componentsschemas_future_completion_type_1
                    except (TypeError, ValueError, AttributeError, KeyError):
                        pass
                    if not isinstance(data, dict):
                        raise TypeError(f"completions_type_0_item cannot be {type(data).__name__}")
                    componentsschemas_future_completion_type_2 = OtherObject.from_dict(data)

                    return componentsschemas_future_completion_type_2

                completions_type_0_item = _parse_completions_type_0_item(
                    completions_type_0_item_data
                )

                completions_type_0.append(completions_type_0_item)

            return completions_type_0

        completions = _parse_completions(d.pop("completions"))

        cursor = d.pop("cursor")

        futures_retrieve_response = cls(
            completions=completions,
            cursor=cursor,
        )

        futures_retrieve_response.additional_properties = d
        return futures_retrieve_response

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
