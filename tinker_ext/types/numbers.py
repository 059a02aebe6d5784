"""A flat run of numbers, held as it came: a list stays a list, an array stays an array.

Each form is made from the other when somebody first asks for it. So lists never cost a numpy
import, arrays never cost a ``tolist()`` on their way to the encoder, and results whose values
nobody reads are never converted.
"""

from __future__ import annotations

import math
from array import array as buffer
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.arrays import as_numpy, natural_dtype, numpy_dtype, wire_copy

if TYPE_CHECKING:
    from tinker_ext.types.arrays import Array
    from tinker_ext.types.dtypes import TensorDtype

NumberList: TypeAlias = list[int] | list[float]

#: Codes of the standard library's typed buffers; both have the width of the wire dtype.
_BUFFER_CODE = {"int64": "q", "float32": "f"}
_NOT_A_SEQUENCE = (str, bytes, bytearray, Mapping, Set)


class Numbers:
    """An immutable flat run of int64 or float32 numbers. Made by `read` or `trusted`."""

    __slots__ = ("_array", "_list", "dtype")

    def __init__(self, dtype: str, items: NumberList | None, array: Array | None) -> None:
        self.dtype = dtype
        self._list = items
        self._array = array

    @classmethod
    def trusted(cls, items: Sequence[Any], dtype: str) -> Numbers:
        """Numbers a server sent: no check, no copy, nothing converted yet."""
        return cls(dtype, cast("NumberList", items), None)

    @property
    def _held(self) -> NumberList | Array:
        return self.to_list() if self._array is None else self._array

    @property
    def wire(self) -> NumberList | Array:
        """What the encoder takes: the array where there is one, else the list."""
        return self._held

    def to_list(self) -> NumberList:
        """The numbers as Python ints or floats; made once."""
        if self._list is None:
            self._list = cast("Array", self._array).tolist()
        return self._list

    def to_array(self) -> Array:
        """The numbers as a read-only 1-D numpy array of their dtype; made once."""
        if self._array is None:
            import numpy as np

            made = np.array(self._list, dtype=numpy_dtype(self.dtype))
            made.setflags(write=False)
            self._array = made
        return self._array

    def __len__(self) -> int:
        return len(self._held)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Numbers):
            return NotImplemented
        if self.dtype != other.dtype or len(self) != len(other):
            return False
        if self._list is not None and self._list == other._list:
            return True
        return bool((self.to_array() == other.to_array()).all())

    __hash__ = None  # type: ignore[assignment]  # equal by value, and the values may be many

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore, (self.dtype, self._list, self._array))

    def __repr__(self) -> str:
        """At most the first three numbers and the last: a tensor may have millions."""
        held = self._held
        if len(held) <= 4:
            return f"[{', '.join(map(_plain, held))}]"
        return f"[{', '.join(map(_plain, held[:3]))}, ..., {_plain(held[-1])}]"

    def first_not_finite(self) -> int | None:
        """The position of the first NaN or infinity in float32, or ``None``."""
        if self.dtype == "int64":
            return None
        if self._array is None and math.isfinite(sum(self._as_buffer())):
            return None
        import numpy as np

        bad = ~np.isfinite(self.to_array())
        return int(bad.argmax()) if bad.any() else None

    def first_negative(self) -> int | None:
        """The position of the first negative number, or ``None``."""
        if not len(self):
            return None
        if self._array is None:
            items = self.to_list()
            return None if min(items) >= 0 else next(i for i, x in enumerate(items) if x < 0)
        bad = self._array < 0
        return int(bad.argmax()) if bad.any() else None

    def _as_buffer(self) -> buffer[Any]:
        return buffer(_BUFFER_CODE[self.dtype], self.to_list())


def _restore(dtype: str, items: NumberList | None, array: Array | None) -> Numbers:
    if array is not None:
        array.setflags(write=False)
    return Numbers(dtype, items, array)


def _plain(value: Any) -> str:
    """A number as Python writes it, without numpy's ``np.float32(...)`` around it."""
    return str(value.item() if hasattr(value, "item") else value)


def read(values: object, *, dtype: TensorDtype | None, where: str) -> tuple[Numbers, list[int]]:
    """Numbers and their shape from a list, nested lists, a numpy array or a torch tensor.

    ``dtype=None`` takes what the values suggest: floats float32, integers int64.

    Raises:
        InvalidInputError: not numbers, bools, ragged lists, floats where int64 is asked for,
            integers beyond int64. ``where`` names the place in the caller's words.
    """
    array = as_numpy(values)
    if array is None:
        items = _items(values, where)
        kinds = set(map(type, items))
        if kinds <= {int, float}:
            return _from_list(items, kinds, dtype, where)
        array = _from_mixed(items, kinds, where)
    return _from_array(array, dtype, where)


def _items(values: object, where: str) -> list[Any]:
    if isinstance(values, _NOT_A_SEQUENCE) or not isinstance(values, Iterable):
        raise InvalidInputError(
            f"expected a list, numpy array or torch tensor of numbers, got {_name(values)}",
            where=where,
        )
    return list(values)


def _from_list(
    items: list[Any], kinds: set[type], dtype: TensorDtype | None, where: str
) -> tuple[Numbers, list[int]]:
    wanted = dtype or ("float32" if float in kinds else "int64")
    if wanted == "int64" and float in kinds:
        at = next(i for i, item in enumerate(items) if type(item) is float)
        raise InvalidInputError(f"expected integers, got {items[at]!r}", where=f"{where}[{at}]")
    try:
        buffer(_BUFFER_CODE[wanted], items)
    except OverflowError:
        at = next(i for i, item in enumerate(items) if not -(2**63) <= item < 2**63)
        raise InvalidInputError(
            f"{items[at]} is beyond what {wanted} holds", where=f"{where}[{at}]"
        ) from None
    return Numbers(wanted, items, None), [len(items)]


def _from_mixed(items: list[Any], kinds: set[type], where: str) -> Array:
    """Nested lists, lists of numpy scalars, lists of arrays: whatever numpy makes a block of."""
    import numpy as np

    if bool in kinds:
        at = next(i for i, item in enumerate(items) if type(item) is bool)
        raise InvalidInputError("a bool is not a number here", where=f"{where}[{at}]")
    try:
        array = np.asarray(items)
    except ValueError:
        raise InvalidInputError("nested lists must all have the same length", where=where) from None
    if array.dtype.kind in "OUS":
        at = next((i for i, item in enumerate(items) if not _numeric(item)), 0)
        raise InvalidInputError(f"expected numbers, got {_name(items[at])}", where=f"{where}[{at}]")
    return array


def _from_array(array: Array, dtype: TensorDtype | None, where: str) -> tuple[Numbers, list[int]]:
    natural = natural_dtype(array, where)
    if dtype == "int64" and natural == "float32":
        raise InvalidInputError(f"expected integers, got {array.dtype} values", where=where)
    wanted = dtype or natural
    return Numbers(wanted, None, wire_copy(array, wanted, where)), list(array.shape)


def _numeric(item: object) -> bool:
    return isinstance(item, int | float | list | tuple) or hasattr(item, "__array__")


def _name(value: object) -> str:
    return "None" if value is None else type(value).__name__
