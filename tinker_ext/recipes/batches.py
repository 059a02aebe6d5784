"""Batches of a data set as a function of the step number."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Generic, TypeVar

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
