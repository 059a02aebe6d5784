"""A flat sequence of numbers, stored in its original form: packed, as a list, or both.

The packed form is a numpy array, or bytes if the numbers came as a list: validating a list packs
it, so that the list is not read twice. Each form is created from the other on first access. So
lists never need numpy, arrays reach the encoder without ``tolist()``, and results whose values are
never accessed are never converted.
"""

from __future__ import annotations

import math
import struct
import sys
from array import array
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, cast

from tinker_ext.types.tensors.arrays import Array, is_numpy_loaded, numpy_dtype

NumberList: TypeAlias = list[int] | list[float]

#: The ``struct`` codes of the dtypes, and the bytes per number.
_CODES: Mapping[str, Literal["q", "f"]] = {"int64": "q", "float32": "f"}
_WIDTHS = {"int64": 8, "float32": 4}
# The byte of an int64 that has the sign bit.
_SIGN_BYTE = 7 if sys.byteorder == "little" else 0


class NumberBuffer:
    """An immutable flat sequence of int64 or float32 numbers, usually from `parse_numbers`."""

    __slots__ = ("_list", "_packed", "dtype")

    def __init__(
        self, dtype: str, items: NumberList | memoryview | None, packed: Array | bytes | None
    ) -> None:
        """Stores at least one of the two forms, without a copy.

        If there are both a list and bytes, the list has the numbers before rounding to float32. The
        list may be a memoryview of int64 or float64 numbers, which becomes a list on first access.
        """
        self.dtype = dtype
        self._list = items
        self._packed = packed

    @classmethod
    def pack(cls, items: tuple[float, ...], dtype: str) -> NumberBuffer:
        """Packs numbers of the caller: ints and floats, or only ints for int64.

        Raises:
            struct.error: a number exceeds int64 or the range of a Python float.
        """
        packed = struct.pack(f"{len(items)}{_CODES[dtype]}", *items)
        # int64 packs exactly; float32 may round, so the list is kept.
        return cls(dtype, None if dtype == "int64" else list(items), packed)

    @classmethod
    def from_wire(cls, items: Sequence[Any] | memoryview, dtype: str) -> NumberBuffer:
        """Wraps numbers that `received.read_numbers` checked, without copy or conversion."""
        return cls(dtype, cast("NumberList", items), None)

    @classmethod
    def from_array(cls, array: Array) -> NumberBuffer:
        """Wraps a 1-D int64 or float32 array that is no longer modified."""
        import numpy as np

        packed = np.ascontiguousarray(array)  # required by the encoder
        packed.setflags(write=False)
        return cls("int64" if packed.dtype.kind == "i" else "float32", None, packed)

    @property
    def wire(self) -> NumberList | Array:
        """The form for the JSON encoder: an array, or the caller's list if there is one."""
        if self._packed is not None and not isinstance(self._packed, bytes):
            return self._packed
        if self._list is None and is_numpy_loaded():
            return self.to_array()
        return self.to_list()

    def to_list(self) -> NumberList:
        """Returns the numbers as Python ints or floats; cached."""
        if isinstance(self._list, memoryview):
            self._list = cast("NumberList", self._list.tolist())
        elif self._list is None:
            self._list = cast("NumberList", self._stored.tolist())
        return self._list

    def to_array(self) -> Array:
        """Returns the numbers as a read-only 1-D numpy array; cached."""
        import numpy as np

        if isinstance(self._packed, bytes):
            return np.frombuffer(self._packed, dtype=numpy_dtype(self.dtype))
        if self._packed is None:
            self._packed = self._pack_list()
            self._packed.setflags(write=False)
        return self._packed

    def _pack_list(self) -> Array:
        import numpy as np

        dtype = numpy_dtype(self.dtype)
        if isinstance(self._list, memoryview):
            with np.errstate(over="ignore"):  # infinities are rejected when sent
                return np.asarray(self._list).astype(dtype)
        try:
            # The standard library converts a list in half of numpy's time.
            return np.frombuffer(array(_CODES[self.dtype], self._list or ()), dtype)
        except TypeError:  # A null, which numpy converts to NaN.
            with np.errstate(over="ignore"):  # infinities are rejected when sent
                return np.array(self._list, dtype)

    @property
    def _stored(self) -> Any:
        """The numbers as an indexable sequence, without conversion."""
        if isinstance(self._packed, bytes):
            return memoryview(self._packed).cast(_CODES[self.dtype])
        return self._list if self._packed is None else self._packed

    def __len__(self) -> int:
        packed = self._packed
        if packed is None:
            return len(self._list or ())
        return len(packed) // _WIDTHS[self.dtype] if type(packed) is bytes else len(packed)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NumberBuffer):
            return NotImplemented
        if self.dtype != other.dtype or len(self) != len(other):
            return False
        if self._list is not None and self._list == other._list:
            return True
        if self.dtype == "int64" and type(self._packed) is type(other._packed) is bytes:
            return self._packed == other._packed
        return bool((self.to_array() == other.to_array()).all())

    __hash__ = None  # type: ignore[assignment]  # Instances are compared by value.

    def __reduce__(self) -> tuple[Any, ...]:
        items = self.to_list() if isinstance(self._list, memoryview) else self._list
        return (_restore, (self.dtype, items, self._packed))

    def __repr__(self) -> str:
        """Shows at most the first three numbers and the last: a tensor may have millions."""
        numbers: Any = self._stored if self._list is None else self._list
        if len(numbers) <= 4:
            return f"[{', '.join(map(_plain, numbers))}]"
        return f"[{', '.join(map(_plain, numbers[:3]))}, ..., {_plain(numbers[-1])}]"

    def first_not_finite(self) -> int | None:
        """Returns the index of the first NaN or infinity in float32, or ``None``."""
        if self.dtype == "int64":
            return None
        if not is_numpy_loaded() and isinstance(self._packed, bytes) and self._sum_is_finite():
            return None
        import numpy as np

        finite = np.isfinite(self.to_array())
        return None if finite.all() else int(finite.argmin())

    def first_negative(self) -> int | None:
        """Returns the index of the first negative number in int64, or ``None``."""
        # A byte with the sign bit set is not ASCII, and `isascii` runs in C.
        if isinstance(self._packed, bytes) and self._packed[_SIGN_BYTE::8].isascii():
            return None
        import numpy as np

        numbers = self.to_array()
        # The sign bit of an OR is that of any negative number.
        return int((numbers < 0).argmax()) if np.bitwise_or.reduce(numbers) < 0 else None

    def _sum_is_finite(self) -> bool:
        """Returns True if the sum, and therefore every number, is finite.

        The largest float32 is 3.4e38, so finite numbers that fit in memory never add up to
        infinity.
        """
        return math.isfinite(sum(self._stored))


def _restore(dtype: str, items: NumberList | None, packed: Array | bytes | None) -> NumberBuffer:
    if packed is not None and not isinstance(packed, bytes):
        packed.setflags(write=False)
    return NumberBuffer(dtype, items, packed)


def _plain(value: Any) -> str:
    """Formats a number as Python does, without numpy's ``np.float32(...)``."""
    return str(value.item() if hasattr(value, "item") else value)
