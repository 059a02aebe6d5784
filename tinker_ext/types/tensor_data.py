"""`TensorData`: a tensor as the wire carries it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

from attrs import field, frozen

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.absent import known
from tinker_ext.types.numbers import NumberList, Numbers
from tinker_ext.types.reading import read
from tinker_ext.types.sparse import filled_up

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import torch
    from tinker_api import models as api

    from tinker_ext.types.arrays import SupportsArray
    from tinker_ext.types.dtypes import TensorDtype
    from tinker_ext.types.reading import NumberSequence


@frozen(init=False, repr=False)
class TensorData:
    """An int64 or float32 tensor, flattened row-major, with its shape.

    Made from a list, nested lists, a numpy array or a torch tensor. The values are copied, so
    a buffer may be reused afterwards. `data` is always a flat Python list, whatever the tensor
    was made from; it is built when first read. NaN and infinities are held (a server may send
    them) but never sent.

    >>> TensorData([0.5, 1.0], dtype="float32").shape
    [2]
    """

    dtype: TensorDtype
    shape: list[int] | None
    _numbers: Numbers = field(alias="data")

    def __init__(
        self,
        data: NumberSequence | SupportsArray | Numbers,
        dtype: TensorDtype | None = None,
        shape: Sequence[int] | None = None,
    ) -> None:
        """Check and copy ``data``.

        Args:
            data: the numbers; an array's or nested list's own shape counts unless ``shape``
                is given.
            dtype: "int64" or "float32"; by default integers are int64 and floats float32.
            shape: sizes of the dimensions; their product must be the number of values.

        Raises:
            InvalidInputError: see `Datum`; ``where`` is ``data``, ``dtype`` or ``shape``.
        """
        self._fill(data, dtype, shape, "data")

    def _fill(
        self, data: object, dtype: TensorDtype | None, shape: Sequence[int] | None, where: str
    ) -> None:
        if dtype not in (None, "int64", "float32"):
            raise InvalidInputError(f"dtype is 'int64' or 'float32', not {dtype!r}", where="dtype")
        if isinstance(data, Numbers) and dtype in (None, data.dtype):
            numbers, found = data, [len(data)]
        else:
            values = data.to_list() if isinstance(data, Numbers) else data
            numbers, found = read(values, dtype=dtype, where=where)
        size = found if shape is None else _shape(shape, len(numbers))
        self.__attrs_init__(cast("TensorDtype", numbers.dtype), size, numbers)

    @classmethod
    def read(cls, values: object, *, dtype: TensorDtype | None, where: str) -> TensorData:
        """A tensor from whatever a caller passed; errors carry the caller's ``where``."""
        made = cls.__new__(cls)
        made._fill(values, dtype, None, where)
        return made

    @classmethod
    def from_numpy(cls, array: npt.NDArray[Any]) -> TensorData:
        """A tensor of the array's shape: floating arrays become float32, integers int64."""
        return cls.read(array, dtype=None, where="array")

    @classmethod
    def from_torch(cls, tensor: torch.Tensor) -> TensorData:
        """A tensor of the torch tensor's shape: floating becomes float32, integers int64."""
        return cls.read(tensor, dtype=None, where="tensor")

    @property
    def data(self) -> NumberList:
        """The numbers in row-major order as a list; built once, do not change it."""
        return self._numbers.to_list()

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return len(self._numbers)

    @property
    def byte_count(self) -> int:
        """Bytes of the numbers: 8 of an int64, 4 of a float32."""
        return (8 if self.dtype == "int64" else 4) * self.size

    def to_numpy(self) -> npt.NDArray[Any]:
        """A new numpy array, int64 or float32, in the tensor's shape (flat without one)."""
        flat = self._numbers.to_array().copy()
        return flat if self.shape is None else flat.reshape(self.shape)

    def to_torch(self) -> torch.Tensor:
        """A new torch tensor, int64 or float32, in the tensor's shape. Imports torch."""
        import torch

        return torch.from_numpy(self.to_numpy())

    def tolist(self) -> Any:
        """The numbers as lists nested by shape; a bare number for shape ``[]``."""
        return self.to_numpy().tolist()

    def first_not_finite(self) -> int | None:
        """The flat position of the first NaN or infinity, or ``None``."""
        return self._numbers.first_not_finite()

    def to_api(self) -> api.TensorData:
        """The generated model; its ``data`` is the numpy array itself where there is one."""
        from tinker_api import models as api

        made = api.TensorData(data=cast("list[float]", self._numbers.wire), dtype=self.dtype)
        if self.shape is not None:
            made.shape = self.shape
        return made

    @classmethod
    def from_api(cls, model: api.TensorData) -> TensorData:
        """The tensor of an answer. Nothing is checked or converted until it is read.

        Except one in compressed rows, which is filled up with zeros at once.
        """
        made = cls.__new__(cls)
        dtype = known(model.dtype) or "float32"
        shape = known(model.shape)
        crow, columns = known(model.sparse_crow_indices), known(model.sparse_col_indices)
        if shape is not None and crow is not None and columns is not None:
            values = Numbers.trusted(model.data, dtype).to_array()
            return cls.from_numpy(filled_up(values, crow, columns, shape))
        made.__attrs_init__(cast("TensorDtype", dtype), shape, Numbers.trusted(model.data, dtype))
        return made

    def __repr__(self) -> str:
        return f"TensorData({self._numbers!r}, dtype={self.dtype!r}, shape={self.shape})"


def _shape(shape: Sequence[int], size: int) -> list[int]:
    found = [int(length) for length in shape]
    if any(length < 0 for length in found) or math.prod(found) != size:
        raise InvalidInputError(f"{size} values don't fill the shape {found}", where="shape")
    return found
