"""Matrices in compressed rows, as servers may send them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinker_ext.types.arrays import Array


#: Bytes of a matrix that is filled up: what an answer may have (ClientConfig.max_response_bytes).
MOST_BYTES = 268_435_456


def filled_up(values: Any, crow_indices: Any, col_indices: Any, shape: Sequence[int]) -> Array:
    """The dense matrix of compressed sparse rows, zero where nothing is given.

    `crow_indices` says where each row begins in `values`, with their number at the end;
    `col_indices` which column each value is in.

    Raises:
        ValueError: they don't fit together, or the shape.
    """
    import numpy as np

    values, columns = np.asarray(values), np.asarray(col_indices, dtype=np.int64)
    starts: Array = np.asarray(crow_indices, dtype=np.int64)
    counts: Array = starts[1:] - starts[:-1]
    rows, width = shape
    if len(counts) != rows or (counts < 0).any() or counts.sum() != len(values):
        raise ValueError(f"row indices don't describe {rows} rows of {len(values)} values")
    if len(columns) != len(values) or ((columns < 0) | (columns >= width)).any():
        raise ValueError(f"column indices don't place {len(values)} values in {width} columns")
    if rows * width * values.itemsize > MOST_BYTES:
        raise ValueError(f"{rows} rows of {width} columns are more than {MOST_BYTES} bytes")
    dense: Array = np.zeros((rows, width), dtype=values.dtype)
    dense[np.repeat(np.arange(rows), counts), columns] = values
    return dense
