"""Learning rates as functions of the step number."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

from tinker_ext.errors import InvalidInputError

#: The learning rate of a step, from 0.
Schedule: TypeAlias = Callable[[int], float]


def constant(rate: float, *, warmup: int = 0) -> Schedule:
    """The same rate at each step, after a linear increase over `warmup` steps.

    >>> [constant(1.0, warmup=2)(step) for step in range(4)]
    [0.5, 1.0, 1.0, 1.0]
    """
    return _warmed_up(lambda _: rate, warmup)


def linear(rate: float, *, steps: int, warmup: int = 0, end: float = 0.0) -> Schedule:
    """From `rate` to `end` in a straight line; step number `steps` would have the rate `end`.

    >>> [linear(1.0, steps=4)(step) for step in range(4)]
    [1.0, 0.75, 0.5, 0.25]
    """
    return _decay(lambda done: 1 - done, rate, steps, warmup, end)


def cosine(rate: float, *, steps: int, warmup: int = 0, end: float = 0.0) -> Schedule:
    """From `rate` to `end` along half a cosine; step number `steps` would have the rate `end`.

    >>> [round(cosine(1.0, steps=4)(step), 3) for step in range(4)]
    [1.0, 0.854, 0.5, 0.146]
    """
    return _decay(lambda done: (1 + math.cos(math.pi * done)) / 2, rate, steps, warmup, end)


def _decay(
    shape: Callable[[float], float], rate: float, steps: int, warmup: int, end: float
) -> Schedule:
    if steps <= warmup:
        raise InvalidInputError(
            f"expected more steps than the warmup of {warmup}, got {steps}", where="steps"
        )

    def decayed(step: int) -> float:
        done = min(max(step - warmup, 0) / (steps - warmup), 1.0)
        return end + (rate - end) * shape(done)

    return _warmed_up(decayed, warmup)


def _warmed_up(schedule: Schedule, warmup: int) -> Schedule:
    if warmup < 0:
        raise InvalidInputError(f"expected an integer >= 0, got {warmup}", where="warmup")

    def warmed_up(step: int) -> float:
        return schedule(step) * min(1.0, (step + 1) / warmup) if warmup else schedule(step)

    return warmed_up
