"""Parses numbers from lists, nested lists, numpy arrays and torch tensors.

The standard library checks lists of plain ints and floats; all other values use numpy, which is
imported on demand.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable, Mapping, Sequence, Set
from operator import countOf
from typing import Any, TypeAlias

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.tensors.arrays import (
    Array,
    TensorDtype,
    as_numpy,
    is_torch,
    natural_dtype,
    wire_copy,
)
from tinker_ext.types.tensors.number_buffer import NumberBuffer

#: The accepted values besides arrays: numbers, or rows of numbers of equal length.
NumberSequence: TypeAlias = Sequence[float] | Sequence[Sequence[float]]

#: The numbers that can be packed as each dtype: for float32 the range of a Python float.
_RANGES = {
    "int64": (-(2**63), 2**63 - 1),
    "float32": (-sys.float_info.max, sys.float_info.max),
}
_NOT_A_SEQUENCE = (str, bytes, bytearray, Mapping, Set)


def parse_numbers(
    values: object, *, dtype: TensorDtype | None, where: str
) -> tuple[NumberBuffer, list[int]]:
    """Returns the numbers and shape of a list, nested lists, a numpy array or a torch tensor.

    ``dtype=None`` infers the dtype: floats are float32, integers int64.

    Raises:
        InvalidInputError: non-numbers, bools, ragged lists, floats for dtype int64, or integers
            beyond int64. ``where`` is the path to the value.
    """
    array = as_numpy(values)
    if array is None:
        items = _items(values, where)
        kinds = _kinds(items)
        if kinds == {bool} and dtype == "float32":  # A mask.
            items, kinds = tuple(map(int, items)), {int}
        if kinds <= {int, float}:
            return _from_list(items, kinds, dtype, where)
        array = _from_mixed(items, kinds, where)
    return _from_array(array, dtype, where)


def _items(values: object, where: str) -> tuple[Any, ...]:
    if isinstance(values, _NOT_A_SEQUENCE) or not isinstance(values, Iterable):
        raise InvalidInputError(
            f"expected a list, numpy array or torch tensor of numbers, got {_name(values)}",
            where=where,
        )
    return tuple(values)


def _kinds(items: tuple[Any, ...]) -> set[type]:
    """The types of the items; a single type is detected faster than a set is built."""
    first = type(items[0]) if items else int
    return {first} if countOf(map(type, items), first) == len(items) else set(map(type, items))


def _from_list(
    items: tuple[Any, ...], kinds: set[type], dtype: TensorDtype | None, where: str
) -> tuple[NumberBuffer, list[int]]:
    dtype = dtype or ("float32" if float in kinds else "int64")
    if dtype == "int64" and float in kinds:
        items = tuple(_whole(item, f"{where}[{index}]") for index, item in enumerate(items))
    try:
        return NumberBuffer.pack(items, dtype), [len(items)]
    except struct.error:
        low, high = _RANGES[dtype]
        index = next(i for i, item in enumerate(items) if item < low or item > high)
        raise InvalidInputError(
            f"{items[index]} is out of range for {dtype}", where=f"{where}[{index}]"
        ) from None


def _whole(item: float, where: str) -> int:
    """Converts a float without a fraction, which JSON and numpy make of integers, to an int."""
    if not float(item).is_integer():
        raise InvalidInputError(f"expected integers, got {item!r}", where=where)
    return int(item)


def _from_mixed(items: tuple[Any, ...], kinds: set[type], where: str) -> Array:
    """Converts nested lists, lists of numpy scalars and lists of arrays."""
    import numpy as np

    if bool in kinds:
        index = next(i for i, item in enumerate(items) if type(item) is bool)
        raise InvalidInputError("expected a number, got a bool", where=f"{where}[{index}]")
    try:
        array = np.asarray([as_numpy(item) if is_torch(item) else item for item in items])
    except ValueError:
        raise InvalidInputError("nested lists must have the same length", where=where) from None
    if array.dtype.kind in "OUS":
        index = next((i for i, item in enumerate(items) if not _is_numeric(item)), 0)
        raise InvalidInputError(
            f"expected numbers, got {_name(items[index])}", where=f"{where}[{index}]"
        )
    return array


def _from_array(
    array: Array, dtype: TensorDtype | None, where: str
) -> tuple[NumberBuffer, list[int]]:
    natural = natural_dtype(array, where)
    if dtype == "int64" and natural == "float32":
        array = _whole_array(array, where)
    dtype = dtype or natural
    return NumberBuffer(dtype, None, wire_copy(array, dtype, where)), list(array.shape)


def _whole_array(array: Array, where: str) -> Array:
    """Converts an array of floats without fractions to int64."""
    import numpy as np

    low, high = _RANGES["int64"]
    # The limits are beyond the range of float16.
    wide = array.astype(np.float32) if array.dtype.itemsize < 4 else array
    if not np.all((wide == np.floor(wide)) & (wide >= low) & (wide < high)):
        raise InvalidInputError(f"expected integers, got {array.dtype} values", where=where)
    return array.astype(np.int64)


def _is_numeric(item: object) -> bool:
    return isinstance(item, int | float | list | tuple) or hasattr(item, "__array__")


def _name(value: object) -> str:
    return "None" if value is None else type(value).__name__
