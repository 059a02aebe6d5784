"""The likeliest tokens at each of several positions, as rows of pairs and as two matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from attrs import frozen

if TYPE_CHECKING:
    from tinker_ext.types.tensors.arrays import Array

#: Per position: None, or up to k (token id, logprob) pairs.
TopkRows: TypeAlias = list[list[tuple[int, float]] | None]

#: Fill the cells of the matrices that have nothing to say; release 0.38.0.
NO_TOKEN, NO_LOGPROB = 0, -99999.0


@frozen(eq=False)
class TopkLogprobs:
    """The k likeliest tokens at each position: `token_ids` int32, `logprobs` float32.

    Both have the shape (positions, k). Cells that say nothing have token 0 and logprob -99999.
    """

    token_ids: Array
    logprobs: Array

    @classmethod
    def of(cls, rows: TopkRows) -> TopkLogprobs:
        """The matrices of rows; k is the length of the longest."""
        import numpy as np

        k = max((len(row) for row in rows if row), default=0)
        padding = [(NO_TOKEN, NO_LOGPROB)] * k
        whole = [[*(row or ()), *padding][:k] for row in rows]
        shape = (len(rows), k)
        with np.errstate(over="ignore"):  # beyond float32 is infinite
            logprobs = np.array([logprob for row in whole for _, logprob in row], np.float32)
        return cls(
            np.array([token for row in whole for token, _ in row], np.int32).reshape(shape),
            logprobs.reshape(shape),
        )
