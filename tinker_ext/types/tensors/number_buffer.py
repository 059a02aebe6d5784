"""A flat run of numbers, held as it came: packed, as a list, or both.

Packed is a numpy array, or bytes where the numbers came as a list: the check of a list packs it, so
nothing has to read the list again. Each form is made from the other when somebody first asks for
it. So lists never cost a numpy import, arrays never cost a ``tolist()`` on their way to the
encoder, and results whose values nobody reads are never converted.
"""

from __future__ import annotations

import math
import struct
import sys
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from tinker_ext.types.tensors.arrays import is_numpy_loaded, numpy_dtype

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tinker_ext.types.tensors.arrays import Array

NumberList: TypeAlias = list[int] | list[float]

#: The standard library's codes of the wire dtypes, and how many bytes a number has.
_CODES: Mapping[str, Literal["q", "f"]] = {"int64": "q", "float32": "f"}
_WIDTHS = {"int64": 8, "float32": 4}
# Which of an int64's eight bytes has the sign.
_SIGN_BYTE = 7 if sys.byteorder == "little" else 0


class NumberBuffer:
    """An immutable flat run of int64 or float32 numbers. Made by `reading.read` or `trusted`."""

    __slots__ = ("_list", "_packed", "dtype")

    def __init__(self, dtype: str, items: NumberList | None, packed: Array | bytes | None) -> None:
        """Hold what is given, at least one of the two, without a copy.

        A list beside bytes has the numbers as the caller knows them, before float32 rounds them.
        """
        self.dtype = dtype
        self._list = items
        self._packed = packed

    @classmethod
    def pack(cls, items: tuple[float, ...], dtype: str) -> NumberBuffer:
        """Ints and floats a caller gave; ints alone where the dtype is int64.

        Raises:
            struct.error: one is beyond int64, or beyond what Python has as a float.
        """
        packed = struct.pack(f"{len(items)}{_CODES[dtype]}", *items)
        # An int64 is packed as it is; a float32 is not always what the caller gave.
        return cls(dtype, None if dtype == "int64" else list(items), packed)

    @classmethod
    def from_wire(cls, items: Sequence[Any], dtype: str) -> NumberBuffer:
        """Numbers of a result that `received.read_numbers` checked: no copy, no conversion yet."""
        return cls(dtype, cast("NumberList", items), None)

    @classmethod
    def from_array(cls, array: Array) -> NumberBuffer:
        """Numbers of a one-dimensional int64 or float32 array that nobody changes any more."""
        import numpy as np

        whole = np.ascontiguousarray(array)  # as the encoder wants it
        whole.setflags(write=False)
        return cls("int64" if whole.dtype.kind == "i" else "float32", None, whole)

    @property
    def wire(self) -> NumberList | Array:
        """What the JSON encoder takes: an array, or the caller's list where there is one."""
        if self._packed is not None and not isinstance(self._packed, bytes):
            return self._packed
        if self._list is None and is_numpy_loaded():
            return self.to_array()
        return self.to_list()

    def to_list(self) -> NumberList:
        """The numbers as Python ints or floats; made once."""
        if self._list is None:
            self._list = self._held.tolist()
        return self._list

    def to_array(self) -> Array:
        """The numbers as a read-only 1-D numpy array of their dtype; they are copied only once."""
        import numpy as np

        if isinstance(self._packed, bytes):
            return np.frombuffer(self._packed, dtype=numpy_dtype(self.dtype))
        if self._packed is None:
            with np.errstate(over="ignore"):  # beyond float32 is infinite, and said when sent
                made = np.array(self._list, dtype=numpy_dtype(self.dtype))
            made.setflags(write=False)
            self._packed = made
        return self._packed

    @property
    def _held(self) -> Any:
        """The numbers in a row, whatever they are held in."""
        if isinstance(self._packed, bytes):
            return memoryview(self._packed).cast(_CODES[self.dtype])
        return self._list if self._packed is None else self._packed

    def __len__(self) -> int:
        if isinstance(self._packed, bytes):
            return len(self._packed) // _WIDTHS[self.dtype]
        return len(self._held)

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

    __hash__ = None  # type: ignore[assignment]  # equal by value, and the values may be many

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore, (self.dtype, self._list, self._packed))

    def __repr__(self) -> str:
        """At most the first three numbers and the last: a tensor may have millions."""
        held: Any = self._held if self._list is None else self._list
        if len(held) <= 4:
            return f"[{', '.join(map(_plain, held))}]"
        return f"[{', '.join(map(_plain, held[:3]))}, ..., {_plain(held[-1])}]"

    def first_not_finite(self) -> int | None:
        """The position of the first NaN or infinity in float32, or ``None``."""
        if self.dtype == "int64":
            return None
        if not is_numpy_loaded() and isinstance(self._packed, bytes) and self._sum_is_finite():
            return None
        import numpy as np

        good = np.isfinite(self.to_array())
        return None if good.all() else int(good.argmin())

    def first_negative(self) -> int | None:
        """The position of the first negative number in int64, or ``None``."""
        # A byte with its highest bit set, which is the sign, is no ASCII, and that is seen in C.
        if isinstance(self._packed, bytes) and self._packed[_SIGN_BYTE::8].isascii():
            return None
        bad = self.to_array() < 0
        return int(bad.argmax()) if bad.any() else None

    def _sum_is_finite(self) -> bool:
        """One bad number spoils the sum, and good ones can't.

        The largest float32 is 3.4e38, so no numbers that fit in memory sum up to infinity.
        """
        return math.isfinite(sum(self._held))


def _restore(dtype: str, items: NumberList | None, packed: Array | bytes | None) -> NumberBuffer:
    if packed is not None and not isinstance(packed, bytes):
        packed.setflags(write=False)
    return NumberBuffer(dtype, items, packed)


def _plain(value: Any) -> str:
    """A number as Python writes it, without numpy's ``np.float32(...)`` around it."""
    return str(value.item() if hasattr(value, "item") else value)
