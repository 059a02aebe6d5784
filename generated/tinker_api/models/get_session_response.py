# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.text_metadata import TextMetadata


T = TypeVar("T", bound="GetSessionResponse")


@_attrs_define
class GetSessionResponse:
    """What belongs to a session."""

    training_run_ids: list[str] | None
    """ Its training runs. """
    sampler_ids: list[str] | None
    """ Its sampling sessions. """
    user_metadata: Any | None | TextMetadata | Unset = UNSET
    """ What the user wants to find again, or null. """
    display_name: None | str | Unset = UNSET
    """ Its name for people, or null. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.text_metadata import TextMetadata  # noqa: PLC0415

        training_run_ids: list[str] | None = self.training_run_ids

        sampler_ids: list[str] | None = self.sampler_ids

        user_metadata: Any | dict[str, Any] | None | Unset
        if isinstance(self.user_metadata, Unset):
            user_metadata = UNSET
        elif isinstance(self.user_metadata, TextMetadata):
            user_metadata = self.user_metadata.to_dict()
        else:
            user_metadata = self.user_metadata

        display_name: None | str | Unset = self.display_name

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "training_run_ids": training_run_ids,
                "sampler_ids": sampler_ids,
            }
        )
        if user_metadata is not UNSET:
            field_dict["user_metadata"] = user_metadata
        if display_name is not UNSET:
            field_dict["display_name"] = display_name

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.text_metadata import TextMetadata  # noqa: PLC0415

        d = dict(src_dict)

        def _parse_training_run_ids(data: object) -> list[str] | None:
            if data is None:
                return data
            if not isinstance(data, list):
                raise TypeError(f"training_run_ids cannot be {type(data).__name__}")
            training_run_ids_type_0 = cast(list[str], data)

            return training_run_ids_type_0

        training_run_ids = _parse_training_run_ids(d.pop("training_run_ids"))

        def _parse_sampler_ids(data: object) -> list[str] | None:
            if data is None:
                return data
            if not isinstance(data, list):
                raise TypeError(f"sampler_ids cannot be {type(data).__name__}")
            sampler_ids_type_0 = cast(list[str], data)

            return sampler_ids_type_0

        sampler_ids = _parse_sampler_ids(d.pop("sampler_ids"))

        def _parse_user_metadata(data: object) -> Any | None | TextMetadata | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                user_metadata_type_0 = TextMetadata.from_dict(data)

                return user_metadata_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Any | None | TextMetadata | Unset, data)

        user_metadata = _parse_user_metadata(d.pop("user_metadata", UNSET))

        def _parse_display_name(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        display_name = _parse_display_name(d.pop("display_name", UNSET))

        get_session_response = cls(
            training_run_ids=training_run_ids,
            sampler_ids=sampler_ids,
            user_metadata=user_metadata,
            display_name=display_name,
        )

        get_session_response.additional_properties = d
        return get_session_response

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
