"""Matrices in compressed sparse rows (CSR).

The wire format does not include the value of the omitted cells: it is 0 in training data, -1 (no
value requested) in the `target_prompt_logprobs` of a request, and 0 in those of a response. So
conversion to a dense matrix takes it as an argument, as in release 0.38.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.argument_checks import plain_number, read_shape
from tinker_ext.types.tensors.array_input import parse_numbers
from tinker_ext.types.tensors.arrays import Array
from tinker_ext.types.tensors.number_buffer import NumberBuffer

#: Limit of a dense matrix: the default limit of a response (ClientConfig.max_response_bytes).
MAX_DENSE_BYTES = 268_435_456


def to_csr(matrix: Array, pad_value: int) -> tuple[Array, Array, Array] | None:
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


def read_indices(
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
    sizes = None if shape is None else read_shape(shape)
    if sizes is None or len(sizes) != 2:
        raise InvalidInputError(
            f"expected [rows, columns] for compressed sparse rows, got {shape}", where="shape"
        )
    crow = _read_list(crow_indices, "sparse_crow_indices")
    columns = _read_list(col_indices, "sparse_col_indices")
    _check_ascending(crow.to_array(), columns.to_array(), size, sizes)
    return crow, columns, sizes


def _read_list(values: object, where: str) -> NumberBuffer:
    if isinstance(values, NumberBuffer):
        return values
    numbers, shape = parse_numbers(values, dtype="int64", where=where)
    if len(shape) != 1:
        raise InvalidInputError(f"expected one dimension, got shape {shape}", where=where)
    return numbers


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


def read_pad(value: int) -> int:
    """Reads the value of omitted cells, an integer.

    Raises:
        InvalidInputError: the value is not a 64-bit integer.
    """
    number = plain_number(value)
    if type(number) is not int or not -(2**63) <= number < 2**63:
        raise InvalidInputError(f"expected a 64-bit integer, got {value!r}", where="pad_value")
    return number
