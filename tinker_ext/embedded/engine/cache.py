"""Key-value cache: each new token requires the computation of one position only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinker_ext.embedded.engine.transformer import MASKED, causal_attention, masked_attention

if TYPE_CHECKING:
    import numpy.typing as npt

    from tinker_ext.embedded.engine.transformer import Attend

    Array = npt.NDArray[np.floating[Any]]
    Integers = npt.NDArray[np.int64]


def recording_attention(time: int, dtype: npt.DTypeLike, into: list[tuple[Array, Array]]) -> Attend:
    """Causal attention that appends each layer's keys and values (rows, heads, time, width)."""
    causal = causal_attention(time, dtype)

    def attend(layer: int, q: Array, k: Array, v: Array) -> Array:
        into.append((k, v))
        return causal(layer, q, k, v)

    return attend


class KeyValueCache:
    """Keys and values of up to `capacity` positions per row, filled from the left.

    Rows have different lengths. Positions beyond a row's length (padding of its prompt) are masked,
    and overwritten when the row grows.
    """

    def __init__(
        self,
        prefilled: list[tuple[Array, Array]],
        sources: Integers,
        lengths: Integers,
        capacity: int,
    ) -> None:
        """Row i starts with the first `lengths[i]` positions of row `sources[i]` of `prefilled`."""
        self.lengths = lengths.copy()
        self._layers = [
            (_grown(k, sources, capacity), _grown(v, sources, capacity)) for k, v in prefilled
        ]
        self._dtype = prefilled[0][0].dtype

    def attention(self) -> Attend:
        """Attention for one new position per row, which is stored at the row's length.

        Call `advance` once all layers have used it.
        """
        rows = np.arange(len(self.lengths))
        visible_size = int(self.lengths.max()) + 1
        visible = np.arange(visible_size) <= self.lengths[:, None]
        mask = np.where(visible, 0.0, MASKED).astype(self._dtype)[:, None, None, :]

        def attend(layer: int, q: Array, k: Array, v: Array) -> Array:
            keys, values = self._layers[layer]
            keys[rows, :, self.lengths] = k[:, :, 0]
            values[rows, :, self.lengths] = v[:, :, 0]
            return masked_attention(q, keys[:, :, :visible_size], values[:, :, :visible_size], mask)

        return attend

    def advance(self, rows: npt.NDArray[np.bool_]) -> None:
        """Keep the new position of these rows; other rows will overwrite theirs."""
        self.lengths = self.lengths + rows

    def keep(self, rows: npt.NDArray[np.bool_]) -> None:
        """Remove all other rows."""
        self.lengths = self.lengths[rows]
        self._layers = [(keys[rows], values[rows]) for keys, values in self._layers]


def _grown(prefilled: Array, sources: Integers, capacity: int) -> Array:
    _, heads, time, width = prefilled.shape
    grown = np.zeros((len(sources), heads, capacity, width), prefilled.dtype)
    grown[:, :, :time] = prefilled[sources]
    return grown
