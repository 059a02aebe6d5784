"""Matrices in compressed sparse rows (CSR), filled up for the engine, which has no other ones."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from attrs import frozen

from tinker_ext.embedded.execution.answers import UserFailureError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.generic]

# Largest matrix that a sparse tensor may stand for, in numbers: a few can claim any shape.
MAX_DENSE = 16 * 1024 * 1024


@frozen(eq=False)
class Rows:
    """Which cells are given: where each row begins among them, and the column of each (int64)."""

    starts: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]

    def matrix(self, values: Array, shape: list[int], where: str, fill: int = 0) -> Array:
        """The matrix that `values` stand for; what is not given is `fill`.

        Raises:
            UserFailureError: they don't fit together, or the matrix is too large.
        """
        import numpy as np

        self._check(values.size, shape, where)
        matrix = np.full(shape, fill, values.dtype)
        matrix[self._rows(), self.columns] = values
        return matrix

    def of(self, matrix: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """What a matrix of the same shape has in the given cells."""
        found: npt.NDArray[Any] = matrix[self._rows(), self.columns]
        return found

    def _rows(self) -> npt.NDArray[np.int64]:
        """The row of each given cell."""
        import numpy as np

        return np.repeat(np.arange(self.starts.size - 1), np.diff(self.starts))

    def _check(self, size: int, shape: list[int], where: str) -> None:
        import numpy as np

        starts, columns = self.starts, self.columns
        fits = (
            len(shape) == 2
            and starts.size == shape[0] + 1
            and starts[0] == 0
            and starts[-1] == size == columns.size
            and bool(((starts >= 0) & (starts <= size)).all())
            and bool((np.diff(starts) >= 0).all())
            and bool(((columns >= 0) & (columns < shape[1])).all())
        )
        if not fits:
            raise UserFailureError(f"{where}: the compressed rows don't make a matrix {shape}")
        if math.prod(shape) > MAX_DENSE:
            raise UserFailureError(f"{where}: a matrix may have {MAX_DENSE} numbers at most")
