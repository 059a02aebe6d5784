"""The most likely tokens at each position, as rows of pairs and as two matrices."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, TypeAlias

from attrs import frozen

if TYPE_CHECKING:
    from tinker_ext.types.tensors.arrays import Array

#: Per position: None, or up to k (token id, logprob) pairs.
TopkRows: TypeAlias = list[list[tuple[int, float]] | None]

#: Padding of the matrices; release 0.38.0.
NO_TOKEN, NO_LOGPROB = 0, -99999.0


@frozen(eq=False)
class TopkLogprobs:
    """The k most likely tokens at each position: `token_ids` int32, `logprobs` float32.

    Both have the shape (positions, k). Padding cells have token 0 and logprob -99999.
    """

    token_ids: Array
    logprobs: Array

    @classmethod
    def of(cls, rows: TopkRows) -> TopkLogprobs:
        """Deprecated; use `from_rows`."""
        warnings.warn(
            "TopkLogprobs.of is deprecated; use from_rows", DeprecationWarning, stacklevel=2
        )
        return cls.from_rows(rows)

    @classmethod
    def from_rows(cls, rows: TopkRows) -> TopkLogprobs:
        """Converts rows to matrices; k is the length of the longest row."""
        import numpy as np

        k = max((len(row) for row in rows if row), default=0)
        padding = [(NO_TOKEN, NO_LOGPROB)] * k
        padded = [[*(row or ()), *padding][:k] for row in rows]
        shape = (len(rows), k)
        with np.errstate(over="ignore"):  # values beyond float32 become infinite
            logprobs = np.array([logprob for row in padded for _, logprob in row], np.float32)
        return cls(
            np.array([token for row in padded for token, _ in row], np.int32).reshape(shape),
            logprobs.reshape(shape),
        )
