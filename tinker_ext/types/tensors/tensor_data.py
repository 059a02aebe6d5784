"""`TensorData`: a tensor in the API's format."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from attrs import field, frozen
from tinker_api import models as api

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.argument_checks import read_shape
from tinker_ext.types.records import Record
from tinker_ext.types.tensors.array_input import NumberSequence, parse_numbers
from tinker_ext.types.tensors.arrays import SupportsArray, TensorDtype
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
    import numpy.typing as npt
    import torch


@frozen(init=False, repr=False)
class TensorData(Record):
    """An int64 or float32 tensor, flattened row-major, with its shape.

    Built from a list, nested lists, a numpy array or a torch tensor. The values are copied, so
    a buffer can be reused afterwards. `data` is always a flat Python list, created on first access.
    NaN and infinity are allowed, because a server may send them, but never sent.

    A matrix may be in compressed sparse rows (CSR): `data` then holds the stored cells, row by
    row, `sparse_crow_indices` the position at which each row starts, and `sparse_col_indices` the
    columns. `from_torch_sparse` creates one if that saves space; `to_dense` converts it back.

    >>> TensorData([0.5, 1.0], dtype="float32").shape
    [2]
    """

    dtype: TensorDtype
    shape: list[int] | None
    _numbers: NumberBuffer = field(alias="data")
    _crow: NumberBuffer | None = field(default=None, alias="sparse_crow_indices")
    _columns: NumberBuffer | None = field(default=None, alias="sparse_col_indices")

    _pickled_names: ClassVar[Mapping[str, str]] = {"_numpy": "data"}

    def __init__(
        self,
        data: NumberSequence | SupportsArray | NumberBuffer = (),
        dtype: TensorDtype | None = None,
        shape: Sequence[int] | None = None,
        sparse_crow_indices: Sequence[int] | SupportsArray | NumberBuffer | None = None,
        sparse_col_indices: Sequence[int] | SupportsArray | NumberBuffer | None = None,
    ) -> None:
        """Checks and copies ``data``.

        Args:
            data: the numbers; ``shape`` defaults to the shape of an array or nested list.
            dtype: "int64" or "float32"; by default integers are int64 and floats float32.
            shape: the sizes of the dimensions; their product must be the number of values.
            sparse_crow_indices: for CSR: the position in ``data`` at which each row starts, from
                0, and the number of values at the end. ``shape`` is then ``[rows, columns]``.
            sparse_col_indices: for CSR: the column of each number, ascending within a row.

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
            raise InvalidInputError(f"expected 'int64' or 'float32', got {dtype!r}", where="dtype")
        if isinstance(data, NumberBuffer) and dtype in (None, data.dtype):
            numbers, own_shape = data, [len(data)]
        else:
            values = data.to_list() if isinstance(data, NumberBuffer) else data
            numbers, own_shape = parse_numbers(values, dtype=dtype, where=where)
        kind = cast("TensorDtype", numbers.dtype)
        if crow is not None or columns is not None:
            crow, columns, sizes = read_indices(crow, columns, len(numbers), shape)
            self.__attrs_init__(kind, sizes, numbers, crow, columns)
        else:
            sizes = own_shape if shape is None else _read_shape(shape, len(numbers))
            self.__attrs_init__(kind, sizes, numbers)

    @classmethod
    def read(cls, values: object, *, dtype: TensorDtype | None, where: str) -> TensorData:
        """Creates a tensor from a caller's value; errors have the caller's ``where``."""
        tensor = cls.__new__(cls)
        tensor._fill(values, dtype, None, where)
        return tensor

    @classmethod
    def from_numpy(cls, array: npt.NDArray[Any]) -> TensorData:
        """Copies an array; floating dtypes become float32, integer dtypes int64."""
        return cls.read(array, dtype=None, where="array")

    @classmethod
    def from_view(cls, array: npt.NDArray[Any]) -> TensorData:
        """Wraps an int64 or float32 array that no longer changes, without a copy, for decoders."""
        numbers = NumberBuffer.from_array(array if array.ndim == 1 else array.reshape(-1))
        tensor = cls.__new__(cls)
        tensor.__attrs_init__(cast("TensorDtype", numbers.dtype), list(array.shape), numbers)
        return tensor

    @classmethod
    def from_torch(cls, tensor: torch.Tensor) -> TensorData:
        """Copies a torch tensor; floating dtypes become float32, integer dtypes int64."""
        return cls.read(tensor, dtype=None, where="tensor")

    @classmethod
    def from_torch_sparse(
        cls, tensor: torch.Tensor | SupportsArray, pad_value: int = 0
    ) -> TensorData:
        """Creates a CSR matrix from a torch tensor or numpy array, omitting `pad_value` cells.

        Same as `from_torch` if CSR needs as many numbers or more, or if the tensor is not 2-D.
        """
        return cls.read(tensor, dtype=None, where="tensor").to_sparse(pad_value)

    @property
    def data(self) -> NumberList:
        """The numbers in row-major order as a list; cached, do not modify it."""
        return self._numbers.to_list()

    @property
    def sparse_crow_indices(self) -> list[int] | None:
        """The start of each row in `data`, and the end; None if the tensor is not sparse."""
        return None if self._crow is None else cast("list[int]", self._crow.to_list())

    @property
    def sparse_col_indices(self) -> list[int] | None:
        """The column of each number of `data`; None if the tensor is not sparse."""
        return None if self._columns is None else cast("list[int]", self._columns.to_list())

    @property
    def is_sparse(self) -> bool:
        """True if the tensor is in compressed sparse rows."""
        return self._crow is not None

    @property
    def size(self) -> int:
        """The number of stored values."""
        return len(self._numbers)

    @property
    def dense_size(self) -> int:
        """The number of values of the dense tensor."""
        return math.prod(self.shape or []) if self.is_sparse else self.size

    @property
    def byte_count(self) -> int:
        """The size in bytes: 8 per int64 or index, 4 per float32."""
        indices = sum(len(part) for part in (self._crow, self._columns) if part is not None)
        return (8 if self.dtype == "int64" else 4) * self.size + 8 * indices

    @property
    def flat(self) -> npt.NDArray[Any]:
        """`data` as a read-only int64 or float32 array, without a copy, for encoders."""
        return self._numbers.to_array()

    @property
    def flat_indices(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any]] | None:
        """The row and column indices as read-only int64 arrays; None if not sparse."""
        if self._crow is None or self._columns is None:
            return None
        return self._crow.to_array(), self._columns.to_array()

    def to_numpy(self, pad_value: int = 0) -> npt.NDArray[Any]:
        """Returns a new int64 or float32 numpy array with the tensor's shape (1-D if None).

        Omitted cells of a sparse tensor hold `pad_value`.
        """
        pad, indices = read_pad(pad_value), self.flat_indices
        if indices is not None and self.shape is not None:
            return csr_to_dense(self.flat, *indices, self.shape, pad)
        return self.flat.copy() if self.shape is None else self.flat.copy().reshape(self.shape)

    def to_torch(self, pad_value: int = 0) -> torch.Tensor:
        """Returns a new int64 or float32 torch tensor with the tensor's shape. Imports torch.

        Omitted cells of a sparse tensor hold `pad_value`.
        """
        import torch

        return torch.from_numpy(self.to_numpy(pad_value))

    def tolist(self, pad_value: int = 0) -> Any:
        """Returns the numbers as lists nested by shape; a number for shape ``[]``.

        Omitted cells of a sparse tensor hold `pad_value`.
        """
        return self.to_numpy(pad_value).tolist()

    def to_dense(self, pad_value: int = 0) -> TensorData:
        """Returns a dense tensor, with `pad_value` in the omitted cells."""
        return self.from_numpy(self.to_numpy(pad_value)) if self.is_sparse else self

    def to_sparse(self, pad_value: int = 0) -> TensorData:
        """Returns a CSR matrix without the `pad_value` cells if that saves space.

        Other tensors are returned unchanged.
        """
        pad = read_pad(pad_value)
        if self.is_sparse or self.shape is None or len(self.shape) != 2:
            return self
        parts = to_csr(self._numbers.to_array().reshape(self.shape), pad)
        if parts is None:
            return self
        values, crow, columns = (NumberBuffer.from_array(part) for part in parts)
        return self.from_csr(values, crow, columns, self.shape)

    @classmethod
    def from_csr(
        cls, values: NumberBuffer, crow: NumberBuffer, columns: NumberBuffer, shape: list[int]
    ) -> TensorData:
        """Creates a CSR matrix from indices that are known to match (`sparse.check_csr`)."""
        tensor = cls.__new__(cls)
        tensor.__attrs_init__(cast("TensorDtype", values.dtype), shape, values, crow, columns)
        return tensor

    def first_not_finite(self) -> int | None:
        """Returns the flat index of the first NaN or infinity, or ``None``."""
        return self._numbers.first_not_finite()

    def to_api(self) -> api.TensorData:
        """Builds the generated model, which references the numpy array if there is one."""
        model = api.TensorData(data=cast("list[float]", self._numbers.wire), dtype=self.dtype)
        if self.shape is not None:
            model.shape = self.shape
        if self._crow is not None and self._columns is not None:
            model.sparse_crow_indices = cast("list[int]", self._crow.wire)
            model.sparse_col_indices = cast("list[int]", self._columns.wire)
        return model

    @classmethod
    def from_api(cls, model: api.TensorData, where: str = "tensor") -> TensorData:
        """Decodes and checks a tensor; its numbers are converted on first access.

        `where` is the path to the tensor within the result.

        Raises:
            ValueError: the numbers, dtype, shape and indices are inconsistent.
        """
        dtype, shape = or_none(model.dtype) or "float32", or_none(model.shape)
        values = read_numbers(model.data, dtype, f"{where}.data")
        crow, columns = or_none(model.sparse_crow_indices), or_none(model.sparse_col_indices)
        if crow is not None or columns is not None:
            return cls._csr_from_api(values, crow, columns, shape, where)
        tensor = cls.__new__(cls)
        sizes = None if shape is None else check_shape(shape, len(values), where)
        tensor.__attrs_init__(cast("TensorDtype", dtype), sizes, values)
        return tensor

    @classmethod
    def _csr_from_api(
        cls,
        values: NumberBuffer,
        crow: list[int] | None,
        columns: list[int] | None,
        shape: list[int] | None,
        where: str,
    ) -> TensorData:
        if shape is None or crow is None or columns is None:
            raise ValueError(
                f"{where}: a sparse tensor requires sparse_crow_indices, sparse_col_indices "
                "and shape"
            )
        rows = read_numbers(crow, "int64", f"{where}.sparse_crow_indices")
        cols = read_numbers(columns, "int64", f"{where}.sparse_col_indices")
        check_csr(values.to_array(), rows.to_array(), cols.to_array(), shape, where)
        return cls.from_csr(values, rows, cols, shape)

    def __repr__(self) -> str:
        rows = "" if self._columns is None else f", sparse_col_indices={self._columns!r}"
        return f"TensorData({self._numbers!r}, dtype={self.dtype!r}, shape={self.shape}{rows})"


def _read_shape(shape: Sequence[int], size: int) -> list[int]:
    sizes = read_shape(shape)
    if math.prod(sizes) != size:
        raise InvalidInputError(
            f"{sizes} has {math.prod(sizes)} elements, but the data has {size}", where="shape"
        )
    return sizes
