"""Adam with bias correction (Kingma and Ba 2015, arXiv:1412.6980, algorithm 1).

Weight decay is decoupled from the gradient (Loshchilov and Hutter 2019, arXiv:1711.05101): in
addition to Adam's update, a step subtracts ``learning_rate * weight_decay`` times the parameter's
previous value. Clipping scales all gradients by one factor before the moments are updated.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import field, frozen

from tinker_ext.embedded.engine.errors import EngineInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt
    from attrs import Attribute

    Array = npt.NDArray[np.floating[Any]]


def _finite_at_least_zero(instance: object, attribute: Attribute[float], value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise EngineInputError(
            f"must be a finite number of at least 0, got {value}",
            where=f"adam_params.{attribute.name}",
        )


def _below_one(instance: object, attribute: Attribute[float], value: float) -> None:
    if not 0 <= value < 1:
        raise EngineInputError(
            f"must be at least 0 and below 1, got {value}", where=f"adam_params.{attribute.name}"
        )


@frozen(kw_only=True)
class AdamSettings:
    """One step's settings; the defaults are those of `AdamParams` in release 0.4.1.

    `weight_decay` and `grad_clip_norm` were added in release 0.24.1. `grad_clip_norm` is the
    maximum global norm of the gradients; 0 means no limit.
    """

    learning_rate: float = field(default=1e-4, validator=_finite_at_least_zero)
    beta1: float = field(default=0.9, validator=_below_one)
    beta2: float = field(default=0.95, validator=_below_one)
    eps: float = field(default=1e-12, validator=_finite_at_least_zero)
    weight_decay: float = field(default=0.0, validator=_finite_at_least_zero)
    grad_clip_norm: float = field(default=0.0, validator=_finite_at_least_zero)


class Adam:
    """First and second moments of named arrays, and the number of steps."""

    def __init__(self, parameters: Mapping[str, Array]) -> None:
        self.step_count = 0
        self.first = {name: np.zeros_like(value) for name, value in parameters.items()}
        self.second = {name: np.zeros_like(value) for name, value in parameters.items()}

    def step(
        self,
        parameters: Mapping[str, Array],
        gradients: Mapping[str, Array],
        settings: AdamSettings,
    ) -> dict[str, Array]:
        """Perform one step and return the new parameters; the old arrays are not modified."""
        self.step_count += 1
        scale = clip_factor(gradients, settings.grad_clip_norm)
        return {
            name: self._updated(name, value, gradients[name] * scale, settings)
            for name, value in parameters.items()
        }

    def _updated(self, name: str, value: Array, gradient: Array, settings: AdamSettings) -> Array:
        first, second = self.first[name], self.second[name]
        first += (1.0 - settings.beta1) * (gradient - first)
        second += (1.0 - settings.beta2) * (np.square(gradient) - second)
        rate = settings.learning_rate / (1.0 - settings.beta1**self.step_count)
        spread = np.sqrt(second / (1.0 - settings.beta2**self.step_count)) + settings.eps
        change = np.divide(first, spread, out=np.zeros_like(first), where=spread > 0)
        decay = settings.learning_rate * settings.weight_decay
        updated: Array = value - decay * value - rate * change
        return updated


def global_norm(arrays: Mapping[str, Array]) -> float:
    """The Euclidean norm of all arrays as one vector."""
    return math.sqrt(
        sum(float(np.sum(np.square(array, dtype=np.float64))) for array in arrays.values())
    )


def clip_factor(gradients: Mapping[str, Array], largest_norm: float) -> float:
    """The factor that reduces the global norm to at most `largest_norm`; 0 means no limit."""
    norm = global_norm(gradients)
    return 1.0 if largest_norm == 0 or norm <= largest_norm else largest_norm / norm
