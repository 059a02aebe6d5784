# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.cursor import Cursor
    from ..models.training_run import TrainingRun


T = TypeVar("T", bound="TrainingRunsResponse")


@_attrs_define
class TrainingRunsResponse:
    """A page of training runs."""

    training_runs: list[TrainingRun] | None
    """ The runs, latest first. """
    cursor: Any | Cursor | None | Unset = UNSET
    """ Where the page is. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.cursor import Cursor  # noqa: PLC0415

        training_runs: list[dict[str, Any]] | None
        if isinstance(self.training_runs, list):
            training_runs = []
            for training_runs_type_0_item_data in self.training_runs:
                training_runs_type_0_item = training_runs_type_0_item_data.to_dict()
                training_runs.append(training_runs_type_0_item)

        else:
            training_runs = self.training_runs

        cursor: Any | dict[str, Any] | None | Unset
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
                "training_runs": training_runs,
            }
        )
        if cursor is not UNSET:
            field_dict["cursor"] = cursor

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.cursor import Cursor  # noqa: PLC0415
        from ..models.training_run import TrainingRun  # noqa: PLC0415

        d = dict(src_dict)

        def _parse_training_runs(data: object) -> list[TrainingRun] | None:
            if data is None:
                return data
            if not isinstance(data, list):
                raise TypeError(f"training_runs cannot be {type(data).__name__}")
            training_runs_type_0 = []
            _training_runs_type_0 = data
            for training_runs_type_0_item_data in _training_runs_type_0:
                training_runs_type_0_item = TrainingRun.from_dict(training_runs_type_0_item_data)

                training_runs_type_0.append(training_runs_type_0_item)

            return training_runs_type_0

        training_runs = _parse_training_runs(d.pop("training_runs"))

        def _parse_cursor(data: object) -> Any | Cursor | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                cursor_type_0 = Cursor.from_dict(data)

                return cursor_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Any | Cursor | None | Unset, data)

        cursor = _parse_cursor(d.pop("cursor", UNSET))

        training_runs_response = cls(
            training_runs=training_runs,
            cursor=cursor,
        )

        training_runs_response.additional_properties = d
        return training_runs_response

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
