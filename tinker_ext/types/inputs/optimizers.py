"""Optimizers other than Adam: configuration of a model and of one step (release 0.38.0)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from attrs import field, frozen
from tinker_api import models as api
from tinker_api.types import Unset

from tinker_ext.types.argument_checks import check_literal, check_number, plain_float
from tinker_ext.types.inputs.params import AdamParams
from tinker_ext.types.records import Record


@frozen
class OptimizerConfig(Record):
    """The optimizer of a model, chosen when the model is created.

    `type` is its name; `settings` holds the other fields sent or received for it.
    """

    type: str
    settings: Mapping[str, Any] = field(factory=dict, kw_only=True)

    @classmethod
    def from_api(
        cls, model: api.AdamOptimizerConfig | api.OptimizerConfigBase | Unset | None
    ) -> OptimizerConfig:
        """Decodes a config; a missing one means Adam."""
        if not isinstance(model, api.OptimizerConfigBase) or model.type_ == "adamw":
            return AdamOptimizerConfig()
        if model.type_ == "dimuon" and model.additional_properties in ({}, {"version": 1}):
            return DimuonOptimizerConfig()
        return cls(model.type_, settings=dict(model.additional_properties))

    def to_api(self) -> api.OptimizerConfigBase:
        """Builds the generated model."""
        model = api.OptimizerConfigBase(type_=self.type)
        model.additional_properties = dict(self.settings)
        return model


@frozen
class AdamOptimizerConfig(OptimizerConfig):
    """Adam, which every server supports."""

    type: Literal["adamw"] = field(default="adamw", validator=check_literal("adamw"), kw_only=True)
    settings: Mapping[str, Any] = field(factory=dict, init=False, repr=False)


@frozen
class DimuonOptimizerConfig(OptimizerConfig):
    """Dimuon in its only version; its steps take `DimuonParams`."""

    type: Literal["dimuon"] = field(
        default="dimuon", validator=check_literal("dimuon"), kw_only=True
    )
    version: Literal[1] = field(default=1, validator=check_literal(1), kw_only=True)
    settings: Mapping[str, Any] = field(init=False, repr=False)

    @settings.default
    def _version_setting(self) -> Mapping[str, Any]:
        return {"version": self.version}


@frozen
class DimuonParams(Record):
    """Parameters of one Dimuon step. A `grad_clip_norm` of 0 or less disables clipping."""

    learning_rate: float = field(
        converter=plain_float, validator=check_number("a number >= 0", lambda x: x >= 0)
    )
    grad_clip_norm: float = field(
        default=0.0, converter=plain_float, validator=check_number("a number", lambda _: True)
    )
    beta1: float = field(
        default=0.9,
        converter=plain_float,
        validator=check_number("a number >= 0 and < 1", lambda x: 0 <= x < 1),
    )
    type: Literal["dimuon"] = field(
        default="dimuon", validator=check_literal("dimuon"), kw_only=True
    )

    def to_api(self) -> api.OptimParamsBase:
        """Builds the generated model."""
        model = api.OptimParamsBase(type_="dimuon")
        model.additional_properties = {
            "learning_rate": self.learning_rate,
            "grad_clip_norm": self.grad_clip_norm,
            "beta1": self.beta1,
        }
        return model


OptimParams: TypeAlias = AdamParams | DimuonParams
