"""Matrices in compressed sparse rows (CSR), of which only some cells are given.

What the others hold is not said on the wire: 0 in training data, -1 (nothing is asked for) in
`target_prompt_logprobs`, 0 in its answer. So whoever fills a matrix up names it, as in release
0.38.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.argument_checks import plain_number, read_shape
from tinker_ext.types.tensors.array_input import parse_numbers
from tinker_ext.types.tensors.number_buffer import NumberBuffer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinker_ext.types.tensors.arrays import Array


#: Bytes of a matrix that is filled up: what an answer may have (ClientConfig.max_response_bytes).
MOST_BYTES = 268_435_456


def to_csr(matrix: Array, pad_value: int) -> tuple[Array, Array, Array] | None:
    """The values of a matrix other than `pad_value`, where its rows begin, and their columns.

    None where those are as many numbers as the whole matrix, or more (0.38.0's measure).
    """
    import numpy as np

    given = matrix != pad_value
    counts = given.sum(axis=1)
    if len(matrix) + 1 + 2 * int(counts.sum()) >= matrix.size:
        return None
    crow = np.concatenate([[0], np.cumsum(counts)])
    return matrix[given], crow, np.nonzero(given)[1]


def csr_to_dense(
    values: Any, crow_indices: Any, col_indices: Any, shape: Sequence[int], pad_value: int = 0
) -> Array:
    """The dense matrix of compressed sparse rows, `pad_value` where nothing is given.

    `crow_indices` says where each row begins in `values`, with their number at the end;
    `col_indices` which column each value is in.

    Raises:
        ValueError: they don't fit together, or the shape.
    """
    import numpy as np

    values, columns = np.asarray(values), np.asarray(col_indices, dtype=np.int64)
    starts: Array = np.asarray(crow_indices, dtype=np.int64)
    counts = _counts(starts, columns, len(values), shape)
    dense: Array = np.full(list(shape), pad_value, dtype=values.dtype)
    dense[np.repeat(np.arange(len(counts)), counts), columns] = values
    return dense


def check_csr(values: Array, crow: Array, columns: Array, shape: Sequence[int], where: str) -> None:
    """Refuse compressed rows of a server that could not be filled up.

    Raises:
        ValueError: they don't fit together, or the shape; or it is larger than an answer may be.
    """
    if len(shape) != 2 or not all(type(size) is int for size in shape):
        raise ValueError(f"{where}.shape: expected [rows, columns], got {list(shape)}")
    try:
        _counts(crow, columns, len(values), shape)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    rows, width = shape
    if rows * width * values.itemsize > MOST_BYTES:
        raise ValueError(
            f"{where}: {rows} rows of {width} columns are more than {MOST_BYTES} bytes"
        )


def _counts(starts: Array, columns: Array, size: int, shape: Sequence[int]) -> Array:
    """How many values each row has; ValueError if that, or the columns, can't be."""
    counts: Array = starts[1:] - starts[:-1]
    rows, width = shape
    if len(counts) != rows or (counts < 0).any() or counts.sum() != size:
        raise ValueError(f"row indices don't describe {rows} rows of {size} values")
    if len(columns) != size or width < 0 or ((columns < 0) | (columns >= width)).any():
        raise ValueError(f"column indices don't place {size} values in {width} columns")
    return counts


def read_indices(
    crow_indices: object, col_indices: object, size: int, shape: Sequence[int] | None
) -> tuple[NumberBuffer, NumberBuffer, list[int]]:
    """The indices of `size` values in a matrix to be sent, and its shape.

    Raises:
        InvalidInputError: one of them is missing, they don't fit together, or columns of a row
            don't ascend. Servers build a torch tensor of them, which wants all that.
    """
    if crow_indices is None or col_indices is None:
        missing = "sparse_crow_indices" if crow_indices is None else "sparse_col_indices"
        raise InvalidInputError("compressed rows need both lists of indices", where=missing)
    size_of = None if shape is None else read_shape(shape)
    if size_of is None or len(size_of) != 2:
        raise InvalidInputError(
            f"compressed rows need the shape of their matrix, [rows, columns], got {shape}",
            where="shape",
        )
    crow = _read_list(crow_indices, "sparse_crow_indices")
    columns = _read_list(col_indices, "sparse_col_indices")
    _check_ascending(crow.to_array(), columns.to_array(), size, size_of)
    return crow, columns, size_of


def _read_list(values: object, where: str) -> NumberBuffer:
    if isinstance(values, NumberBuffer):
        return values
    numbers, found = parse_numbers(values, dtype="int64", where=where)
    if len(found) != 1:
        raise InvalidInputError(f"expected one dimension, got shape {found}", where=where)
    return numbers


def _check_ascending(crow: Array, columns: Array, size: int, shape: list[int]) -> None:
    import numpy as np

    try:
        counts = _counts(crow, columns, size, shape)
    except ValueError as error:
        column = str(error).startswith("column")
        where = "sparse_col_indices" if column else "sparse_crow_indices"
        raise InvalidInputError(str(error), where=where) from None
    if crow[:1].tolist() != [0]:
        raise InvalidInputError("the first row begins at 0", where="sparse_crow_indices")
    row = np.repeat(np.arange(len(counts)), counts)
    falling = (np.diff(columns) <= 0) & (np.diff(row) == 0)
    if falling.any():
        at = int(falling.argmax()) + 1
        raise InvalidInputError(
            f"the columns of a row ascend, and {columns[at]} comes after {columns[at - 1]}",
            where=f"sparse_col_indices[{at}]",
        )


def read_pad(value: int) -> int:
    """What the cells that are not given hold: a whole number, which is exact in both dtypes.

    Raises:
        InvalidInputError: anything else.
    """
    found = plain_number(value)
    if type(found) is not int or not -(2**63) <= found < 2**63:
        raise InvalidInputError(
            f"expected a whole number of 64 bits, got {value!r}", where="pad_value"
        )
    return found
