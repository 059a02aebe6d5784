"""The numbers of tensors: parsed from lists, numpy arrays and torch tensors, and kept in that form.

The standard library checks lists of plain ints and floats; all other values use numpy, which is
imported on demand. An object can only be a torch tensor or a numpy array if the program has
imported the library, so the check reads ``sys.modules`` and imports nothing.
"""

from __future__ import annotations

import math
import struct
import sys
from array import array as packed_array
from collections.abc import Iterable, Mapping, Sequence, Set
from operator import countOf
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, cast

from tinker_ext.errors import InvalidInputError

if TYPE_CHECKING:
    import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[Any]"
#: The tensor dtypes of the API.
TensorDtype: TypeAlias = Literal["int64", "float32"]
NumberList: TypeAlias = list[int] | list[float]
#: The accepted values besides arrays: numbers, or rows of numbers of equal length.
NumberSequence: TypeAlias = Sequence[float] | Sequence[Sequence[float]]

#: Dtypes by numpy kind. Release 0.4.1 accepts "f" and "i" and rejects unsigned integers; this
#: package accepts those if every value fits in int64.
DTYPE_OF_KIND: dict[str, TensorDtype] = {"f": "float32", "i": "int64", "u": "int64"}

_KIND_NAMES = {"b": "bool", "c": "complex", "O": "object", "U": "text", "S": "bytes"}
#: The numbers that can be packed as each dtype: for float32 the range of a Python float.
_RANGES = {
    "int64": (-(2**63), 2**63 - 1),
    "float32": (-sys.float_info.max, sys.float_info.max),
}
_NOT_A_SEQUENCE = (str, bytes, bytearray, Mapping, Set)
_STRIDED = "torch.strided"  # torch's name of the dense layout
#: The ``struct`` codes of the dtypes, and the bytes per number.
_CODES: Mapping[str, Literal["q", "f"]] = {"int64": "q", "float32": "f"}
_WIDTHS = {"int64": 8, "float32": 4}
# The byte of an int64 that has the sign bit.
_SIGN_BYTE = 7 if sys.byteorder == "little" else 0


class SupportsArray(Protocol):
    """A numpy array, a torch tensor, or another object that numpy can convert."""

    def __array__(self) -> Any:
        """Returns the values as a numpy array."""


class NumberBuffer:
    """An immutable flat sequence of int64 or float32 numbers, usually from `parse_numbers`.

    Stored in its original form: packed, as a list, or both. The packed form is a numpy array, or
    bytes if the numbers came as a list: validating a list packs it, so that the list is not read
    twice. Each form is created from the other on first access. So lists never need numpy, arrays
    reach the encoder without ``tolist()``, and results whose values are never accessed are never
    converted.
    """

    __slots__ = ("_bits", "_list", "_packed", "dtype", "size")

    def __init__(
        self, dtype: str, items: NumberList | memoryview | None, packed: Array | bytes | None
    ) -> None:
        """Stores at least one of the two forms, without a copy.

        If there are both a list and bytes, the list has the numbers before rounding to float32. The
        list may be a memoryview of int64 or float64 numbers, which becomes a list on first access.
        """
        self.dtype = dtype
        self._bits: int | None = None
        self._list = items
        self._packed = packed
        if isinstance(packed, bytes):
            self.size = len(packed) // _WIDTHS[dtype]
        else:
            self.size = len((items or ()) if packed is None else packed)

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
        if self._list is None and sys.modules.get("numpy") is not None:
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
        if self._packed is None:
            self._packed = self._pack_list()
            self._packed.setflags(write=False)
        if not isinstance(self._packed, bytes):
            return self._packed
        import numpy as np

        return np.frombuffer(self._packed, self.dtype)

    def _pack_list(self) -> Array:
        import numpy as np

        # An unknown name from a server means float32.
        dtype = self.dtype if self.dtype in _CODES else "float32"
        if isinstance(self._list, memoryview):
            with np.errstate(over="ignore"):  # infinities are rejected when sent
                return np.asarray(self._list).astype(dtype)
        try:
            # The standard library converts a list in half of numpy's time.
            return np.frombuffer(packed_array(_CODES[dtype], self._list or ()), dtype)
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
        return self.size

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NumberBuffer):
            return NotImplemented
        if self.dtype != other.dtype or self.size != other.size:
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
        # The largest float32 is 3.4e38, so finite numbers that fit in memory never add up to
        # infinity.
        if (
            isinstance(self._packed, bytes)
            and sys.modules.get("numpy") is None
            and math.isfinite(sum(self._stored))
        ):
            return None
        import numpy as np

        finite = np.isfinite(self.to_array())
        return None if finite.all() else int(finite.argmin())

    def first_negative(self) -> int | None:
        """Returns the index of the first negative number in int64, or ``None``."""
        # A byte with the sign bit set is not ASCII, and `isascii` runs in C.
        if isinstance(self._packed, bytes) and self._packed[_SIGN_BYTE::8].isascii():
            return None
        # The sign bit of an OR is that of any negative number.
        return int((self.to_array() < 0).argmax()) if self.bits < 0 else None

    @property
    def bits(self) -> int:
        """The bitwise OR of int64 numbers, which takes half the time of a maximum; cached."""
        if self._bits is None:
            import numpy as np

            self._bits = int(np.bitwise_or.reduce(self.to_array()))
        return self._bits


def _restore(dtype: str, items: NumberList | None, packed: Array | bytes | None) -> NumberBuffer:
    if packed is not None and not isinstance(packed, bytes):
        packed.setflags(write=False)
    return NumberBuffer(dtype, items, packed)


def _plain(value: Any) -> str:
    """Formats a number as Python does, without numpy's ``np.float32(...)``."""
    return str(value.item() if hasattr(value, "item") else value)


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
        if isinstance(values, _NOT_A_SEQUENCE) or not isinstance(values, Iterable):
            raise InvalidInputError(
                f"expected a list, numpy array or torch tensor of numbers, got {_name(values)}",
                where=where,
            )
        items = tuple(values)
        # Usually all have one type, which is detected faster than a set is built.
        first = type(items[0]) if items else int
        single = countOf(map(type, items), first) == len(items)
        kinds = {first} if single else set(map(type, items))
        if kinds == {bool} and dtype == "float32":  # A mask.
            items, kinds = tuple(map(int, items)), {int}
        if kinds <= {int, float}:
            return _pack(items, kinds, dtype, where), [len(items)]
        array = _from_mixed(items, kinds, where)
    return _copy(array, dtype, where), list(array.shape)


def parse_list(values: object, where: str) -> NumberBuffer:
    """Returns the integers of a list, numpy array or torch tensor with one dimension.

    Raises:
        InvalidInputError: as `parse_numbers`, or there are more or fewer dimensions.
    """
    if isinstance(values, NumberBuffer):
        return values
    numbers, shape = parse_numbers(values, dtype="int64", where=where)
    if len(shape) != 1:
        raise InvalidInputError(f"expected one dimension, got shape {shape}", where=where)
    return numbers


def _pack(
    items: tuple[Any, ...], kinds: set[type], dtype: TensorDtype | None, where: str
) -> NumberBuffer:
    """Packs ints and floats."""
    dtype = dtype or ("float32" if float in kinds else "int64")
    if dtype == "int64" and float in kinds:
        items = tuple(_whole(item, f"{where}[{index}]") for index, item in enumerate(items))
    try:
        packed = struct.pack(f"{len(items)}{_CODES[dtype]}", *items)
    except struct.error:
        low, high = _RANGES[dtype]
        index = next(i for i, item in enumerate(items) if item < low or item > high)
        raise InvalidInputError(
            f"{items[index]} is out of range for {dtype}", where=f"{where}[{index}]"
        ) from None
    # int64 packs exactly; float32 may round, so the list is kept.
    return NumberBuffer(dtype, None if dtype == "int64" else list(items), packed)


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
        numeric = (int, float, list, tuple)
        wrong = (
            i
            for i, item in enumerate(items)
            if not (isinstance(item, numeric) or hasattr(item, "__array__"))
        )
        index = next(wrong, 0)
        raise InvalidInputError(
            f"expected numbers, got {_name(items[index])}", where=f"{where}[{index}]"
        )
    return array


def _name(value: object) -> str:
    return "None" if value is None else type(value).__name__


def is_torch(value: object) -> bool:
    """Returns True for a torch tensor. Never imports torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def as_numpy(value: object) -> Array | None:
    """Returns a numpy view or copy of a torch tensor, numpy array or ``__array__`` object.

    Returns ``None`` for other values, including plain sequences. Tensors are detached, made dense
    and moved to the CPU; bfloat16 and float16 tensors become float32.
    """
    if is_torch(value):
        tensor: Any = value
        detached = tensor.detach()
        if str(getattr(detached, "layout", _STRIDED)) != _STRIDED:
            detached = detached.to_dense()
        if detached.is_floating_point():
            detached = detached.float()
        array: Array = detached.cpu().numpy()
        return array
    if not hasattr(value, "__array__"):
        return None
    import numpy as np

    return np.asarray(value)


def _copy(array: Array, dtype: TensorDtype | None, where: str) -> NumberBuffer:
    """Copies an array, flat and row-major, with its own dtype or the given one.

    It is a copy because callers reuse buffers between building a datum and sending it.
    A float beyond the range of float32 becomes infinite and is rejected before sending.
    """
    import numpy as np

    kind = array.dtype.kind
    natural = DTYPE_OF_KIND.get(kind)
    if natural is None:
        raise InvalidInputError(
            f"expected integers or floats, got {_KIND_NAMES.get(kind, str(array.dtype))} values; "
            "convert the array first",
            where=where,
        )
    if dtype == "int64" and natural == "float32":
        low, high = _RANGES["int64"]
        # The limits are beyond the range of float16.
        wide = array.astype(np.float32) if array.dtype.itemsize < 4 else array
        if not np.all((wide == np.floor(wide)) & (wide >= low) & (wide < high)):
            raise InvalidInputError(f"expected integers, got {array.dtype} values", where=where)
    elif kind == "u" and array.size and int(array.max()) > _RANGES["int64"][1]:
        raise InvalidInputError("an unsigned integer is out of range for int64", where=where)
    dtype = dtype or natural
    target = np.dtype(np.int64 if dtype == "int64" else np.float32)
    if array.dtype == target:
        flat: Array = array.flatten()
    else:
        with np.errstate(over="ignore"):
            flat = array.astype(target, order="C").reshape(-1)
    flat.setflags(write=False)
    return NumberBuffer(dtype, None, flat)
