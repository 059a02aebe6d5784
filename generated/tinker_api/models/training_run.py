# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.checkpoint import Checkpoint
    from ..models.text_metadata import TextMetadata


T = TypeVar("T", bound="TrainingRun")


@_attrs_define
class TrainingRun:
    """A training run."""

    training_run_id: None | str | Unset = UNSET
    """ Its id, the same as its model's. """
    base_model: None | str | Unset = UNSET
    """ Name of the base model. """
    model_owner: None | str | Unset = UNSET
    """ Whose it is. """
    is_lora: bool | None | Unset = UNSET
    """ Whether an adapter was trained. """
    corrupted: bool | None | Unset = False
    """ Whether its state is damaged. """
    lora_rank: int | None | Unset = UNSET
    """ Rank of the adapter, if it is one. """
    last_request_time: Any | datetime.datetime | None | str | Unset = UNSET
    """ When it was last worked on. """
    last_checkpoint: Any | Checkpoint | None | Unset = UNSET
    """ The latest training state saved. """
    last_sampler_checkpoint: Any | Checkpoint | None | Unset = UNSET
    """ The latest weights saved for sampling. """
    user_metadata: Any | None | TextMetadata | Unset = UNSET
    """ What the user wants to find again, or null. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.checkpoint import Checkpoint  # noqa: PLC0415
        from ..models.text_metadata import TextMetadata  # noqa: PLC0415

        training_run_id: None | str | Unset = self.training_run_id

        base_model: None | str | Unset = self.base_model

        model_owner: None | str | Unset = self.model_owner

        is_lora: bool | None | Unset = self.is_lora

        corrupted: bool | None | Unset = self.corrupted

        lora_rank: int | None | Unset = self.lora_rank

        last_request_time: Any | None | str | Unset
        if isinstance(self.last_request_time, Unset):
            last_request_time = UNSET
        elif isinstance(self.last_request_time, datetime.datetime):
            last_request_time = self.last_request_time.isoformat()
        else:
            last_request_time = self.last_request_time

        last_checkpoint: Any | dict[str, Any] | None | Unset
        if isinstance(self.last_checkpoint, Unset):
            last_checkpoint = UNSET
        elif isinstance(self.last_checkpoint, Checkpoint):
            last_checkpoint = self.last_checkpoint.to_dict()
        else:
            last_checkpoint = self.last_checkpoint

        last_sampler_checkpoint: Any | dict[str, Any] | None | Unset
        if isinstance(self.last_sampler_checkpoint, Unset):
            last_sampler_checkpoint = UNSET
        elif isinstance(self.last_sampler_checkpoint, Checkpoint):
            last_sampler_checkpoint = self.last_sampler_checkpoint.to_dict()
        else:
            last_sampler_checkpoint = self.last_sampler_checkpoint

        user_metadata: Any | dict[str, Any] | None | Unset
        if isinstance(self.user_metadata, Unset):
            user_metadata = UNSET
        elif isinstance(self.user_metadata, TextMetadata):
            user_metadata = self.user_metadata.to_dict()
        else:
            user_metadata = self.user_metadata

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if training_run_id is not UNSET:
            field_dict["training_run_id"] = training_run_id
        if base_model is not UNSET:
            field_dict["base_model"] = base_model
        if model_owner is not UNSET:
            field_dict["model_owner"] = model_owner
        if is_lora is not UNSET:
            field_dict["is_lora"] = is_lora
        if corrupted is not UNSET:
            field_dict["corrupted"] = corrupted
        if lora_rank is not UNSET:
            field_dict["lora_rank"] = lora_rank
        if last_request_time is not UNSET:
            field_dict["last_request_time"] = last_request_time
        if last_checkpoint is not UNSET:
            field_dict["last_checkpoint"] = last_checkpoint
        if last_sampler_checkpoint is not UNSET:
            field_dict["last_sampler_checkpoint"] = last_sampler_checkpoint
        if user_metadata is not UNSET:
            field_dict["user_metadata"] = user_metadata

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.checkpoint import Checkpoint  # noqa: PLC0415
        from ..models.text_metadata import TextMetadata  # noqa: PLC0415

        d = dict(src_dict)

        def _parse_training_run_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        training_run_id = _parse_training_run_id(d.pop("training_run_id", UNSET))

        def _parse_base_model(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        base_model = _parse_base_model(d.pop("base_model", UNSET))

        def _parse_model_owner(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        model_owner = _parse_model_owner(d.pop("model_owner", UNSET))

        def _parse_is_lora(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        is_lora = _parse_is_lora(d.pop("is_lora", UNSET))

        def _parse_corrupted(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        corrupted = _parse_corrupted(d.pop("corrupted", UNSET))

        def _parse_lora_rank(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        lora_rank = _parse_lora_rank(d.pop("lora_rank", UNSET))

        def _parse_last_request_time(data: object) -> Any | datetime.datetime | None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                last_request_time_type_0 = datetime.datetime.fromisoformat(data)

                return last_request_time_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Any | datetime.datetime | None | str | Unset, data)

        last_request_time = _parse_last_request_time(d.pop("last_request_time", UNSET))

        def _parse_last_checkpoint(data: object) -> Any | Checkpoint | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                last_checkpoint_type_0 = Checkpoint.from_dict(data)

                return last_checkpoint_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Any | Checkpoint | None | Unset, data)

        last_checkpoint = _parse_last_checkpoint(d.pop("last_checkpoint", UNSET))

        def _parse_last_sampler_checkpoint(data: object) -> Any | Checkpoint | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                last_sampler_checkpoint_type_0 = Checkpoint.from_dict(data)

                return last_sampler_checkpoint_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Any | Checkpoint | None | Unset, data)

        last_sampler_checkpoint = _parse_last_sampler_checkpoint(
            d.pop("last_sampler_checkpoint", UNSET)
        )

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

        training_run = cls(
            training_run_id=training_run_id,
            base_model=base_model,
            model_owner=model_owner,
            is_lora=is_lora,
            corrupted=corrupted,
            lora_rank=lora_rank,
            last_request_time=last_request_time,
            last_checkpoint=last_checkpoint,
            last_sampler_checkpoint=last_sampler_checkpoint,
            user_metadata=user_metadata,
        )

        training_run.additional_properties = d
        return training_run

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
