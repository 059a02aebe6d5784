# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.adam_params import AdamParams
    from ..models.dimuon_params import DimuonParams
    from ..models.optim_params_base import OptimParamsBase


T = TypeVar("T", bound="OptimStepRequest")


@_attrs_define
class OptimStepRequest:
    """An optimizer step."""

    model_id: str
    """ The id of a model being trained and of its training run. """
    seq_id: int | None | Unset = UNSET
    """ Place in the order of the model's requests, from 1. A repeat of a number is the same request. """
    type_: Literal["optim_step"] | Unset = "optim_step"
    adam_params: AdamParams | Unset = UNSET
    """ Settings of one Adam step. """
    optimizer_params: DimuonParams | OptimParamsBase | Unset = UNSET
    """ Its settings, for a model with another optimizer than Adam. """

    def to_dict(self) -> dict[str, Any]:
        model_id = self.model_id

        seq_id: int | None | Unset = self.seq_id

        type_ = self.type_

        adam_params: dict[str, Any] | Unset = UNSET
        if not isinstance(self.adam_params, Unset):
            adam_params = self.adam_params.to_dict()

        optimizer_params: dict[str, Any] | Unset
        if isinstance(self.optimizer_params, Unset):
            optimizer_params = UNSET
        else:
            optimizer_params = self.optimizer_params.to_dict()

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "model_id": model_id,
            }
        )
        if seq_id is not UNSET:
            field_dict["seq_id"] = seq_id
        if type_ is not UNSET:
            field_dict["type"] = type_
        if adam_params is not UNSET:
            field_dict["adam_params"] = adam_params
        if optimizer_params is not UNSET:
            field_dict["optimizer_params"] = optimizer_params

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.adam_params import AdamParams  # noqa: PLC0415
        from ..models.dimuon_params import DimuonParams  # noqa: PLC0415
        from ..models.optim_params_base import OptimParamsBase  # noqa: PLC0415

        d = dict(src_dict)
        model_id = d.pop("model_id")

        def _parse_seq_id(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        seq_id = _parse_seq_id(d.pop("seq_id", UNSET))

        type_ = cast(Literal["optim_step"] | Unset, d.pop("type", UNSET))
        if type_ != "optim_step" and not isinstance(type_, Unset):
            raise ValueError(f"type must match const 'optim_step', got '{type_}'")

        _adam_params = d.pop("adam_params", UNSET)
        adam_params: AdamParams | Unset
        if isinstance(_adam_params, Unset):
            adam_params = UNSET
        else:
            adam_params = AdamParams.from_dict(_adam_params)

        def _parse_optimizer_params(data: object) -> DimuonParams | OptimParamsBase | Unset:
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                optimizer_params_type_0 = DimuonParams.from_dict(data)

                return optimizer_params_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            if not isinstance(data, dict):
                raise TypeError(f"optimizer_params cannot be {type(data).__name__}")
            optimizer_params_type_1 = OptimParamsBase.from_dict(data)

            return optimizer_params_type_1

        optimizer_params = _parse_optimizer_params(d.pop("optimizer_params", UNSET))

        optim_step_request = cls(
            model_id=model_id,
            seq_id=seq_id,
            type_=type_,
            adam_params=adam_params,
            optimizer_params=optimizer_params,
        )

        return optim_step_request
