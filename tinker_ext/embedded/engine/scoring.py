"""How likely the model finds a given prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import frozen

from tinker_ext.embedded.engine import ops
from tinker_ext.embedded.engine.batching import check_tokens
from tinker_ext.embedded.engine.errors import EngineInputError
from tinker_ext.embedded.engine.generate import MERGED
from tinker_ext.embedded.engine.transformer import (
    causal_attention,
    hidden_states,
    plain_projection,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from tinker_ext.embedded.engine.model import BaseModel

    Array = npt.NDArray[np.floating[Any]]
    Integers = npt.NDArray[np.int64]


@frozen
class PromptScores:
    """One entry per prompt token; the first is None, having nothing before it.

    `topk` holds per token the likeliest (token id, log-probability) pairs, likeliest first, or is
    None when not asked for.
    """

    logprobs: list[float | None]
    topk: list[list[tuple[int, float]] | None] | None


def prompt_logprobs(
    base: BaseModel,
    adapter: Mapping[str, Array] | None,
    tokens: npt.NDArray[np.integer[Any]],
    topk: int = 0,
) -> PromptScores:
    """Score a prompt by the model's own distribution: temperature 1, nothing cut.

    EngineInputError for tokens that are no prompt of this model, or a `topk` outside 0 to the
    vocabulary's size.
    """
    check_tokens(base, np.asarray(tokens), "prompt")
    if not 0 <= topk <= base.vocabulary:
        raise EngineInputError(
            f"must be from 0 to {base.vocabulary}, not {topk}", where="topk_prompt_logprobs"
        )
    prompt = np.asarray(tokens, np.int64)
    table = _next_logprobs(base, MERGED.get(base, adapter), prompt)[:-1]
    own = table[np.arange(len(table)), prompt[1:]]
    best = [None, *_best(table, topk)] if topk else None
    return PromptScores([None, *own.tolist()], best)


def _next_logprobs(base: BaseModel, weights: Mapping[str, Array], tokens: Integers) -> Array:
    """Log-probabilities (n, vocabulary) of what follows each of n tokens."""
    time = len(tokens)
    project = plain_projection(weights)
    attend = causal_attention(time, base.dtype)
    states = hidden_states(
        base.shape, weights, project, attend, tokens[None], np.arange(time)[None]
    )
    return ops.log_softmax(project(states, "lm_head"))


def _best(table: Array, topk: int) -> list[list[tuple[int, float]]]:
    order = np.argsort(-table, axis=-1, kind="stable")[:, :topk]
    values = np.take_along_axis(table, order, axis=-1)
    return [
        list(zip(ids, logprobs, strict=True))
        for ids, logprobs in zip(order.tolist(), values.tolist(), strict=True)
    ]
