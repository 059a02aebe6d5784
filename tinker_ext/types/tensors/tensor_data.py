"""`TensorData`: a tensor as the wire carries it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

from attrs import field, frozen

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.argument_checks import read_shape
from tinker_ext.types.tensors.array_input import parse_numbers
from tinker_ext.types.tensors.number_buffer import NumberBuffer, NumberList
from tinker_ext.types.tensors.received import check_shape, read_numbers
from tinker_ext.types.tensors.sparse import (
    check_csr,
    csr_to_dense,
    read_indices,
    read_pad,
    to_csr,
)
from tinker_ext.types.unset import or_none

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import torch
    from tinker_api import models as api

    from tinker_ext.types.tensors.array_input import NumberSequence
    from tinker_ext.types.tensors.arrays import SupportsArray
    from tinker_ext.types.tensors.dtypes import TensorDtype


@frozen(init=False, repr=False)
class TensorData:
    """An int64 or float32 tensor, flattened row-major, with its shape.

    Made from a list, nested lists, a numpy array or a torch tensor. The values are copied, so
    a buffer may be reused afterwards. `data` is always a flat Python list, whatever the tensor
    was made from; it is built when first read. NaN and infinities are held (a server may send
    them) but never sent.

    A matrix may be in compressed rows (CSR): `data` then has the cells that are given, row by
    row, `sparse_crow_indices` where each row begins there, `sparse_col_indices` their columns.
    `from_torch_sparse` makes one where that saves room; `to_dense` fills it up.

    >>> TensorData([0.5, 1.0], dtype="float32").shape
    [2]
    """

    dtype: TensorDtype
    shape: list[int] | None
    _numbers: NumberBuffer = field(alias="data")
    _crow: NumberBuffer | None = field(default=None, alias="sparse_crow_indices")
    _columns: NumberBuffer | None = field(default=None, alias="sparse_col_indices")

    def __init__(
        self,
        data: NumberSequence | SupportsArray | NumberBuffer = (),
        dtype: TensorDtype | None = None,
        shape: Sequence[int] | None = None,
        sparse_crow_indices: Sequence[int] | SupportsArray | NumberBuffer | None = None,
        sparse_col_indices: Sequence[int] | SupportsArray | NumberBuffer | None = None,
    ) -> None:
        """Check and copy ``data``.

        Args:
            data: the numbers; an array's or nested list's own shape counts unless ``shape``
                is given.
            dtype: "int64" or "float32"; by default integers are int64 and floats float32.
            shape: sizes of the dimensions; their product must be the number of values.
            sparse_crow_indices: of a matrix in compressed rows: where each row begins in ``data``,
                from 0, and their number at the end. ``shape`` is then ``[rows, columns]``.
            sparse_col_indices: the column of each number, ascending within a row.

        Raises:
            InvalidInputError: see `Datum`; ``where`` is the argument's name.
        """
        self._fill(data, dtype, shape, "data", sparse_crow_indices, sparse_col_indices)

    def _fill(
        self,
        data: object,
        dtype: TensorDtype | None,
        shape: Sequence[int] | None,
        where: str,
        crow: object = None,
        columns: object = None,
    ) -> None:
        if dtype not in (None, "int64", "float32"):
            raise InvalidInputError(f"dtype is 'int64' or 'float32', not {dtype!r}", where="dtype")
        if isinstance(data, NumberBuffer) and dtype in (None, data.dtype):
            numbers, found = data, [len(data)]
        else:
            values = data.to_list() if isinstance(data, NumberBuffer) else data
            numbers, found = parse_numbers(values, dtype=dtype, where=where)
        kind = cast("TensorDtype", numbers.dtype)
        if crow is not None or columns is not None:
            starts, places, size = read_indices(crow, columns, len(numbers), shape)
            self.__attrs_init__(kind, size, numbers, starts, places)
        else:
            size = found if shape is None else _shape(shape, len(numbers))
            self.__attrs_init__(kind, size, numbers)

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

    @classmethod
    def from_torch_sparse(
        cls, tensor: torch.Tensor | SupportsArray, pad_value: int = 0
    ) -> TensorData:
        """A matrix (a torch tensor, or a numpy array) without the cells that hold `pad_value`.

        It is in compressed rows if those are fewer numbers than the whole; else it is what
        `from_torch` gives, and so is a tensor that is no matrix.
        """
        return cls.read(tensor, dtype=None, where="tensor").to_sparse(pad_value)

    @property
    def data(self) -> NumberList:
        """The numbers in row-major order as a list; built once, do not change it."""
        return self._numbers.to_list()

    @property
    def sparse_crow_indices(self) -> list[int] | None:
        """Of compressed rows: where each begins in `data`, and the end. Else None."""
        return None if self._crow is None else cast("list[int]", self._crow.to_list())

    @property
    def sparse_col_indices(self) -> list[int] | None:
        """Of compressed rows: the column of each number of `data`. Else None."""
        return None if self._columns is None else cast("list[int]", self._columns.to_list())

    @property
    def is_sparse(self) -> bool:
        """Whether it is in compressed rows."""
        return self._crow is not None

    @property
    def size(self) -> int:
        """How many numbers there are; of compressed rows those that are given."""
        return len(self._numbers)

    @property
    def dense_size(self) -> int:
        """How many numbers there are once compressed rows are filled up."""
        return math.prod(self.shape or []) if self.is_sparse else self.size

    @property
    def byte_count(self) -> int:
        """Bytes of the numbers: 8 of an int64 or an index, 4 of a float32."""
        indices = sum(len(one) for one in (self._crow, self._columns) if one is not None)
        return (8 if self.dtype == "int64" else 4) * self.size + 8 * indices

    @property
    def flat(self) -> npt.NDArray[Any]:
        """`data` as an int64 or float32 array: read-only, for encoders, no copy."""
        return self._numbers.to_array()

    @property
    def flat_indices(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any]] | None:
        """The two lists of indices of compressed rows as `flat` is, int64. Else None."""
        if self._crow is None or self._columns is None:
            return None
        return self._crow.to_array(), self._columns.to_array()

    def to_numpy(self, pad_value: int = 0) -> npt.NDArray[Any]:
        """A new numpy array, int64 or float32, in the tensor's shape (flat without one).

        Compressed rows are filled up with `pad_value`.
        """
        pad, indices = read_pad(pad_value), self.flat_indices
        if indices is not None and self.shape is not None:
            return csr_to_dense(self.flat, *indices, self.shape, pad)
        return self.flat.copy() if self.shape is None else self.flat.copy().reshape(self.shape)

    def to_torch(self, pad_value: int = 0) -> torch.Tensor:
        """A new torch tensor, int64 or float32, in the tensor's shape. Imports torch.

        Compressed rows are filled up with `pad_value`.
        """
        import torch

        return torch.from_numpy(self.to_numpy(pad_value))

    def tolist(self, pad_value: int = 0) -> Any:
        """The numbers as lists nested by shape; a bare number for shape ``[]``.

        Compressed rows are filled up with `pad_value`.
        """
        return self.to_numpy(pad_value).tolist()

    def to_dense(self, pad_value: int = 0) -> TensorData:
        """The same with all cells given: compressed rows are filled up with `pad_value`."""
        return self.from_numpy(self.to_numpy(pad_value)) if self.is_sparse else self

    def to_sparse(self, pad_value: int = 0) -> TensorData:
        """A matrix without the cells that hold `pad_value`, in compressed rows if that saves room.

        Anything else is given back as it is.
        """
        pad = read_pad(pad_value)
        if self.is_sparse or self.shape is None or len(self.shape) != 2:
            return self
        found = to_csr(self._numbers.to_array().reshape(self.shape), pad)
        if found is None:
            return self
        values, crow, columns = (NumberBuffer.from_array(one) for one in found)
        return self.from_csr(values, crow, columns, self.shape)

    @classmethod
    def from_csr(
        cls, values: NumberBuffer, crow: NumberBuffer, columns: NumberBuffer, shape: list[int]
    ) -> TensorData:
        """A matrix in compressed rows that are known to fit together (`sparse.check_answer`)."""
        made = cls.__new__(cls)
        made.__attrs_init__(cast("TensorDtype", values.dtype), shape, values, crow, columns)
        return made

    def first_not_finite(self) -> int | None:
        """The flat position of the first NaN or infinity, or ``None``."""
        return self._numbers.first_not_finite()

    def to_api(self) -> api.TensorData:
        """The generated model; its ``data`` is the numpy array itself where there is one."""
        from tinker_api import models as api

        made = api.TensorData(data=cast("list[float]", self._numbers.wire), dtype=self.dtype)
        if self.shape is not None:
            made.shape = self.shape
        if self._crow is not None and self._columns is not None:
            made.sparse_crow_indices = cast("list[int]", self._crow.wire)
            made.sparse_col_indices = cast("list[int]", self._columns.wire)
        return made

    @classmethod
    def from_api(cls, model: api.TensorData, where: str = "tensor") -> TensorData:
        """The tensor of a result, checked; its numbers are not converted until they are read.

        `where` is the path to it within the result.

        Raises:
            ValueError: the numbers, the dtype, the shape and the indices don't fit together.
        """
        dtype, shape = or_none(model.dtype) or "float32", or_none(model.shape)
        values = read_numbers(model.data, dtype, f"{where}.data")
        crow, columns = or_none(model.sparse_crow_indices), or_none(model.sparse_col_indices)
        if crow is not None or columns is not None:
            return cls._rows_from_api(values, crow, columns, shape, where)
        tensor = cls.__new__(cls)
        size = None if shape is None else check_shape(shape, len(values), where)
        tensor.__attrs_init__(cast("TensorDtype", dtype), size, values)
        return tensor

    @classmethod
    def _rows_from_api(
        cls,
        values: NumberBuffer,
        crow: list[int] | None,
        columns: list[int] | None,
        shape: list[int] | None,
        where: str,
    ) -> TensorData:
        if shape is None or crow is None or columns is None:
            raise ValueError(
                f"{where}: compressed rows need sparse_crow_indices, sparse_col_indices and shape"
            )
        starts = read_numbers(crow, "int64", f"{where}.sparse_crow_indices")
        places = read_numbers(columns, "int64", f"{where}.sparse_col_indices")
        check_csr(values.to_array(), starts.to_array(), places.to_array(), shape, where)
        return cls.from_csr(values, starts, places, shape)

    def __repr__(self) -> str:
        rows = "" if self._columns is None else f", sparse_col_indices={self._columns!r}"
        return f"TensorData({self._numbers!r}, dtype={self.dtype!r}, shape={self.shape}{rows})"


def _shape(shape: Sequence[int], size: int) -> list[int]:
    found = read_shape(shape)
    if math.prod(found) != size:
        raise InvalidInputError(f"{size} values don't fill the shape {found}", where="shape")
    return found
