"""The distribution of the next token, and the draw: pure functions of arrays.

With logits z, temperature t, top_k and top_p, the distribution is ``softmax(z / t)``, restricted to
the top_k likeliest tokens, then to the tokens for which the sum of the higher probabilities is less
than top_p (at least one), then renormalized. The returned log-probabilities are those of this
distribution. At temperature 0 the likeliest token is chosen, the lowest id on a tie; because its
log-probability would always be 0, the model's log-probability (temperature 1, no restriction) is
returned instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import frozen

from tinker_ext.embedded.engine.ops import log_softmax

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.floating[Any]]
    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]

NO_TOP_K = -1
"""The API's value for "no limit"."""


@frozen(eq=False)
class Filters:
    """Per row: temperature, top_k (`NO_TOP_K` for none) and top_p, each (rows,)."""

    temperature: Floats
    top_k: Integers
    top_p: Floats

    def rows(self, index: npt.NDArray[Any]) -> Filters:
        """The filters of the selected rows."""
        return Filters(self.temperature[index], self.top_k[index], self.top_p[index])


def distribution(logits: Array, filters: Filters) -> Floats:
    """The returned log-probabilities (rows, vocabulary); at temperature 0 those of the model."""
    exact: Floats = logits.astype(np.float64)
    logprobs = log_softmax(exact)
    warm = np.flatnonzero(filters.temperature > 0)
    if warm.size:
        logprobs[warm] = filtered_logprobs(exact[warm], filters.rows(warm))
    return logprobs


def draw_from(logprobs: Floats, filters: Filters, uniforms: Floats) -> tuple[Integers, Floats]:
    """Draw one token per row, and return it with its log-probability.

    `logprobs` is the result of `distribution`. `uniforms` (rows,) in [0, 1) determine the draws:
    the same logits and number always give the same token.
    """
    tokens: Integers = logprobs.argmax(axis=-1)
    warm = np.flatnonzero(filters.temperature > 0)
    if warm.size:
        tokens[warm] = inverse_cumulative(logprobs[warm], uniforms[warm])
    return tokens, logprobs[np.arange(len(tokens)), tokens]


def best(logprobs: Array, count: int) -> list[list[tuple[int, float]]]:
    """Per row, the likeliest tokens with their log-probabilities, without impossible tokens."""
    order = np.argsort(-logprobs, axis=-1, kind="stable")[:, :count]
    values = np.take_along_axis(logprobs, order, axis=-1)
    return [
        [pair for pair in zip(ids, row, strict=True) if pair[1] > -np.inf]
        for ids, row in zip(order.tolist(), values.tolist(), strict=True)
    ]


def filtered_logprobs(logits: Floats, filters: Filters) -> Floats:
    """Log-probabilities (rows, vocabulary) after temperature, top_k and top_p."""
    below_best = logits - logits.max(axis=-1, keepdims=True)
    with np.errstate(over="ignore"):  # -inf for all but the best token at a tiny temperature
        logprobs = log_softmax(below_best / filters.temperature[:, None])
    cut = (filters.top_k != NO_TOP_K) | (filters.top_p < 1.0)
    if cut.any():
        logprobs = np.where(_allowed(logprobs, filters), logprobs, -np.inf)
        logprobs = log_softmax(logprobs)
    return logprobs


def _allowed(logprobs: Floats, filters: Filters) -> npt.NDArray[np.bool_]:
    vocabulary = logprobs.shape[-1]
    order = np.argsort(-logprobs, axis=-1, kind="stable")
    sorted_probabilities = np.exp(np.take_along_axis(logprobs, order, axis=-1))
    limit = np.where(filters.top_k == NO_TOP_K, vocabulary, filters.top_k)[:, None]
    within = np.arange(vocabulary) < limit
    sorted_probabilities *= within
    sorted_probabilities /= sorted_probabilities.sum(axis=-1, keepdims=True)
    before = np.cumsum(sorted_probabilities, axis=-1) - sorted_probabilities
    within &= (before < filters.top_p[:, None]) | (filters.top_p[:, None] >= 1.0)
    within[:, 0] = True
    allowed = np.empty_like(within)
    np.put_along_axis(allowed, order, within, axis=-1)
    return allowed


def inverse_cumulative(logprobs: Floats, uniforms: Floats) -> Integers:
    """Per row, the token at a uniform number in [0, 1) of the cumulative distribution."""
    cumulative = np.cumsum(np.exp(logprobs), axis=-1)
    reached = cumulative <= (uniforms * cumulative[:, -1])[:, None]
    tokens: Integers = reached.sum(axis=-1)
    return tokens
