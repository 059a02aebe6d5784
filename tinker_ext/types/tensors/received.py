"""Numbers in responses: checked strictly, and available both as lists and as arrays.

Programs compute with tokens, logprobs and tensors, so invalid values are errors. Every check raises
a ValueError with the path to the field, the expected and the received value.

JSON responses have lists, protobuf responses the bytes of arrays. Each is converted to the other on
first access; a form that is never accessed costs nothing.
"""

from __future__ import annotations

import math
import struct
import sys
import warnings
from collections.abc import Iterable, Sequence
from operator import countOf
from typing import Any, Generic, TypeAlias, TypeVar, cast

from attrs import frozen
from tinker_api.types import Unset

from tinker_ext.types.display import abbreviated
from tinker_ext.types.records import Record
from tinker_ext.types.tensors.number_buffer import (
    Array,
    NumberBuffer,
    NumberList,
)

L = TypeVar("L")
A = TypeVar("A")

#: Maximum dimensions of an array in numpy 1 (numpy 2: 64).
MAX_DIMENSIONS = 32

_INTEGERS = frozenset({int})
_NUMBERS = frozenset({int, float})
# JSON has no NaN; some servers send null instead.
_NUMBERS_OR_NULL = _NUMBERS | {type(None)}
# The byte of an int32 that has the sign bit.
_SIGN_BYTE = 3 if sys.byteorder == "little" else 0
_MAX_SHOWN = 60  # characters of a value in a message


class ListOrArray(Generic[L, A]):
    """A value in one form or both. Values are equal if their lists are equal."""

    __slots__ = ("_array", "_list")
    _dtype = "float32"

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
        return cast("L", cast("Any", array).tolist())

    def _to_array(self, items: L) -> A:
        import numpy as np

        # None becomes NaN, numbers beyond float32 become infinite.
        with np.errstate(over="ignore"):
            return cast("A", np.array(items, dtype=self._dtype))

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

    __slots__ = ()
    _dtype = "int32"


class Logprobs(ListOrArray[list[float], "Array"]):
    """A logprob for each token, float32."""

    __slots__ = ()


class OptionalLogprobs(ListOrArray["list[float | None]", "Array"]):
    """Logprobs of which some are missing: None in the list, NaN in the array."""

    __slots__ = ()

    def _to_list(self, array: Array) -> list[float | None]:
        return [None if math.isnan(value) else value for value in array.tolist()]


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


def read_numbers(values: Sequence[Any] | memoryview, dtype: str, where: str) -> NumberBuffer:
    """Checks the numbers of a tensor. A null among float32 numbers is NaN.

    A memoryview holds the numbers of a large result, as int64 or float64.

    Raises:
        ValueError: a value is not a number of the dtype.
    """
    if isinstance(values, memoryview):
        return NumberBuffer(dtype, values, None)
    if dtype == "int64":
        _check_kinds(values, _INTEGERS, "an integer", where)
        _check_range(values, "q", dtype, where)
    else:
        kinds = _check_kinds(values, _NUMBERS_OR_NULL, "a number", where)
        if int in kinds:
            _check_range([0 if value is None else value for value in values], "d", dtype, where)
    return NumberBuffer(dtype, cast("NumberList", values), None)


def read_count(value: Any, where: str) -> int:
    """Checks a number of tokens; a null or missing one is 0.

    Raises:
        ValueError: the value is not an integer.
    """
    if value is None or isinstance(value, Unset):
        return 0
    if type(value) is not int:
        raise ValueError(f"{where}: expected an integer, got {_shorten(value)}")
    return value


def read_tokens(values: list[Any] | None, where: str) -> Tokens:
    """Checks token ids.

    Raises:
        ValueError: the list is null, or a value is not a token id.
    """
    if values is None:
        raise ValueError(f"{where}: expected token ids, got null")
    _check_kinds(values, _INTEGERS, "a token id", where)
    packed = _check_range(values, "i", "a token id", where)
    if not packed[_SIGN_BYTE::4].isascii():  # A byte with its highest bit set is not ASCII.
        index = next(i for i, value in enumerate(values) if value < 0)
        raise ValueError(f"{where}[{index}]: expected a token id, got {values[index]}")
    return Tokens(values)


def read_logprobs(values: list[Any] | Unset | None, where: str) -> Logprobs | None:
    """Checks logprobs; None if the server sends none.

    Raises:
        ValueError: a value is not a number.
    """
    if values is None or isinstance(values, Unset):
        return None
    if int in _check_kinds(values, _NUMBERS, "a logprob", where):
        _check_range(values, "d", "float32", where)
    return Logprobs(values)


def read_optional_logprobs(values: list[Any] | Unset | None, where: str) -> OptionalLogprobs | None:
    """Checks logprobs of which some may be null; None if the server sends none.

    Raises:
        ValueError: a value is neither a number nor null.
    """
    if values is None or isinstance(values, Unset):
        return None
    if int in _check_kinds(values, _NUMBERS_OR_NULL, "a logprob or null", where):
        _check_range([0 if value is None else value for value in values], "d", "float32", where)
    return OptionalLogprobs(values)


def read_topk(rows: list[Any] | Unset | None, where: str) -> Topk | None:
    """Checks the most likely tokens at each position; None if the server sends none.

    Raises:
        ValueError: a row is neither null nor a list of [token id, logprob] pairs.
    """
    if rows is None or isinstance(rows, Unset):
        return None
    topk: TopkRows = [_read_row(row, f"{where}[{index}]") for index, row in enumerate(rows)]
    pairs = [pair for row in topk for pair in row or ()]
    read_tokens([token for token, _ in pairs], f"{where}: token ids")
    read_logprobs([logprob for _, logprob in pairs], f"{where}: logprobs")
    return Topk(topk)


def _read_row(row: Any, where: str) -> list[tuple[int, float]] | None:
    if row is None:
        return None
    try:
        return [(token, logprob) for token, logprob in row]
    except (TypeError, ValueError):
        raise ValueError(
            f"{where}: expected [token id, logprob] pairs or null, got {_shorten(row)}"
        ) from None


def check_shape(shape: Iterable[Any], size: int, where: str) -> list[int]:
    """Checks the shape of `size` numbers.

    Raises:
        ValueError: the shape is invalid or does not match `size`.
    """
    sizes = list(shape)
    is_valid = len(sizes) <= MAX_DIMENSIONS
    for length in sizes:
        is_valid = is_valid and type(length) is int and length >= 0
    if not is_valid:
        raise ValueError(
            f"{where}.shape: expected at most {MAX_DIMENSIONS} non-negative integers, "
            f"got {_shorten(sizes)}"
        )
    if (elements := math.prod(sizes)) != size:
        raise ValueError(
            f"{where}.shape: {_shorten(sizes)} has {elements} elements, but the data has {size}"
        )
    return sizes


def _check_kinds(
    values: Sequence[Any], allowed: frozenset[type], expected: str, where: str
) -> set[type]:
    """Checks and returns the types of the values; bools are not numbers."""
    first = type(values[0]) if values else int
    if first in allowed and countOf(map(type, values), first) == len(values):
        return {first}  # Usually all have one type; counting it takes half the time of a set.
    kinds = set(map(type, values))
    if not kinds <= allowed:
        index = next(i for i, value in enumerate(values) if type(value) not in allowed)
        raise ValueError(f"{where}[{index}]: expected {expected}, got {_shorten(values[index])}")
    return kinds


def _check_range(values: Sequence[Any], code: str, kind: str, where: str) -> bytes:
    """Packs the values with the ``struct`` code, which fails if a value is out of range."""
    try:
        return struct.pack(f"{len(values)}{code}", *values)
    except (struct.error, OverflowError):
        index = next(i for i, value in enumerate(values) if not _fits(value, code))
        value = _shorten(values[index])
        raise ValueError(f"{where}[{index}]: {value} is too large for {kind}") from None


def _fits(value: Any, code: str) -> bool:
    try:
        struct.pack(code, value)
    except (struct.error, OverflowError):
        return False
    return True


def _shorten(value: Any) -> str:
    """Formats a value for a message, truncated if it is long."""
    if value is None:
        return "null"
    if type(value) is int and value.bit_length() > 200:  # Converting it to digits is slow.
        return f"an integer of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
