"""Values available both as lists and as arrays, converted on first access.

JSON responses have lists, protobuf responses the bytes of arrays. A form that is never accessed
costs nothing.
"""

from __future__ import annotations

import math
import warnings
from typing import Any, Generic, TypeAlias, TypeVar, cast

from attrs import frozen

from tinker_ext.types.display import abbreviated
from tinker_ext.types.records import Record
from tinker_ext.types.tensors.arrays import Array

L = TypeVar("L")
A = TypeVar("A")


class ListOrArray(Generic[L, A]):
    """A value in one form or both. Values are equal if their lists are equal."""

    __slots__ = ("_array", "_list")

    def __init__(self, items: L | None = None, array: A | None = None) -> None:
        self._list = items
        self._array = array

    @property
    def list(self) -> L:
        """The value as a list; cached, do not modify it."""
        if self._list is None:
            self._list = self._to_list(cast("A", self._array))
        return self._list

    @property
    def array(self) -> A:
        """The value as an array; cached, do not modify it."""
        if self._array is None:
            self._array = self._to_array(cast("L", self._list))
        return self._array

    def __len__(self) -> int:
        """The number of positions."""
        return len(cast("Any", self._array if self._list is None else self._list))

    def _to_list(self, array: A) -> L:
        raise NotImplementedError

    def _to_array(self, items: L) -> A:
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return bool(self.list == other.list) if type(other) is type(self) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # Instances are compared by value.

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._list, self._array)

    def __repr__(self) -> str:
        """Shows at most the first three values and the last."""
        return abbreviated(cast("list[Any]", self.list))


class Tokens(ListOrArray[list[int], "Array"]):
    """Token ids, int32."""

    def _to_list(self, array: Array) -> list[int]:
        return cast("list[int]", array.tolist())

    def _to_array(self, items: list[int]) -> Array:
        import numpy as np

        return np.array(items, dtype=np.int32)


class Logprobs(ListOrArray[list[float], "Array"]):
    """A logprob for each token, float32."""

    def _to_list(self, array: Array) -> list[float]:
        return cast("list[float]", array.tolist())

    def _to_array(self, items: list[float]) -> Array:
        return _float32(items)


class OptionalLogprobs(ListOrArray["list[float | None]", "Array"]):
    """Logprobs of which some are missing: None in the list, NaN in the array."""

    def _to_list(self, array: Array) -> list[float | None]:
        return [None if math.isnan(value) else value for value in array.tolist()]

    def _to_array(self, items: list[float | None]) -> Array:
        return _float32(items)


#: Per position: None, or up to k (token id, logprob) pairs.
TopkRows: TypeAlias = list[list[tuple[int, float]] | None]

#: Padding of the matrices; release 0.38.0.
NO_TOKEN, NO_LOGPROB = 0, -99999.0


@frozen(eq=False)
class TopkLogprobs(Record):
    """The k most likely tokens at each position: `token_ids` int32, `logprobs` float32.

    Both have the shape (positions, k). Padding cells have token 0 and logprob -99999.
    """

    token_ids: Array
    logprobs: Array

    @classmethod
    def of(cls, rows: TopkRows) -> TopkLogprobs:
        """Deprecated; use `from_rows`."""
        warnings.warn(
            "TopkLogprobs.of is deprecated; use from_rows", DeprecationWarning, stacklevel=2
        )
        return cls.from_rows(rows)

    @classmethod
    def from_rows(cls, rows: TopkRows) -> TopkLogprobs:
        """Converts rows to matrices; k is the length of the longest row."""
        import numpy as np

        k = max((len(row) for row in rows if row), default=0)
        padding = [(NO_TOKEN, NO_LOGPROB)] * k
        padded = [[*(row or ()), *padding][:k] for row in rows]
        shape = (len(rows), k)
        with np.errstate(over="ignore"):  # values beyond float32 become infinite
            logprobs = np.array([logprob for row in padded for _, logprob in row], np.float32)
        return cls(
            np.array([token for row in padded for token, _ in row], np.int32).reshape(shape),
            logprobs.reshape(shape),
        )


class Topk(ListOrArray[TopkRows, TopkLogprobs]):
    """The most likely tokens at each position: rows of pairs, or two matrices."""

    def _to_list(self, array: TopkLogprobs) -> TopkRows:
        rows: TopkRows = []
        for ids, values in zip(array.token_ids.tolist(), array.logprobs.tolist(), strict=True):
            pairs = zip(ids, values, strict=True)
            rows.append([(token, value) for token, value in pairs if value > NO_LOGPROB] or None)
        return rows

    def __len__(self) -> int:
        if self._list is not None:
            return len(self._list)
        return len(cast("TopkLogprobs", self._array).token_ids)

    def _to_array(self, items: TopkRows) -> TopkLogprobs:
        return TopkLogprobs.from_rows(items)


def _float32(numbers: list[float] | list[float | None]) -> Array:
    """Converts to float32: None becomes NaN, numbers beyond the range become infinite."""
    import numpy as np

    with np.errstate(over="ignore"):
        return np.array(numbers, dtype=np.float32)
