"""A flat run of numbers, held as it came: a list stays a list, an array stays an array.

Each form is made from the other when somebody first asks for it. So lists never cost a numpy
import, arrays never cost a ``tolist()`` on their way to the encoder, and results whose values
nobody reads are never converted.
"""

from __future__ import annotations

import math
from array import array as buffer
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from tinker_ext.types.arrays import numpy_dtype

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinker_ext.types.arrays import Array

NumberList: TypeAlias = list[int] | list[float]


class Numbers:
    """An immutable flat run of int64 or float32 numbers. Made by `reading.read` or `trusted`."""

    __slots__ = ("_array", "_list", "dtype")

    def __init__(self, dtype: str, items: NumberList | None, array: Array | None) -> None:
        self.dtype = dtype
        self._list = items
        self._array = array

    @classmethod
    def trusted(cls, items: Sequence[Any], dtype: str) -> Numbers:
        """Numbers a server sent: no check, no copy, nothing converted yet."""
        return cls(dtype, cast("NumberList", items), None)

    @classmethod
    def of_array(cls, array: Array) -> Numbers:
        """Numbers of a one-dimensional int64 or float32 array that nobody changes any more."""
        import numpy as np

        whole = np.ascontiguousarray(array)  # as the encoder wants it
        whole.setflags(write=False)
        return cls("int64" if whole.dtype.kind == "i" else "float32", None, whole)

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

            with np.errstate(over="ignore"):  # beyond float32 is infinite, and said when sent
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
        if self._array is None and self._sum_is_finite():
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

    def _sum_is_finite(self) -> bool:
        """One pass in C over a list: one bad number spoils the sum, and good ones can't.

        The largest float32 is 3.4e38, so no list that fits in memory sums up to infinity.
        """
        try:
            return math.isfinite(sum(buffer("f", self.to_list())))
        except TypeError:  # a null in a list a server sent stands for a number it had not
            return False


def _restore(dtype: str, items: NumberList | None, array: Array | None) -> Numbers:
    if array is not None:
        array.setflags(write=False)
    return Numbers(dtype, items, array)


def _plain(value: Any) -> str:
    """A number as Python writes it, without numpy's ``np.float32(...)`` around it."""
    return str(value.item() if hasattr(value, "item") else value)
