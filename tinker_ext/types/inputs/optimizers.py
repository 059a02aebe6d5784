"""Optimizers beside Adam: which one a model has, and what one step of it takes (release 0.38.0)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import field, frozen

from tinker_ext.types.argument_checks import check_literal, check_number, plain_float
from tinker_ext.types.inputs.params import AdamParams

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinker_api import models as api
    from tinker_api.types import Unset


@frozen
class OptimizerConfig:
    """Which optimizer a model is trained with, chosen when the model is made.

    `type` is its name, `settings` what else the server says or is told of it.
    """

    type: str
    settings: Mapping[str, Any] = field(factory=dict, kw_only=True)

    @classmethod
    def from_api(
        cls, model: api.AdamOptimizerConfig | api.OptimizerConfigBase | Unset | None
    ) -> OptimizerConfig:
        """Read a config; nothing said means Adam."""
        from tinker_api import models as api

        if not isinstance(model, api.OptimizerConfigBase) or model.type_ == "adamw":
            return AdamOptimizerConfig()
        if model.type_ == "dimuon" and model.additional_properties in ({}, {"version": 1}):
            return DimuonOptimizerConfig()
        return cls(model.type_, settings=dict(model.additional_properties))

    def to_api(self) -> api.OptimizerConfigBase:
        """The generated model."""
        from tinker_api import models as api

        made = api.OptimizerConfigBase(type_=self.type)
        made.additional_properties = dict(self.settings)
        return made


@frozen
class AdamOptimizerConfig(OptimizerConfig):
    """Adam, which every server has."""

    type: Literal["adamw"] = field(default="adamw", validator=check_literal("adamw"), kw_only=True)
    settings: Mapping[str, Any] = field(factory=dict, init=False, repr=False)


@frozen
class DimuonOptimizerConfig(OptimizerConfig):
    """Dimuon, in its only version; its steps take `DimuonParams`."""

    type: Literal["dimuon"] = field(
        default="dimuon", validator=check_literal("dimuon"), kw_only=True
    )
    version: Literal[1] = field(default=1, validator=check_literal(1), kw_only=True)
    settings: Mapping[str, Any] = field(init=False, repr=False)

    @settings.default
    def _of_version(self) -> Mapping[str, Any]:
        return {"version": self.version}


@frozen
class DimuonParams:
    """One step of Dimuon. `grad_clip_norm` of 0 or below clips nothing."""

    learning_rate: float = field(
        converter=plain_float, validator=check_number("a number from 0", lambda x: x >= 0)
    )
    grad_clip_norm: float = field(
        default=0.0, converter=plain_float, validator=check_number("a number", lambda _: True)
    )
    beta1: float = field(
        default=0.9,
        converter=plain_float,
        validator=check_number("a number from 0 up to, not including, 1", lambda x: 0 <= x < 1),
    )
    type: Literal["dimuon"] = field(
        default="dimuon", validator=check_literal("dimuon"), kw_only=True
    )

    def to_api(self) -> api.OptimParamsBase:
        """The generated model."""
        from tinker_api import models as api

        made = api.OptimParamsBase(type_="dimuon")
        made.additional_properties = {
            "learning_rate": self.learning_rate,
            "grad_clip_norm": self.grad_clip_norm,
            "beta1": self.beta1,
        }
        return made


OptimParams: TypeAlias = AdamParams | DimuonParams
