"""Strict checks of numbers, shapes and rows in JSON responses, without conversion.

Programs compute with tokens, logprobs and tensors, so invalid values are errors. Every check raises
a ValueError with the path to the field, the expected and the received value.
"""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Iterable, Sequence
from operator import countOf
from typing import Any

from tinker_ext.types.tensors.list_or_array import (
    Logprobs,
    OptionalLogprobs,
    Tokens,
    Topk,
    TopkRows,
)
from tinker_ext.types.tensors.number_buffer import NumberBuffer

#: Maximum dimensions of an array in numpy 1 (numpy 2: 64).
MAX_DIMENSIONS = 32

_INTEGERS = frozenset({int})
_NUMBERS = frozenset({int, float})
# JSON has no NaN; some servers send null instead.
_NUMBERS_OR_NULL = _NUMBERS | {type(None)}
# The byte of an int32 that has the sign bit.
_SIGN_BYTE = 3 if sys.byteorder == "little" else 0
_MAX_SHOWN = 60  # characters of a value in a message


def read_numbers(values: Sequence[Any] | memoryview, dtype: str, where: str) -> NumberBuffer:
    """Checks the numbers of a tensor. A null among float32 numbers is NaN.

    A memoryview holds the numbers of a large result, as int64 or float64.

    Raises:
        ValueError: a value is not a number of the dtype.
    """
    if isinstance(values, memoryview):
        return NumberBuffer.from_wire(values, dtype)
    if dtype == "int64":
        _check_kinds(values, _INTEGERS, "an integer", where)
        _check_range(values, "q", dtype, where)
    else:
        kinds = _check_kinds(values, _NUMBERS_OR_NULL, "a number", where)
        if int in kinds:
            _check_range([0 if value is None else value for value in values], "d", dtype, where)
    return NumberBuffer.from_wire(values, dtype)


def read_count(value: Any, where: str) -> int:
    """Checks a number of tokens; a null one is 0.

    Raises:
        ValueError: the value is not an integer.
    """
    if value is None:
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


def read_logprobs(values: list[Any] | None, where: str) -> Logprobs | None:
    """Checks logprobs; None if the server sends none.

    Raises:
        ValueError: a value is not a number.
    """
    if values is None:
        return None
    if int in _check_kinds(values, _NUMBERS, "a logprob", where):
        _check_range(values, "d", "float32", where)
    return Logprobs(values)


def read_optional_logprobs(values: list[Any] | None, where: str) -> OptionalLogprobs | None:
    """Checks logprobs of which some may be null; None if the server sends none.

    Raises:
        ValueError: a value is neither a number nor null.
    """
    if values is None:
        return None
    if int in _check_kinds(values, _NUMBERS_OR_NULL, "a logprob or null", where):
        _check_range([0 if value is None else value for value in values], "d", "float32", where)
    return OptionalLogprobs(values)


def read_topk(rows: list[Any] | None, where: str) -> Topk | None:
    """Checks the most likely tokens at each position; None if the server sends none.

    Raises:
        ValueError: a row is neither null nor a list of [token id, logprob] pairs.
    """
    if rows is None:
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
    valid = all(type(length) is int and length >= 0 for length in sizes)
    if not valid or len(sizes) > MAX_DIMENSIONS:
        raise ValueError(
            f"{where}.shape: expected at most {MAX_DIMENSIONS} non-negative integers, "
            f"got {_shorten(sizes)}"
        )
    if (elements := math.prod(sizes)) != size:
        raise ValueError(
            f"{where}.shape: {_shorten(sizes)} has {elements} elements, but the data has {size}"
        )
    return sizes


def check_length(received: int, expected: int, items: str, per: str, where: str) -> None:
    """Checks that a list has one item for each item of another list.

    Raises:
        ValueError: the lengths differ.
    """
    if received != expected:
        raise ValueError(
            f"{where}: expected {expected} {items}, one for each {per}, got {received}"
        )


def _check_kinds(
    values: Sequence[Any], allowed: frozenset[type], expected: str, where: str
) -> set[type]:
    """Checks and returns the types of the values; bools are not numbers."""
    # Usually all are of one type, and counting it takes half the time of a set.
    first = type(values[0]) if values else int
    kinds = {first} if countOf(map(type, values), first) == len(values) else set(map(type, values))
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
