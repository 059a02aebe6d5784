"""Keys and values of earlier positions, so that each new token costs one position's work."""

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
    """Per row of a batch, room for `capacity` positions, filled from the left.

    Rows have different lengths. What lies beyond a row's length (padding of its prompt) is masked,
    and overwritten when the row grows.
    """

    def __init__(
        self,
        prefilled: list[tuple[Array, Array]],
        sources: Integers,
        lengths: Integers,
        capacity: int,
    ) -> None:
        """Row i starts as row `sources[i]` of the prefilled keys and values, `lengths[i]` long."""
        self.lengths = lengths.copy()
        self._layers = [
            (_grown(k, sources, capacity), _grown(v, sources, capacity)) for k, v in prefilled
        ]
        self._dtype = prefilled[0][0].dtype

    def attention(self) -> Attend:
        """Attention of one new position per row, at its length, which it appends.

        Call `advance` once all layers have used it.
        """
        rows = np.arange(len(self.lengths))
        reach = int(self.lengths.max()) + 1
        visible = np.arange(reach) <= self.lengths[:, None]
        mask = np.where(visible, 0.0, MASKED).astype(self._dtype)[:, None, None, :]

        def attend(layer: int, q: Array, k: Array, v: Array) -> Array:
            keys, values = self._layers[layer]
            keys[rows, :, self.lengths] = k[:, :, 0]
            values[rows, :, self.lengths] = v[:, :, 0]
            return masked_attention(q, keys[:, :, :reach], values[:, :, :reach], mask)

        return attend

    def advance(self, rows: npt.NDArray[np.bool_]) -> None:
        """Count the position just appended to these rows; the others will overwrite theirs."""
        self.lengths = self.lengths + rows

    def keep(self, rows: npt.NDArray[np.bool_]) -> None:
        """Drop the other rows."""
        self.lengths = self.lengths[rows]
        self._layers = [(keys[rows], values[rows]) for keys, values in self._layers]


def _grown(prefilled: Array, sources: Integers, capacity: int) -> Array:
    _, heads, time, width = prefilled.shape
    grown = np.zeros((len(sources), heads, capacity, width), prefilled.dtype)
    grown[:, :, :time] = prefilled[sources]
    return grown
