"""Numbers from whatever a caller has: lists, nested lists, numpy arrays, torch tensors.

A list of plain ints and floats is checked by the standard library alone; everything else goes
through numpy, imported when it is met.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable, Mapping, Sequence, Set
from operator import countOf
from typing import TYPE_CHECKING, Any, TypeAlias

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.tensors.arrays import as_numpy, is_torch, natural_dtype, wire_copy
from tinker_ext.types.tensors.number_buffer import NumberBuffer

if TYPE_CHECKING:
    from tinker_ext.types.tensors.arrays import Array
    from tinker_ext.types.tensors.dtypes import TensorDtype

#: What is accepted beside arrays: numbers in a row, or rows of them of equal length.
NumberSequence: TypeAlias = Sequence[float] | Sequence[Sequence[float]]

#: What can be packed as the wire dtype: of float32 all that Python has as a float.
_RANGES = {
    "int64": (-(2**63), 2**63 - 1),
    "float32": (-sys.float_info.max, sys.float_info.max),
}
_NOT_A_SEQUENCE = (str, bytes, bytearray, Mapping, Set)


def parse_numbers(
    values: object, *, dtype: TensorDtype | None, where: str
) -> tuple[NumberBuffer, list[int]]:
    """Numbers and their shape from a list, nested lists, a numpy array or a torch tensor.

    ``dtype=None`` takes what the values suggest: floats float32, integers int64.

    Raises:
        InvalidInputError: not numbers, bools, ragged lists, floats where int64 is asked for,
            integers beyond int64. ``where`` names the place in the caller's words.
    """
    array = as_numpy(values)
    if array is None:
        items = _items(values, where)
        kinds = _kinds(items)
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
    """The types of the items; that all have the same one is seen sooner than a set is made."""
    first = type(items[0]) if items else int
    return {first} if countOf(map(type, items), first) == len(items) else set(map(type, items))


def _from_list(
    items: tuple[Any, ...], kinds: set[type], dtype: TensorDtype | None, where: str
) -> tuple[NumberBuffer, list[int]]:
    wanted = dtype or ("float32" if float in kinds else "int64")
    if wanted == "int64" and float in kinds:
        at = next(i for i, item in enumerate(items) if type(item) is float)
        raise InvalidInputError(f"expected integers, got {items[at]!r}", where=f"{where}[{at}]")
    try:
        return NumberBuffer.pack(items, wanted), [len(items)]
    except struct.error:
        least, most = _RANGES[wanted]
        at = next(i for i, item in enumerate(items) if item < least or item > most)
        raise InvalidInputError(
            f"{items[at]} is beyond what {wanted} holds", where=f"{where}[{at}]"
        ) from None


def _from_mixed(items: tuple[Any, ...], kinds: set[type], where: str) -> Array:
    """Nested lists, lists of numpy scalars, lists of arrays: whatever numpy makes a block of."""
    import numpy as np

    if bool in kinds:
        at = next(i for i, item in enumerate(items) if type(item) is bool)
        raise InvalidInputError("a bool is not a number here", where=f"{where}[{at}]")
    try:
        array = np.asarray([as_numpy(item) if is_torch(item) else item for item in items])
    except ValueError:
        raise InvalidInputError("nested lists must all have the same length", where=where) from None
    if array.dtype.kind in "OUS":
        at = next((i for i, item in enumerate(items) if not _numeric(item)), 0)
        raise InvalidInputError(f"expected numbers, got {_name(items[at])}", where=f"{where}[{at}]")
    return array


def _from_array(
    array: Array, dtype: TensorDtype | None, where: str
) -> tuple[NumberBuffer, list[int]]:
    natural = natural_dtype(array, where)
    if dtype == "int64" and natural == "float32":
        raise InvalidInputError(f"expected integers, got {array.dtype} values", where=where)
    wanted = dtype or natural
    return NumberBuffer(wanted, None, wire_copy(array, wanted, where)), list(array.shape)


def _numeric(item: object) -> bool:
    return isinstance(item, int | float | list | tuple) or hasattr(item, "__array__")


def _name(value: object) -> str:
    return "None" if value is None else type(value).__name__
