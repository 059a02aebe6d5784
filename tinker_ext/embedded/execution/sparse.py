"""Matrices in compressed sparse row format (CSR), converted to dense ones for the engine."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from attrs import frozen

from tinker_ext.embedded.errors import UserFailureError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.generic]

# Largest number of elements of the dense matrix: a small sparse tensor can have any shape.
MAX_DENSE = 16 * 1024 * 1024


@frozen(eq=False)
class CsrIndices:
    """The positions of the elements (int64): where each row starts, and each element's column."""

    rows: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]

    def to_dense(self, values: Array, shape: list[int], where: str, fill: int = 0) -> Array:
        """The dense matrix with these values; all other elements are `fill`.

        Raises:
            UserFailureError: indices, values and shape don't match, or the matrix is too large.
        """
        import numpy as np

        self._check(values.size, shape, where)
        matrix = np.full(shape, fill, values.dtype)
        matrix[self._row_numbers(), self.columns] = values
        return matrix

    def select(self, matrix: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The elements of a dense matrix of the same shape at these positions."""
        values: npt.NDArray[Any] = matrix[self._row_numbers(), self.columns]
        return values

    def _row_numbers(self) -> npt.NDArray[np.int64]:
        """The row number of each element."""
        import numpy as np

        return np.repeat(np.arange(self.rows.size - 1), np.diff(self.rows))

    def _check(self, size: int, shape: list[int], where: str) -> None:
        import numpy as np

        rows, columns = self.rows, self.columns
        fits = (
            len(shape) == 2
            and rows.size == shape[0] + 1
            and rows[0] == 0
            and rows[-1] == size == columns.size
            and bool(((rows >= 0) & (rows <= size)).all())
            and bool((np.diff(rows) >= 0).all())
            and bool(((columns >= 0) & (columns < shape[1])).all())
        )
        if not fits:
            raise UserFailureError(f"{where}: the CSR indices don't fit a matrix of shape {shape}")
        if math.prod(shape) > MAX_DENSE:
            raise UserFailureError(
                f"{where}: a sparse matrix may have at most {MAX_DENSE} elements"
            )
