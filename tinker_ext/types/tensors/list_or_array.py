"""Values that are lists to some users and arrays to others, converted when they are asked for.

A server sends either: JSON has lists, protobuf the bytes of arrays. Nobody pays for the form that
nobody looks at.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from tinker_ext.types.tensors.topk import NO_LOGPROB, TopkLogprobs, TopkRows

if TYPE_CHECKING:
    from tinker_ext.types.tensors.arrays import Array

L = TypeVar("L")
A = TypeVar("A")


class ListOrArray(Generic[L, A]):
    """One value, in whichever forms it was asked for so far. Equal by its list."""

    __slots__ = ("_array", "_list")

    def __init__(self, listed: L | None = None, array: A | None = None) -> None:
        self._list = listed
        self._array = array

    @property
    def list(self) -> L:
        """Made once; do not change it."""
        if self._list is None:
            self._list = self._listed(cast("A", self._array))
        return self._list

    @property
    def array(self) -> A:
        """Made once; do not change it."""
        if self._array is None:
            self._array = self._arrayed(cast("L", self._list))
        return self._array

    def __len__(self) -> int:
        """How many positions there are, whichever form they are held in."""
        return len(cast("Any", self._array if self._list is None else self._list))

    def _listed(self, array: A) -> L:
        raise NotImplementedError

    def _arrayed(self, listed: L) -> A:
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return bool(self.list == other.list) if type(other) is type(self) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # equal by value, and the values may be many

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._list, self._array)

    def __repr__(self) -> str:
        return repr(self.list)


class Tokens(ListOrArray[list[int], "Array"]):
    """Token ids: int32."""

    def _listed(self, array: Array) -> list[int]:
        return cast("list[int]", array.tolist())

    def _arrayed(self, listed: list[int]) -> Array:
        import numpy as np

        return np.array(listed, dtype=np.int32)


class Logprobs(ListOrArray[list[float], "Array"]):
    """A logprob for each token: float32."""

    def _listed(self, array: Array) -> list[float]:
        return cast("list[float]", array.tolist())

    def _arrayed(self, listed: list[float]) -> Array:
        return _float32(listed)


class OptionalLogprobs(ListOrArray["list[float | None]", "Array"]):
    """As `Logprobs`, with None for those there are not: NaN."""

    def _listed(self, array: Array) -> list[float | None]:
        return [None if math.isnan(value) else value for value in array.tolist()]

    def _arrayed(self, listed: list[float | None]) -> Array:
        return _float32(listed)


class Topk(ListOrArray[TopkRows, TopkLogprobs]):
    """The likeliest tokens at each position: rows of pairs, or two matrices."""

    def _listed(self, array: TopkLogprobs) -> TopkRows:
        rows: TopkRows = []
        for ids, values in zip(array.token_ids.tolist(), array.logprobs.tolist(), strict=True):
            pairs = zip(ids, values, strict=True)
            rows.append([(token, value) for token, value in pairs if value > NO_LOGPROB] or None)
        return rows

    def __len__(self) -> int:
        if self._list is not None:
            return len(self._list)
        return len(cast("TopkLogprobs", self._array).token_ids)

    def _arrayed(self, listed: TopkRows) -> TopkLogprobs:
        return TopkLogprobs.of(listed)


def _float32(numbers: list[float] | list[float | None]) -> Array:
    """The numbers as float32: NaN for None, infinite if beyond it."""
    import numpy as np

    with np.errstate(over="ignore"):
        return np.array(numbers, dtype=np.float32)
