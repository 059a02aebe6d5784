"""`TensorData`: a tensor in the API's format, dense or in compressed sparse rows (CSR).

The wire format of CSR does not include the value of the omitted cells: it is 0 in training data, -1
(no value requested) in the `target_prompt_logprobs` of a request, and 0 in those of a response. So
conversion to a dense matrix takes it as an argument, as in release 0.38.0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar, cast

from attrs import field, frozen
from tinker_api import models as api
from tinker_api.types import Unset

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.argument_checks import plain_number
from tinker_ext.types.records import Record
from tinker_ext.types.tensors.number_buffer import (
    Array,
    NumberBuffer,
    NumberList,
    NumberSequence,
    SupportsArray,
    TensorDtype,
    parse_list,
    parse_numbers,
)
from tinker_ext.types.tensors.received import check_shape, read_numbers

if TYPE_CHECKING:
    import torch

#: Limit of a dense matrix: the default limit of a response (ClientConfig.max_response_bytes).
MAX_DENSE_BYTES = 268_435_456
_MISSING = (Unset, NoneType)


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
        if dtype not in (None, "int64", "float32"):
            raise InvalidInputError(f"expected 'int64' or 'float32', got {dtype!r}", where="dtype")
        if isinstance(data, NumberBuffer) and dtype in (None, data.dtype):
            numbers, own_shape = data, [data.size]
        else:
            values = data.to_list() if isinstance(data, NumberBuffer) else data
            numbers, own_shape = parse_numbers(values, dtype=dtype, where="data")
        kind = cast("TensorDtype", numbers.dtype)
        if sparse_crow_indices is None and sparse_col_indices is None:
            sizes = own_shape if shape is None else _read_shape(shape, numbers.size)
            self.__attrs_init__(kind, sizes, numbers)
        else:
            crow, columns, sizes = _read_indices(
                sparse_crow_indices, sparse_col_indices, numbers.size, shape
            )
            self.__attrs_init__(kind, sizes, numbers, crow, columns)

    @classmethod
    def read(cls, values: object, *, dtype: TensorDtype | None, where: str) -> TensorData:
        """Creates a tensor from a caller's value; errors have the caller's ``where``."""
        numbers, shape = parse_numbers(values, dtype=dtype, where=where)
        return cls.from_buffers(numbers, shape)

    @classmethod
    def from_buffers(
        cls,
        numbers: NumberBuffer,
        shape: list[int] | None,
        crow: NumberBuffer | None = None,
        columns: NumberBuffer | None = None,
    ) -> TensorData:
        """Creates a tensor from numbers that are known to match the shape and the indices."""
        tensor = cls.__new__(cls)
        tensor.__attrs_init__(cast("TensorDtype", numbers.dtype), shape, numbers, crow, columns)
        return tensor

    @classmethod
    def from_numpy(cls, array: Array) -> TensorData:
        """Copies an array; floating dtypes become float32, integer dtypes int64."""
        return cls.read(array, dtype=None, where="array")

    @classmethod
    def from_view(cls, array: Array) -> TensorData:
        """Wraps an int64 or float32 array that no longer changes, without a copy, for decoders."""
        flat = array if array.ndim == 1 else array.reshape(-1)
        return cls.from_buffers(NumberBuffer.from_array(flat), list(array.shape))

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
        return self._numbers.size

    @property
    def dense_size(self) -> int:
        """The number of values of the dense tensor."""
        return self._numbers.size if self._crow is None else math.prod(self.shape or [])

    @property
    def byte_count(self) -> int:
        """The size in bytes: 8 per int64 or index, 4 per float32."""
        numbers = (8 if self.dtype == "int64" else 4) * self._numbers.size
        if self._crow is None or self._columns is None:
            return numbers
        return numbers + 8 * (self._crow.size + self._columns.size)

    @property
    def flat(self) -> Array:
        """`data` as a read-only int64 or float32 array, without a copy, for encoders."""
        return self._numbers.to_array()

    @property
    def flat_indices(self) -> tuple[Array, Array] | None:
        """The row and column indices as read-only int64 arrays; None if not sparse."""
        if self._crow is None or self._columns is None:
            return None
        return self._crow.to_array(), self._columns.to_array()

    def to_numpy(self, pad_value: int = 0) -> Array:
        """Returns a new int64 or float32 numpy array with the tensor's shape (1-D if None).

        Omitted cells of a sparse tensor hold `pad_value`.
        """
        pad, flat, shape = _read_pad(pad_value), self._numbers.to_array(), self.shape
        if self._crow is not None and self._columns is not None and shape is not None:
            return csr_to_dense(flat, self._crow.to_array(), self._columns.to_array(), shape, pad)
        return flat.copy() if shape is None else flat.copy().reshape(shape)

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
        pad = _read_pad(pad_value)
        if self.is_sparse or self.shape is None or len(self.shape) != 2:
            return self
        parts = _to_csr(self._numbers.to_array().reshape(self.shape), pad)
        if parts is None:
            return self
        values, crow, columns = (NumberBuffer.from_array(part) for part in parts)
        return self.from_buffers(values, self.shape, crow, columns)

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
        dtype: str | None = model.dtype
        values = read_numbers(model.data, dtype or "float32", f"{where}.data")
        shape = None if isinstance(model.shape, Unset) else model.shape
        crow, columns = model.sparse_crow_indices, model.sparse_col_indices
        if isinstance(crow, _MISSING) and isinstance(columns, _MISSING):
            sizes = None if shape is None else check_shape(shape, values.size, where)
            return cls.from_buffers(values, sizes)
        if shape is None or isinstance(crow, _MISSING) or isinstance(columns, _MISSING):
            raise ValueError(
                f"{where}: a sparse tensor requires sparse_crow_indices, sparse_col_indices "
                "and shape"
            )
        rows = read_numbers(crow, "int64", f"{where}.sparse_crow_indices")
        cols = read_numbers(columns, "int64", f"{where}.sparse_col_indices")
        check_csr(values.to_array(), rows.to_array(), cols.to_array(), shape, where)
        return cls.from_buffers(values, shape, rows, cols)

    def __repr__(self) -> str:
        rows = "" if self._columns is None else f", sparse_col_indices={self._columns!r}"
        return f"TensorData({self._numbers!r}, dtype={self.dtype!r}, shape={self.shape}{rows})"


def _read_shape(shape: object, size: int | None = None) -> list[int]:
    """Reads the sizes of a tensor's dimensions, whose product must be `size`."""
    sizes = list(map(plain_number, shape)) if isinstance(shape, Iterable) else None
    if sizes is None or not all(type(length) is int and 0 <= length < 2**63 for length in sizes):
        raise InvalidInputError(
            f"expected a list of non-negative integers, got {shape!r}", where="shape"
        )
    if size is not None and math.prod(sizes) != size:
        raise InvalidInputError(
            f"{sizes} has {math.prod(sizes)} elements, but the data has {size}", where="shape"
        )
    return sizes


def _to_csr(matrix: Array, pad_value: int) -> tuple[Array, Array, Array] | None:
    """Returns the values other than `pad_value`, the row indices and the column indices.

    Returns None if CSR does not need fewer numbers than the dense matrix (the rule of 0.38.0).
    """
    import numpy as np

    stored = matrix != pad_value
    counts = stored.sum(axis=1)
    if len(matrix) + 1 + 2 * int(counts.sum()) >= matrix.size:
        return None
    crow = np.concatenate([[0], np.cumsum(counts)])
    return matrix[stored], crow, np.nonzero(stored)[1]


def csr_to_dense(
    values: Any, crow_indices: Any, col_indices: Any, shape: Sequence[int], pad_value: int = 0
) -> Array:
    """Converts CSR to a dense matrix, with `pad_value` in the omitted cells.

    `crow_indices` has the position in `values` at which each row starts, and the number of values
    at the end; `col_indices` has the column of each value.

    Raises:
        ValueError: the indices do not match each other or the shape.
    """
    import numpy as np

    values, columns = np.asarray(values), np.asarray(col_indices, dtype=np.int64)
    starts: Array = np.asarray(crow_indices, dtype=np.int64)
    counts = _counts(starts, columns, len(values), shape)
    dense: Array = np.full(list(shape), pad_value, dtype=values.dtype)
    dense[np.repeat(np.arange(len(counts)), counts), columns] = values
    return dense


def check_csr(values: Array, crow: Array, columns: Array, shape: Sequence[int], where: str) -> None:
    """Checks that CSR from a server can be converted to a dense matrix.

    Raises:
        ValueError: the indices do not match each other or the shape, or the dense matrix would
            exceed `MAX_DENSE_BYTES`.
    """
    if len(shape) != 2 or not all(type(size) is int for size in shape):
        raise ValueError(f"{where}.shape: expected [rows, columns], got {list(shape)}")
    try:
        _counts(crow, columns, len(values), shape)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    rows, width = shape
    if rows * width * values.itemsize > MAX_DENSE_BYTES:
        raise ValueError(f"{where}: {rows} rows of {width} columns exceed {MAX_DENSE_BYTES} bytes")


def _counts(starts: Array, columns: Array, size: int, shape: Sequence[int]) -> Array:
    """Returns the number of values in each row; ValueError if the indices are inconsistent."""
    counts: Array = starts[1:] - starts[:-1]
    rows, width = shape
    if len(counts) != rows:
        raise ValueError(
            f"row indices: expected {rows + 1} numbers for {rows} rows, got {len(starts)}"
        )
    if (counts < 0).any():
        raise ValueError("row indices: expected numbers in ascending order")
    if (total := counts.sum()) != size:
        raise ValueError(f"row indices: expected {size} values in {rows} rows, got {total}")
    if len(columns) != size:
        raise ValueError(f"column indices: expected {size} for {size} values, got {len(columns)}")
    outside = columns[(columns < 0) | (columns >= width)]
    if outside.size:
        raise ValueError(
            f"column indices: expected numbers from 0 to {width - 1} for {width} columns, "
            f"got {outside[0]}"
        )
    if width < 0:
        raise ValueError(f"column indices: expected at least 0 columns, got {width}")
    return counts


def _read_indices(
    crow_indices: object, col_indices: object, size: int, shape: Sequence[int] | None
) -> tuple[NumberBuffer, NumberBuffer, list[int]]:
    """Reads the indices of `size` values in a CSR matrix of the caller, and its shape.

    Raises:
        InvalidInputError: an argument is missing, the indices do not match, or the columns of a
            row are not in ascending order. Servers build a torch tensor, which requires all this.
    """
    if crow_indices is None or col_indices is None:
        missing = "sparse_crow_indices" if crow_indices is None else "sparse_col_indices"
        raise InvalidInputError("missing; compressed sparse rows require it", where=missing)
    sizes = None if shape is None else _read_shape(shape)
    if sizes is None or len(sizes) != 2:
        raise InvalidInputError(
            f"expected [rows, columns] for compressed sparse rows, got {shape}", where="shape"
        )
    crow = parse_list(crow_indices, "sparse_crow_indices")
    columns = parse_list(col_indices, "sparse_col_indices")
    _check_ascending(crow.to_array(), columns.to_array(), size, sizes)
    return crow, columns, sizes


def _check_ascending(crow: Array, columns: Array, size: int, shape: list[int]) -> None:
    import numpy as np

    try:
        counts = _counts(crow, columns, size, shape)
    except ValueError as error:
        is_column = str(error).startswith("column")
        where = "sparse_col_indices" if is_column else "sparse_crow_indices"
        raise InvalidInputError(str(error), where=where) from None
    first = crow[0] if crow.size else "none"
    if first != 0:
        raise InvalidInputError(
            f"expected a first index of 0, got {first}", where="sparse_crow_indices"
        )
    row = np.repeat(np.arange(len(counts)), counts)
    not_ascending = (np.diff(columns) <= 0) & (np.diff(row) == 0)
    if not_ascending.any():
        index = int(not_ascending.argmax()) + 1
        raise InvalidInputError(
            "the columns of a row must be in ascending order, "
            f"got {columns[index]} after {columns[index - 1]}",
            where=f"sparse_col_indices[{index}]",
        )


def _read_pad(value: int) -> int:
    """Reads the value of omitted cells, an integer.

    Raises:
        InvalidInputError: the value is not a 64-bit integer.
    """
    number = plain_number(value)
    if type(number) is not int or not -(2**63) <= number < 2**63:
        raise InvalidInputError(f"expected a 64-bit integer, got {value!r}", where="pad_value")
    return number
