"""Numbers, shapes and rows as a server sent them in JSON: checked, and not converted.

Tokens, logprobs and tensors are data that a program computes with, so they are read strictly.
Every check raises a ValueError with the path to the field, the expected and the received value.
"""

from __future__ import annotations

import math
import struct
import sys
from typing import TYPE_CHECKING, Any

from tinker_ext.types.tensors.list_or_array import Logprobs, OptionalLogprobs, Tokens, Topk
from tinker_ext.types.tensors.number_buffer import NumberBuffer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tinker_ext.types.tensors.topk import TopkRows

#: Dimensions of an array; numpy 1 has no more (numpy 2 has 64).
MAX_DIMENSIONS = 32

_INTEGERS = frozenset({int})
_NUMBERS = frozenset({int, float})
# JSON has no NaN, and some servers write null for it.
_NUMBERS_OR_NULL = _NUMBERS | {type(None)}
# Which of an int32's four bytes has the sign.
_SIGN_BYTE = 3 if sys.byteorder == "little" else 0
_SHOWN = 60  # characters of a value in a message


def read_numbers(values: Sequence[Any], dtype: str, where: str) -> NumberBuffer:
    """The numbers of a tensor. A null among float32 numbers is NaN.

    Raises:
        ValueError: one is not a number of that dtype.
    """
    if dtype == "int64":
        _check_kinds(values, _INTEGERS, "an integer", where)
        _check_range(values, "q", dtype, where)
    else:
        kinds = _check_kinds(values, _NUMBERS_OR_NULL, "a number", where)
        if int in kinds:
            _check_range([0 if value is None else value for value in values], "d", dtype, where)
    return NumberBuffer.from_wire(values, dtype)


def read_tokens(values: list[Any] | None, where: str) -> Tokens:
    """Token ids.

    Raises:
        ValueError: they are null, or one is not a token id.
    """
    if values is None:
        raise ValueError(f"{where}: expected token ids, got null")
    _check_kinds(values, _INTEGERS, "a token id", where)
    packed = _check_range(values, "i", "a token id", where)
    if not packed[_SIGN_BYTE::4].isascii():  # A byte with its highest bit set is not ASCII.
        at = next(at for at, one in enumerate(values) if one < 0)
        raise ValueError(f"{where}[{at}]: expected a token id, got {values[at]}")
    return Tokens(values)


def read_logprobs(values: list[Any] | None, where: str) -> Logprobs | None:
    """A logprob for each token; None if the server sends none.

    Raises:
        ValueError: one is not a number.
    """
    if values is None:
        return None
    if int in _check_kinds(values, _NUMBERS, "a logprob", where):
        _check_range(values, "d", "float32", where)
    return Logprobs(values)


def read_some_logprobs(values: list[Any] | None, where: str) -> OptionalLogprobs | None:
    """Logprobs with null for those that there are not; None if the server sends none.

    Raises:
        ValueError: one is neither a number nor null.
    """
    if values is None:
        return None
    if int in _check_kinds(values, _NUMBERS_OR_NULL, "a logprob or null", where):
        _check_range([0 if value is None else value for value in values], "d", "float32", where)
    return OptionalLogprobs(values)


def read_topk(rows: list[Any] | None, where: str) -> Topk | None:
    """The likeliest tokens at each position; None if the server sends none.

    Raises:
        ValueError: a row is neither null nor made of [token id, logprob] pairs.
    """
    if rows is None:
        return None
    listed: TopkRows = [_read_row(row, f"{where}[{at}]") for at, row in enumerate(rows)]
    pairs = [pair for row in listed for pair in row or ()]
    read_tokens([token for token, _ in pairs], f"{where}: token ids")
    read_logprobs([logprob for _, logprob in pairs], f"{where}: logprobs")
    return Topk(listed)


def _read_row(row: Any, where: str) -> list[tuple[int, float]] | None:
    if row is None:
        return None
    try:
        return [(token, logprob) for token, logprob in row]
    except (TypeError, ValueError):
        raise ValueError(
            f"{where}: expected [token id, logprob] pairs or null, got {_shown(row)}"
        ) from None


def check_shape(shape: Iterable[Any], size: int, where: str) -> list[int]:
    """The sizes of the dimensions of `size` numbers.

    Raises:
        ValueError: they are not the sizes of that many.
    """
    sizes = list(shape)
    valid = all(type(length) is int and length >= 0 for length in sizes)
    if not valid or len(sizes) > MAX_DIMENSIONS or math.prod(sizes) != size:
        raise ValueError(
            f"{where}.shape: expected the sizes of {size} numbers, got {_shown(sizes)}"
        )
    return sizes


def check_length(received: int, expected: int, what: str, per: str, where: str) -> None:
    """Refuse a list of another length than the list it belongs to.

    Raises:
        ValueError: it has another length.
    """
    if received != expected:
        raise ValueError(f"{where}: expected {expected} {what}, one for each {per}, got {received}")


def _check_kinds(
    values: Sequence[Any], allowed: frozenset[type], expected: str, where: str
) -> set[type]:
    """The types of the values; a bool is not a number here."""
    kinds = set(map(type, values))
    if not kinds <= allowed:
        at = next(at for at, one in enumerate(values) if type(one) not in allowed)
        raise ValueError(f"{where}[{at}]: expected {expected}, got {_shown(values[at])}")
    return kinds


def _check_range(values: Sequence[Any], code: str, holder: str, where: str) -> bytes:
    """The values packed, which shows in C whether each fits."""
    try:
        return struct.pack(f"{len(values)}{code}", *values)
    except (struct.error, OverflowError):
        at = next(at for at, one in enumerate(values) if not _fits(one, code))
        raise ValueError(f"{where}[{at}]: {_shown(values[at])} is too large for {holder}") from None


def _fits(value: Any, code: str) -> bool:
    try:
        struct.pack(code, value)
    except (struct.error, OverflowError):
        return False
    return True


def _shown(value: Any) -> str:
    """A value as JSON has it, cut where it is long."""
    if value is None:
        return "null"
    if type(value) is int and value.bit_length() > 200:  # Its digits take long to compute.
        return f"an integer of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
