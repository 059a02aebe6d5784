"""The training losses, by the formulas of the Tinker documentation ("Losses").

Every loss is a sum over tokens; the caller averages through weights or advantages. With p the
model's log-probability of a target token, q the log-probability at sampling time, A the advantage
and ``ratio = exp(p - q)``:

    cross_entropy        sum(-weight * p)
    importance_sampling  sum(-ratio * A)
    ppo                  sum(-min(ratio * A, clip(ratio, low, high) * A))
    cispo                sum(-stopped(clip(ratio, low, high)) * p * A)
    dro                  sum(-(p * A - beta / 2 * (p - q)**2))
    gspo                 sum(-min(s * A, clip(s, low, high) * A)), with
                         s = stopped(exp(mean(p - q))) * exp(p - stopped(p))
    stable_reinforce     sum(weight * (-p * A + kl_coeff / 2 * (p - q)**2))
    kl_divergence        sum(weight * exp(q) * (q - p))

`low` and `high` are `loss_fn_config` entries `clip_low_threshold` (0.8) and `clip_high_threshold`
(1.2), `beta` is one too (0.05). If the two branches of a minimum are equal, the unclipped one
has the gradient. `stopped` means without a gradient: cispo gives every token a gradient with a
bounded weight. cispo and dro were added in release 0.24.1, gspo and stable_reinforce in 0.38.0,
whose `custom` losses are not supported: the client computes them.

cross_entropy and kl_divergence also accept K targets per position, for distillation: all of their
inputs are then (tokens, K), and the sums include all K (documentation, page "Cross-Entropy").

gspo is GSPO-token (arXiv:2507.18071, equations 13 and 14; documentation, page "GSPO"). Its mean is
over the tokens of a datum for which `sequence_ratio_mask` is not zero. Its thresholds are those of
the paper's experiments, because the mean makes the ratio's range much smaller than in ppo.

stable_reinforce: the documentation describes it as a REINFORCE variant that remains stable if the
sampling policy differs from the trained one, and release 0.38.0 names its setting `kl_coeff`; the
exact formula of the hosted service is not published. Here it is REINFORCE with a penalty on the
divergence from the sampling policy, estimated as ``(p - q)**2 / 2`` (the estimator k2 of Schulman,
"Approximating KL Divergence", 2020, whose gradient is that of the divergence). q is what the server
recorded when it sampled the token, and `weight` is 1 for sampled tokens and 0 for all others. It
is not the StableReinforce of R1-Reward (arXiv:2505.02835).

kl_divergence is in the API overview, which has no formula. Here it is the divergence of the model
from a teacher, restricted to the given targets, whose teacher's log-probabilities are `logprobs`
(as `torch.nn.functional.kl_div` with ``log_target=True`` and ``reduction="sum"``).
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

_GSPO_THRESHOLDS = {"clip_low_threshold": 1 - 3e-4, "clip_high_threshold": 1 + 4e-4}
"""The clipping range of the paper's experiments (arXiv:2507.18071, section 5.1)."""

_KL_COEFF = {"kl_coeff": 0.05}
"""The penalty of `_DRO_BETA`: the documentation has no default."""

INPUT_NAMES = (
    "target_tokens",
    "weights",
    "logprobs",
    "advantages",
    "sequence_ratio_mask",
)
"""The `loss_fn_inputs` keys that some loss reads. A loss ignores keys that it doesn't read, because
`forward_backward_custom` first sends the data of any loss with cross_entropy."""


@frozen
class Loss:
    """One loss, as functions of the log-probabilities, and the inputs it reads.

    `total` returns the scalar loss, recorded for gradients; `metrics` returns further sums and
    bounds by their names in `ForwardBackwardOutput.metrics`. Log-probabilities and inputs have the
    same shape: (datums, tokens), or with `several_targets` also (datums, tokens, K). Missing
    `optional` inputs are ones.
    """

    total: Callable[[Array, Inputs, Config], Array]
    metrics: Callable[[Array, Inputs, Config], dict[str, float]]
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    config: Mapping[str, float] = {}
    several_targets: bool = False

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
            raise EngineInputError("must be a finite number of at least 0", where=where)
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


def _gspo(logprobs: Array, inputs: Inputs, config: Config) -> Array:
    ratio, advantages = _sequence_ratio(logprobs, inputs), inputs["advantages"]
    free, bound = ratio * advantages, _clipped(ratio, config) * advantages
    total: Array = -anp.sum(anp.where(free <= bound, free, bound))
    return total


def _sequence_ratio(logprobs: Array, inputs: Inputs) -> Array:
    """Per token, the value of its datum's ratio and the gradient of its own log-probability.

    The ratio of a datum whose mask is all zeros is 1.
    """
    fixed, mask = getval(logprobs), inputs["sequence_ratio_mask"] != 0
    count = np.maximum(mask.sum(axis=-1, keepdims=True), 1)
    differences = np.where(mask, fixed - inputs["logprobs"], 0.0)
    mean = differences.sum(axis=-1, keepdims=True) / count
    ratio: Array = anp.exp(mean.astype(fixed.dtype) + logprobs - fixed)
    return ratio


def _stable_reinforce(logprobs: Array, inputs: Inputs, config: Config) -> Array:
    penalty = config["kl_coeff"] / 2 * (logprobs - inputs["logprobs"]) ** 2
    total: Array = -anp.sum(inputs["weights"] * (inputs["advantages"] * logprobs - penalty))
    return total


def _kl_divergence(logprobs: Array, inputs: Inputs, config: Config) -> Array:
    weight = inputs["weights"] * np.exp(inputs["logprobs"])
    total: Array = anp.sum(weight * (inputs["logprobs"] - logprobs))
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
    return _clipping_metrics(_ratio(logprobs, inputs), logprobs, inputs, config)


def _gspo_metrics(logprobs: Array, inputs: Inputs, config: Config) -> dict[str, float]:
    """`_policy_metrics`, and the number of tokens whose datum was clipped."""
    return _clipping_metrics(_sequence_ratio(logprobs, inputs), logprobs, inputs, config)


def _clipping_metrics(
    ratio: Array, logprobs: Array, inputs: Inputs, config: Config
) -> dict[str, float]:
    advantages = inputs["advantages"]
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


def _stable_reinforce_metrics(logprobs: Array, inputs: Inputs, config: Config) -> dict[str, float]:
    """`_policy_metrics`, the number of sampled tokens, and the estimated divergence."""
    sampled = inputs["weights"] != 0
    divergence = np.where(sampled, (logprobs - inputs["logprobs"]) ** 2 / 2, 0.0)
    metrics = _policy_metrics(logprobs, inputs, config)
    return {**metrics, "sampled:sum": float(sampled.sum()), "kl:sum": _sum(divergence)}


def _sum(values: Array) -> float:
    return float(np.sum(values, dtype=np.float64))


_SAMPLED = ("logprobs", "advantages")
"""The inputs of a loss on sampled tokens."""

_LOSSES = {
    "cross_entropy": Loss(
        _cross_entropy, _cross_entropy_metrics, optional=("weights",), several_targets=True
    ),
    "importance_sampling": Loss(_importance_sampling, _policy_metrics, _SAMPLED),
    "ppo": Loss(_ppo, _ppo_metrics, _SAMPLED, config=_THRESHOLDS),
    "cispo": Loss(_cispo, _cispo_metrics, _SAMPLED, config=_THRESHOLDS),
    "dro": Loss(_dro, _policy_metrics, _SAMPLED, config=_DRO_BETA),
    "gspo": Loss(_gspo, _gspo_metrics, (*_SAMPLED, "sequence_ratio_mask"), config=_GSPO_THRESHOLDS),
    "stable_reinforce": Loss(
        _stable_reinforce, _stable_reinforce_metrics, (*_SAMPLED, "weights"), config=_KL_COEFF
    ),
    "kl_divergence": Loss(
        _kl_divergence,
        _cross_entropy_metrics,
        ("logprobs",),
        optional=("weights",),
        several_targets=True,
    ),
}

#: The losses that `forward` and `forward_backward` accept.
LOSS_NAMES: tuple[str, ...] = tuple(_LOSSES)
