"""Settings a caller chooses: the optimizer's, the sampler's and the adapter's.

Every number is checked when the object is made; an unknown name is a TypeError. All values
are sent, defaults included, so that a result never depends on a server's own defaults; only
``None`` is left out, and a later release's addition that changes nothing: servers of 0.4.1 refuse
fields they don't know.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from attrs import field, frozen

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.argument_checks import (
    check_bool,
    check_integer,
    check_number,
    plain_float,
    plain_int,
    plain_int_or_none,
    plain_number,
)
from tinker_ext.types.unset import or_unset

if TYPE_CHECKING:
    from tinker_api import models as api

#: Release 0.4.1 has the first three; 0.38.0 all but ``kl_divergence``, which the API's own
#: overview names. A server may know more, so any other name is passed on.
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

#: Samplers of weights as they are now, or of whatever the model's are by then (0.38.0).
SamplingClientKind: TypeAlias = Literal["snapshot", "inflight"]
#: Settings of a loss by name; text only in release 0.38.0.
LossFnConfig: TypeAlias = Mapping[str, float | str]


def read_config(config: LossFnConfig | None) -> dict[str, float | str] | None:
    """The settings of a loss, as plain numbers and text.

    Raises:
        InvalidInputError: one is neither text nor a finite number; it is named.
    """
    if config is None:
        return None
    if not isinstance(config, Mapping):
        raise InvalidInputError(
            f"expected settings by name, got {type(config).__name__}", where="loss_fn_config"
        )
    plain = {name: plain_number(value) for name, value in config.items()}
    for name, value in plain.items():
        real = isinstance(value, int | float) and not isinstance(value, bool)
        if not (isinstance(value, str) or (real and math.isfinite(value))):
            raise InvalidInputError(
                f"expected a finite number or text, got {value!r}",
                where=f"loss_fn_config[{name!r}]",
            )
    return plain


_from_zero = check_number("a number from 0", lambda x: x >= 0)
_beta = check_number("a number from 0 up to, not including, 1", lambda x: 0 <= x < 1)
_seed = check_integer("a 64-bit integer", lambda x: -(2**63) <= x < 2**63, optional=True)


@frozen
class AdamParams:
    """One step of Adam. Defaults are release 0.4.1's.

    `weight_decay` and `grad_clip_norm` (the largest norm of the gradients; 0 clips nothing) came
    with later releases and are sent where they are not 0.

    >>> AdamParams(learning_rate=1e-2).beta2
    0.95
    """

    learning_rate: float = field(
        default=1e-4,
        converter=plain_float,
        validator=_from_zero,
    )
    beta1: float = field(default=0.9, converter=plain_float, validator=_beta)
    beta2: float = field(default=0.95, converter=plain_float, validator=_beta)
    eps: float = field(
        default=1e-12,
        converter=plain_float,
        validator=_from_zero,
    )
    weight_decay: float = field(default=0.0, converter=plain_float, validator=_from_zero)
    grad_clip_norm: float = field(default=0.0, converter=plain_float, validator=_from_zero)

    def to_api(self) -> api.AdamParams:
        """The generated model."""
        from tinker_api import models as api
        from tinker_api.types import UNSET

        return api.AdamParams(
            learning_rate=self.learning_rate,
            beta1=self.beta1,
            beta2=self.beta2,
            eps=self.eps,
            weight_decay=self.weight_decay or UNSET,
            grad_clip_norm=self.grad_clip_norm or UNSET,
        )


Stop: TypeAlias = str | list[str] | list[int] | None


def _read_stop(value: str | Sequence[str] | Sequence[int] | None) -> Stop:
    return value if value is None or isinstance(value, str) else _read_stop_list(value)


def _read_stop_list(value: object) -> Stop:
    """Several strings or several token ids, never a mixture."""
    if not isinstance(value, Iterable) or isinstance(value, bytes):
        raise InvalidInputError(f"expected text or a list, got {value!r}", where="stop")
    items = [plain_number(item) for item in value]
    kinds = set(map(type, items))
    if kinds <= {str} or (kinds == {int} and min(items) >= 0):
        return cast("Stop", items)
    raise InvalidInputError(
        "expected a list of strings or a list of token ids, not a mixture", where="stop"
    )


@frozen
class SamplingParams:
    """How to sample. Defaults are release 0.4.1's.

    `max_tokens` None leaves the limit to the server; `temperature` 0 is greedy; `top_k` -1
    and `top_p` 1 don't restrict; `stop` is a string, a list of strings, or a list of token
    ids; the same `seed` gives the same tokens where the server supports it.
    """

    max_tokens: int | None = field(
        default=None,
        converter=plain_int_or_none,
        validator=check_integer("a whole number from 0", lambda x: x >= 0, optional=True),
    )
    seed: int | None = field(default=None, converter=plain_int_or_none, validator=_seed)
    stop: Stop = field(default=None, converter=_read_stop)
    temperature: float = field(default=1.0, converter=plain_float, validator=_from_zero)
    top_k: int = field(
        default=-1, converter=plain_int, validator=check_integer("-1 or more", lambda x: x >= -1)
    )
    top_p: float = field(
        default=1.0,
        converter=plain_float,
        validator=check_number("a number above 0, up to 1", lambda x: 0 < x <= 1),
    )

    def to_api(self) -> api.SamplingParams:
        """The generated model; ``None`` fields are left out."""
        from tinker_api import models as api

        return api.SamplingParams(
            max_tokens=or_unset(self.max_tokens),
            seed=or_unset(self.seed),
            stop=or_unset(self.stop),
            temperature=self.temperature,
            top_k=self.top_k,
            top_p=self.top_p,
        )


@frozen
class LoraConfig:
    """A LoRA adapter: its rank, the seed of its start, and which layers have one."""

    rank: int = field(
        converter=plain_int, validator=check_integer("a rank from 1", lambda x: x >= 1)
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

    def to_api(self) -> api.LoraConfig:
        """The generated model; a seed of ``None`` is left out."""
        from tinker_api import models as api

        return api.LoraConfig(
            rank=self.rank,
            seed=or_unset(self.seed),
            train_unembed=self.train_unembed,
            train_mlp=self.train_mlp,
            train_attn=self.train_attn,
        )
