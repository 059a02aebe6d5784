"""Supervised training: batches and learning rates by step number, the step, and an evaluation."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Generic, TypeAlias, TypeVar

import tinker_ext as tinker
from tinker_ext.clients.argument_checks import check_int
from tinker_ext.errors import InvalidInputError

T = TypeVar("T")


class Batches(Generic[T]):
    """Batches of `size` items, with a new order of the data in each epoch.

    Batch n consists of the items n * size to (n + 1) * size - 1 of the endless sequence of epochs,
    so every batch is full, and the batch of a step is the same in a resumed run.

    Args:
        data: datums, or anything that a step of yours takes.
        size: items per batch.
        seed: determines the orders; None keeps the order of `data`.

    Raises:
        InvalidInputError: `data` is not a sequence or is empty, or `size` is less than 1.

    Example:
        >>> Batches(["a", "b", "c"], size=2, seed=None).at(1)
        ['c', 'a']
    """

    def __init__(self, data: Sequence[T], size: int, seed: int | None = 0) -> None:
        if not hasattr(data, "__len__") or isinstance(data, Mapping):
            raise InvalidInputError(
                f"expected a list or another sequence, got {type(data).__name__}", where="data"
            )
        if len(data) == 0:
            raise InvalidInputError("expected at least one item", where="data")
        check_int(size, 1, "size")
        self.data = data
        self.size = size
        self.seed = seed

    @property
    def steps_per_epoch(self) -> float:
        """Steps that use each item once on average; a fraction if the last batch would be short."""
        return len(self.data) / self.size

    def at(self, step: int) -> list[T]:
        """The batch of a step, from 0."""
        batch = []
        for position in range(step * self.size, (step + 1) * self.size):
            epoch, place = divmod(position, len(self.data))
            index = place if self.seed is None else _order(len(self.data), self.seed, epoch)[place]
            batch.append(self.data[index])
        return batch


@lru_cache(maxsize=4)  # A batch uses one epoch or two.
def _order(length: int, seed: int, epoch: int) -> list[int]:
    order = list(range(length))
    random.Random(f"{seed} {epoch}").shuffle(order)
    return order


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


def supervised(
    batches: Batches[tinker.Datum],
    rate: Schedule,
    *,
    loss_fn: str = "cross_entropy",
    loss_fn_config: Mapping[str, float | str] | None = None,
    adam: tinker.AdamParams | None = None,
) -> Callable[[tinker.TrainingClient, int], dict[str, float]]:
    """A step of `Run.train`: gradients of a batch, then one update with Adam.

    Its metrics are `loss` (per trained token), `learning_rate`, `tokens`, and those of the server.
    `adam` has the parameters besides the learning rate.
    """
    params = adam or tinker.AdamParams()

    def step(training: tinker.TrainingClient, number: int) -> dict[str, float]:
        batch, learning_rate = batches.at(number), rate(number)
        # Both requests are sent at once and executed in this order.
        gradients = training.forward_backward(batch, loss_fn, loss_fn_config)
        update = training.optim_step(params.model_copy(update={"learning_rate": learning_rate}))
        output = gradients.result()
        return {
            **output.metrics,
            **(update.result().metrics or {}),
            "loss": mean_loss(batch, output),
            "learning_rate": learning_rate,
            "tokens": float(sum(datum.model_input.length for datum in batch)),
        }

    return step


def mean_loss(batch: Sequence[tinker.Datum], output: tinker.ForwardBackwardOutput) -> float:
    """The loss per trained token: the sum of losses divided by the sum of weights.

    A datum without ``weights`` counts each target with a weight of 1.
    """
    weight = sum(_weight(datum) for datum in batch)
    return float(output.metrics["loss:sum"]) / weight if weight else 0.0


def _weight(datum: tinker.Datum) -> float:
    weights = datum.loss_fn_inputs.get("weights")
    if weights is not None:
        return float(weights.to_numpy().sum())
    return float(datum.loss_fn_inputs["target_tokens"].to_numpy().size)


def evaluation(
    data: Sequence[tinker.Datum], *, batch_size: int = 64, loss_fn: str = "cross_entropy"
) -> Callable[[tinker.TrainingClient, int], dict[str, float]]:
    """An evaluation for `Run.train`: `eval_loss`, the loss per token of data not trained on."""

    def evaluate(training: tinker.TrainingClient, _: int) -> dict[str, float]:
        parts = [data[start : start + batch_size] for start in range(0, len(data), batch_size)]
        outputs = [training.forward(part, loss_fn) for part in parts]
        total = sum(output.result().metrics["loss:sum"] for output in outputs)
        weight = sum(_weight(datum) for datum in data)
        return {"eval_loss": float(total) / weight if weight else 0.0}

    return evaluate
