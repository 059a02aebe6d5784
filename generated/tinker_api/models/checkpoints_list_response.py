# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.checkpoint import Checkpoint
    from ..models.cursor import Cursor


T = TypeVar("T", bound="CheckpointsListResponse")


@_attrs_define
class CheckpointsListResponse:
    """Checkpoints, or a page of them."""

    checkpoints: list[Checkpoint] | None
    """ The checkpoints. """
    cursor: Cursor | None | Unset = UNSET
    """ Where the page is; null where there are no pages. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.cursor import Cursor  # noqa: PLC0415

        checkpoints: list[dict[str, Any]] | None
        if isinstance(self.checkpoints, list):
            checkpoints = []
            for checkpoints_type_0_item_data in self.checkpoints:
                checkpoints_type_0_item = checkpoints_type_0_item_data.to_dict()
                checkpoints.append(checkpoints_type_0_item)

        else:
            checkpoints = self.checkpoints

        cursor: dict[str, Any] | None | Unset
        if isinstance(self.cursor, Unset):
            cursor = UNSET
        elif isinstance(self.cursor, Cursor):
            cursor = self.cursor.to_dict()
        else:
            cursor = self.cursor

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "checkpoints": checkpoints,
            }
        )
        if cursor is not UNSET:
            field_dict["cursor"] = cursor

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.checkpoint import Checkpoint  # noqa: PLC0415
        from ..models.cursor import Cursor  # noqa: PLC0415

        d = dict(src_dict)

        def _parse_checkpoints(data: object) -> list[Checkpoint] | None:
            if data is None:
                return data
            if not isinstance(data, list):
                raise TypeError(f"checkpoints cannot be {type(data).__name__}")
            checkpoints_type_0 = []
            _checkpoints_type_0 = data
            for checkpoints_type_0_item_data in _checkpoints_type_0:
                checkpoints_type_0_item = Checkpoint.from_dict(checkpoints_type_0_item_data)

                checkpoints_type_0.append(checkpoints_type_0_item)

            return checkpoints_type_0

        checkpoints = _parse_checkpoints(d.pop("checkpoints"))

        def _parse_cursor(data: object) -> Cursor | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            if not isinstance(data, dict):
                raise TypeError(f"cursor cannot be {type(data).__name__}")
            cursor_type_0 = Cursor.from_dict(data)

            return cursor_type_0

        cursor = _parse_cursor(d.pop("cursor", UNSET))

        checkpoints_list_response = cls(
            checkpoints=checkpoints,
            cursor=cursor,
        )

        checkpoints_list_response.additional_properties = d
        return checkpoints_list_response

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
