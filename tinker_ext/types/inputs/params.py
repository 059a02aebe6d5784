"""Parameters of the optimizer, the sampler, the loss and the LoRA adapter.

Every number is checked on construction; an unknown name raises TypeError. All values are sent,
including defaults, so that results never depend on a server's defaults. Exceptions are ``None``,
and fields of later releases while they have no effect: servers of 0.4.1 reject unknown fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias, cast

from attrs import field, frozen
from tinker_api import models as api
from tinker_api.types import UNSET, Unset

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.argument_checks import (
    check_bool,
    check_integer,
    check_literal,
    check_number,
    plain_float,
    plain_int,
    plain_int_or_none,
    plain_number,
)
from tinker_ext.types.records import Record
from tinker_ext.types.structuring import RequestType

#: Release 0.4.1 has the first three, 0.38.0 all except ``kl_divergence``, which is in the API's
#: overview. Other names are passed on, because a server may have more losses.
LossFnType: TypeAlias = (
    Literal[
        "cross_entropy",
        "importance_sampling",
        "ppo",
        "cispo",
        "dro",
        "gspo",
        "stable_reinforce",
        "kl_divergence",
        "custom",
    ]
    | str
)

#: Sample from a snapshot of the weights, or from the model's current weights (0.38.0).
SamplingClientKind: TypeAlias = Literal["snapshot", "inflight"]
#: Parameters of a loss by name; release 0.38.0 has strings only.
LossFnConfig: TypeAlias = Mapping[str, float | str]
#: Dimensions of an input: 0 for a scalar, 1 for one number per target, 2 for several per target.
CustomLossInputRank: TypeAlias = Literal[0, 1, 2]


_non_negative = check_number("a number >= 0", lambda x: x >= 0)
_beta = check_number("a number >= 0 and < 1", lambda x: 0 <= x < 1)
_seed = check_integer("a 64-bit integer", lambda x: -(2**63) <= x < 2**63, optional=True)


@frozen
class AdamParams(Record):
    """Parameters of one Adam step, with the defaults of release 0.4.1.

    `weight_decay` and `grad_clip_norm` (the maximum gradient norm; 0 disables clipping) were added
    in later releases and are sent only if they are not 0.

    >>> AdamParams(learning_rate=1e-2).beta2
    0.95
    """

    learning_rate: float = field(default=1e-4, converter=plain_float, validator=_non_negative)
    beta1: float = field(default=0.9, converter=plain_float, validator=_beta)
    beta2: float = field(default=0.95, converter=plain_float, validator=_beta)
    eps: float = field(default=1e-12, converter=plain_float, validator=_non_negative)
    weight_decay: float = field(default=0.0, converter=plain_float, validator=_non_negative)
    grad_clip_norm: float = field(default=0.0, converter=plain_float, validator=_non_negative)

    def to_api(self) -> api.AdamParams:
        """Builds the generated model."""
        return api.AdamParams(
            learning_rate=self.learning_rate,
            beta1=self.beta1,
            beta2=self.beta2,
            eps=self.eps,
            weight_decay=self.weight_decay or UNSET,
            grad_clip_norm=self.grad_clip_norm or UNSET,
        )


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

    learning_rate: float = field(converter=plain_float, validator=_non_negative)
    grad_clip_norm: float = field(
        default=0.0, converter=plain_float, validator=check_number("a number", lambda _: True)
    )
    beta1: float = field(default=0.9, converter=plain_float, validator=_beta)
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

Stop: TypeAlias = str | list[str] | list[int] | None


def _read_stop(value: str | Sequence[str] | Sequence[int] | None) -> Stop:
    """Reads a string, a list of strings or a list of token ids, never a mixture."""
    if value is None or isinstance(value, str):
        return value
    values: object = value
    if not isinstance(values, Iterable) or isinstance(values, bytes):
        raise InvalidInputError(f"expected a string or a list, got {value!r}", where="stop")
    items = [plain_number(item) for item in values]
    kinds = set(map(type, items))
    if kinds <= {str} or (kinds == {int} and min(items) >= 0):
        return cast("Stop", items)
    raise InvalidInputError(
        f"expected a list of strings or a list of token ids, got {value!r}", where="stop"
    )


@frozen
class SamplingParams(Record):
    """Sampling parameters, with the defaults of release 0.4.1.

    `max_tokens` None leaves the limit to the server; `temperature` 0 is greedy; `top_k` -1
    and `top_p` 1 do not restrict; `stop` is a string, a list of strings, or a list of token
    ids; the same `seed` gives the same tokens if the server supports it.
    """

    max_tokens: int | None = field(
        default=None,
        converter=plain_int_or_none,
        validator=check_integer("an integer >= 0", lambda x: x >= 0, optional=True),
    )
    seed: int | None = field(default=None, converter=plain_int_or_none, validator=_seed)
    stop: Stop = field(default=None, converter=_read_stop)
    temperature: float = field(default=1.0, converter=plain_float, validator=_non_negative)
    top_k: int = field(
        default=-1,
        converter=plain_int,
        validator=check_integer("an integer >= -1", lambda x: x >= -1),
    )
    top_p: float = field(
        default=1.0,
        converter=plain_float,
        validator=check_number("a number > 0 and <= 1", lambda x: 0 < x <= 1),
    )

    def to_api(self) -> api.SamplingParams:
        """Builds the generated model without the fields that are ``None``."""
        return api.SamplingParams(
            max_tokens=UNSET if self.max_tokens is None else self.max_tokens,
            seed=UNSET if self.seed is None else self.seed,
            stop=UNSET if self.stop is None else self.stop,
            temperature=self.temperature,
            top_k=self.top_k,
            top_p=self.top_p,
        )


@frozen
class LoraConfig(RequestType):
    """A LoRA adapter: its rank, the seed of its initial weights, and the trained layers."""

    rank: int = field(
        converter=plain_int, validator=check_integer("an integer >= 1", lambda x: x >= 1)
    )
    seed: int | None = field(default=None, converter=plain_int_or_none, validator=_seed)
    train_unembed: bool = field(default=True, validator=check_bool)
    train_mlp: bool = field(default=True, validator=check_bool)
    train_attn: bool = field(default=True, validator=check_bool)

    def __attrs_post_init__(self) -> None:
        if not (self.train_unembed or self.train_mlp or self.train_attn):
            raise InvalidInputError(
                "at least one of train_unembed, train_mlp, train_attn must be True",
                where="train_attn",
            )


@frozen
class CustomLossInput(RequestType):
    """A parameter of the loss: ``logprobs`` or a key of ``loss_fn_inputs``, and its dimensions."""

    name: str
    rank: CustomLossInputRank = field()

    @rank.validator
    def _check(self, _attribute: object, value: object) -> None:
        if type(value) is not int or not 0 <= value <= 2:
            raise InvalidInputError(
                f"{self.name}: expected 0, 1 or 2 dimensions, got {value!r}", where="input_ranks"
            )
