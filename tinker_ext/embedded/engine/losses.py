"""The training losses, by the formulas of the Tinker documentation ("Losses").

Every loss is a sum over tokens; the caller averages through weights or advantages. With p the
model's log-probability of a target token, q the log-probability at sampling time, A the advantage
and ``ratio = exp(p - q)``:

    cross_entropy        sum(-weight * p)
    importance_sampling  sum(-ratio * A)
    ppo                  sum(-min(ratio * A, clip(ratio, low, high) * A))
    cispo                sum(-stopped(clip(ratio, low, high)) * p * A)
    dro                  sum(-(p * A - beta / 2 * (p - q)**2))

`low` and `high` are `loss_fn_config` entries `clip_low_threshold` (0.8) and `clip_high_threshold`
(1.2), `beta` is one too (0.05). Where the two branches of ppo's minimum are equal, the unclipped
one has the gradient. `stopped` means without a gradient: cispo gives every token a gradient with a
bounded weight. cispo and dro were added in release 0.24.1; the losses that 0.38.0 adds (gspo,
stable_reinforce, custom) are not supported.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np
from attrs import frozen
from autograd.tracer import getval

from tinker_ext.embedded.engine.errors import EngineInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    Array = npt.NDArray[np.floating[Any]]
    Inputs = Mapping[str, Array]
    Config = Mapping[str, float]

_THRESHOLDS = {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2}
"""Defaults of the Tinker documentation, page "PPO": an epsilon of 0.2 either way."""

_DRO_BETA = {"beta": 0.05}
"""The value of the example in the Tinker documentation, page "DRO", which has no default."""

INPUT_NAMES = ("target_tokens", "weights", "logprobs", "advantages")
"""All `loss_fn_inputs` keys of release 0.4.1. A loss ignores keys that it doesn't read, because
`forward_backward_custom` first sends the data of any loss with cross_entropy."""


@frozen
class Loss:
    """One loss, as functions of the log-probabilities (tokens,), and the inputs it reads.

    `total` returns the scalar loss, recorded for gradients; `metrics` returns further sums and
    bounds by their names in `ForwardBackwardOutput.metrics`. Missing `optional` inputs are ones.
    """

    total: Callable[[Array, Inputs, Config], Array]
    metrics: Callable[[Array, Inputs, Config], dict[str, float]]
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    config: Mapping[str, float] = {}

    @property
    def reads(self) -> tuple[str, ...]:
        """The per-token float inputs it reads."""
        return self.required + self.optional


def find_loss(name: str) -> Loss:
    """The loss with this name.

    Raises:
        EngineInputError: the name is unknown; the message lists the known ones.
    """
    if name not in _LOSSES:
        known = ", ".join(LOSS_NAMES)
        raise EngineInputError(f"unknown loss {name!r}; known: {known}", where="loss_fn")
    return _LOSSES[name]


def complete_config(loss: Loss, config: Mapping[str, float] | None) -> dict[str, float]:
    """Merge the settings with the loss's defaults.

    Raises:
        EngineInputError: a setting is unknown or out of range.
    """
    for key, value in (config or {}).items():
        where = f"loss_fn_config[{key!r}]"
        if key not in loss.config:
            known = ", ".join(loss.config) or "none"
            raise EngineInputError(f"unknown setting of this loss; known: {known}", where=where)
        if not math.isfinite(value) or value < 0:
            raise EngineInputError("must be a finite number, at least 0", where=where)
    complete = {**loss.config, **(config or {})}
    low, high = (complete.get(f"clip_{end}_threshold", 0.0) for end in ("low", "high"))
    if low > high:
        raise EngineInputError(
            "clip_low_threshold is above clip_high_threshold", where="loss_fn_config"
        )
    return complete


def combine_metrics(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Combine the metrics of several batches, by the reduction at the end of each name.

    A metric that some batches lack is reduced over the others.
    """
    reductions: dict[str, Callable[[list[float]], float]] = {
        "sum": math.fsum,
        "min": min,
        "max": max,
    }
    names = dict.fromkeys(name for part in parts for name in part)
    return {
        name: reductions[name.rsplit(":", 1)[1]]([part[name] for part in parts if name in part])
        for name in names
    }


def _cross_entropy(logprobs: Array, inputs: Inputs, config: Config) -> Array:
    total: Array = -anp.sum(inputs["weights"] * logprobs)
    return total


def _cross_entropy_metrics(logprobs: Array, inputs: Inputs, config: Config) -> dict[str, float]:
    return {"weights:sum": _sum(inputs["weights"])}


def _importance_sampling(logprobs: Array, inputs: Inputs, config: Config) -> Array:
    total: Array = -anp.sum(_ratio(logprobs, inputs) * inputs["advantages"])
    return total


def _ppo(logprobs: Array, inputs: Inputs, config: Config) -> Array:
    ratio, advantages = _ratio(logprobs, inputs), inputs["advantages"]
    free, bound = ratio * advantages, _clipped(ratio, config) * advantages
    total: Array = -anp.sum(anp.where(free <= bound, free, bound))
    return total


def _cispo(logprobs: Array, inputs: Inputs, config: Config) -> Array:
    weight = getval(_clipped(_ratio(logprobs, inputs), config))
    total: Array = -anp.sum(weight * inputs["advantages"] * logprobs)
    return total


def _dro(logprobs: Array, inputs: Inputs, config: Config) -> Array:
    penalty = config["beta"] / 2 * (logprobs - inputs["logprobs"]) ** 2
    total: Array = -anp.sum(inputs["advantages"] * logprobs - penalty)
    return total


def _clipped(ratio: Array, config: Config) -> Array:
    clipped: Array = anp.clip(ratio, config["clip_low_threshold"], config["clip_high_threshold"])
    return clipped


def _ratio(logprobs: Array, inputs: Inputs) -> Array:
    ratio: Array = anp.exp(logprobs - inputs["logprobs"])
    return ratio


def _policy_metrics(logprobs: Array, inputs: Inputs, config: Config) -> dict[str, float]:
    """The range of the ratio, over tokens whose advantage is not zero."""
    acted = inputs["advantages"] != 0
    if not acted.any():
        return {"acted:sum": 0.0}
    ratio = _ratio(logprobs, inputs)[acted]
    return {
        "acted:sum": float(acted.sum()),
        "ratio:min": float(ratio.min()),
        "ratio:max": float(ratio.max()),
    }


def _ppo_metrics(logprobs: Array, inputs: Inputs, config: Config) -> dict[str, float]:
    """`_policy_metrics`, and the number of tokens whose gradient was clipped to zero."""
    ratio, advantages = _ratio(logprobs, inputs), inputs["advantages"]
    above = (ratio > config["clip_high_threshold"]) & (advantages > 0)
    below = (ratio < config["clip_low_threshold"]) & (advantages < 0)
    metrics = _policy_metrics(logprobs, inputs, config)
    return {**metrics, "clipped:sum": float((above | below).sum())}


def _cispo_metrics(logprobs: Array, inputs: Inputs, config: Config) -> dict[str, float]:
    """`_policy_metrics`, and the number of those tokens whose weight was clipped."""
    ratio = _ratio(logprobs, inputs)
    outside = (ratio != _clipped(ratio, config)) & (inputs["advantages"] != 0)
    metrics = _policy_metrics(logprobs, inputs, config)
    return {**metrics, "clipped:sum": float(outside.sum())}


def _sum(values: Array) -> float:
    return float(np.sum(values, dtype=np.float64))


_SAMPLED = ("logprobs", "advantages")
"""The inputs of a loss on sampled tokens."""

_LOSSES = {
    "cross_entropy": Loss(_cross_entropy, _cross_entropy_metrics, optional=("weights",)),
    "importance_sampling": Loss(_importance_sampling, _policy_metrics, _SAMPLED),
    "ppo": Loss(_ppo, _ppo_metrics, _SAMPLED, config=_THRESHOLDS),
    "cispo": Loss(_cispo, _cispo_metrics, _SAMPLED, config=_THRESHOLDS),
    "dro": Loss(_dro, _policy_metrics, _SAMPLED, config=_DRO_BETA),
}

#: The losses that `forward` and `forward_backward` accept.
LOSS_NAMES: tuple[str, ...] = tuple(_LOSSES)
