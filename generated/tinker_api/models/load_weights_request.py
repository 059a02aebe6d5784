# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.adam_optimizer_config import AdamOptimizerConfig
    from ..models.optimizer_config_base import OptimizerConfigBase
    from ..models.user_metadata import UserMetadata


T = TypeVar("T", bound="LoadWeightsRequest")


@_attrs_define
class LoadWeightsRequest:
    """Loads a saved training state."""

    path: str
    """ The tinker:// path of what to load. """
    model_id: None | str | Unset = UNSET
    """ The model to load into. """
    seq_id: int | None | Unset = UNSET
    """ Place in the order of the model's requests, from 1. A repeat of a number is the same request. """
    session_id: None | str | Unset = UNSET
    """ With model_seq_id, makes a new model from the weights; instead of model_id. """
    model_seq_id: int | None | Unset = UNSET
    """ Counts the models of the session, as in CreateModelRequest. """
    base_model: None | str | Unset = UNSET
    """ For a new model: another base model, which must fit. """
    user_metadata: None | Unset | UserMetadata = UNSET
    """ What the user wants to find again, or null. """
    optimizer: bool | Unset = UNSET
    """ Whether to load the optimizer's state too. """
    optimizer_config: AdamOptimizerConfig | None | OptimizerConfigBase | Unset = UNSET
    """ For a new model without an optimizer's state: the kind of optimizer. """
    weights_access_token: None | str | Unset = UNSET
    """ A token for weights of another account. A secret. """
    type_: Literal["load_weights"] | Unset = "load_weights"

    def to_dict(self) -> dict[str, Any]:
        from ..models.adam_optimizer_config import AdamOptimizerConfig  # noqa: PLC0415
        from ..models.optimizer_config_base import OptimizerConfigBase  # noqa: PLC0415
        from ..models.user_metadata import UserMetadata  # noqa: PLC0415

        path = self.path

        model_id: None | str | Unset = self.model_id

        seq_id: int | None | Unset = self.seq_id

        session_id: None | str | Unset = self.session_id

        model_seq_id: int | None | Unset = self.model_seq_id

        base_model: None | str | Unset = self.base_model

        user_metadata: dict[str, Any] | None | Unset
        if isinstance(self.user_metadata, Unset):
            user_metadata = UNSET
        elif isinstance(self.user_metadata, UserMetadata):
            user_metadata = self.user_metadata.to_dict()
        else:
            user_metadata = self.user_metadata

        optimizer = self.optimizer

        optimizer_config: dict[str, Any] | None | Unset
        if isinstance(self.optimizer_config, Unset):
            optimizer_config = UNSET
        elif isinstance(self.optimizer_config, OptimizerConfigBase):
            optimizer_config = self.optimizer_config.to_dict()
        elif isinstance(self.optimizer_config, AdamOptimizerConfig):
            optimizer_config = self.optimizer_config.to_dict()
        else:
            optimizer_config = self.optimizer_config

        weights_access_token: None | str | Unset = self.weights_access_token

        type_ = self.type_

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "path": path,
            }
        )
        if model_id is not UNSET:
            field_dict["model_id"] = model_id
        if seq_id is not UNSET:
            field_dict["seq_id"] = seq_id
        if session_id is not UNSET:
            field_dict["session_id"] = session_id
        if model_seq_id is not UNSET:
            field_dict["model_seq_id"] = model_seq_id
        if base_model is not UNSET:
            field_dict["base_model"] = base_model
        if user_metadata is not UNSET:
            field_dict["user_metadata"] = user_metadata
        if optimizer is not UNSET:
            field_dict["optimizer"] = optimizer
        if optimizer_config is not UNSET:
            field_dict["optimizer_config"] = optimizer_config
        if weights_access_token is not UNSET:
            field_dict["weights_access_token"] = weights_access_token
        if type_ is not UNSET:
            field_dict["type"] = type_

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.adam_optimizer_config import AdamOptimizerConfig  # noqa: PLC0415
        from ..models.optimizer_config_base import OptimizerConfigBase  # noqa: PLC0415
        from ..models.user_metadata import UserMetadata  # noqa: PLC0415

        d = dict(src_dict)
        path = d.pop("path")

        def _parse_model_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        model_id = _parse_model_id(d.pop("model_id", UNSET))

        def _parse_seq_id(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        seq_id = _parse_seq_id(d.pop("seq_id", UNSET))

        def _parse_session_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        session_id = _parse_session_id(d.pop("session_id", UNSET))

        def _parse_model_seq_id(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        model_seq_id = _parse_model_seq_id(d.pop("model_seq_id", UNSET))

        def _parse_base_model(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        base_model = _parse_base_model(d.pop("base_model", UNSET))

        def _parse_user_metadata(data: object) -> None | Unset | UserMetadata:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            if not isinstance(data, dict):
                raise TypeError(f"user_metadata cannot be {type(data).__name__}")
            user_metadata_type_0 = UserMetadata.from_dict(data)

            return user_metadata_type_0

        user_metadata = _parse_user_metadata(d.pop("user_metadata", UNSET))

        optimizer = d.pop("optimizer", UNSET)

        def _parse_optimizer_config(
            data: object,
        ) -> AdamOptimizerConfig | None | OptimizerConfigBase | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_optimizer_config_type_0 = OptimizerConfigBase.from_dict(data)

                return componentsschemas_optimizer_config_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            if not isinstance(data, dict):
                raise TypeError(f"optimizer_config cannot be {type(data).__name__}")
            componentsschemas_optimizer_config_type_1 = AdamOptimizerConfig.from_dict(data)

            return componentsschemas_optimizer_config_type_1

        optimizer_config = _parse_optimizer_config(d.pop("optimizer_config", UNSET))

        def _parse_weights_access_token(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        weights_access_token = _parse_weights_access_token(d.pop("weights_access_token", UNSET))

        type_ = cast(Literal["load_weights"] | Unset, d.pop("type", UNSET))
        if type_ != "load_weights" and not isinstance(type_, Unset):
            raise ValueError(f"type must match const 'load_weights', got '{type_}'")

        load_weights_request = cls(
            path=path,
            model_id=model_id,
            seq_id=seq_id,
            session_id=session_id,
            model_seq_id=model_seq_id,
            base_model=base_model,
            user_metadata=user_metadata,
            optimizer=optimizer,
            optimizer_config=optimizer_config,
            weights_access_token=weights_access_token,
            type_=type_,
        )

        return load_weights_request
