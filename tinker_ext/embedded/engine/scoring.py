"""Log-probabilities of a given prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import frozen

from tinker_ext.embedded.engine import ops
from tinker_ext.embedded.engine.batching import check_tokens
from tinker_ext.embedded.engine.errors import EngineInputError
from tinker_ext.embedded.engine.generate import MERGED
from tinker_ext.embedded.engine.sampling import best, inverse_cumulative
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
    """One entry per prompt token; the first is None, because it has no predecessor.

    `topk` holds, per token, the likeliest (token id, log-probability) pairs, likeliest first. It is
    None if not requested.
    """

    logprobs: list[float | None]
    topk: list[list[tuple[int, float]] | None] | None


@frozen(eq=False)
class PromptTable:
    """The log-probabilities of the next token, after each prompt token except the last.

    `table` is (n - 1, vocabulary); row i is the distribution of token i + 1.
    """

    prompt: Integers
    table: Array

    @classmethod
    def of(
        cls,
        base: BaseModel,
        adapter: Mapping[str, Array] | None,
        tokens: npt.NDArray[np.integer[Any]],
    ) -> PromptTable:
        """Compute the table in one forward pass.

        Raises:
            EngineInputError: a token id is invalid.
        """
        check_tokens(base, np.asarray(tokens), "prompt")
        prompt = np.asarray(tokens, np.int64)
        return cls(prompt, _next_logprobs(base, MERGED.get(base, adapter), prompt)[:-1])

    def scores(self, topk: int = 0) -> PromptScores:
        """The scores of the prompt's tokens, and of the `topk` likeliest, at temperature 1.

        Raises:
            EngineInputError: `topk` is not from 0 to the size of the vocabulary.
        """
        if not 0 <= topk <= self.table.shape[1]:
            raise EngineInputError(
                f"must be from 0 to {self.table.shape[1]}, got {topk}", where="topk_prompt_logprobs"
            )
        own = self.table[np.arange(len(self.table)), self.prompt[1:]]
        likeliest = [None, *best(self.table, topk)] if topk else None
        return PromptScores([None, *own.tolist()], likeliest)

    def of_targets(self, targets: Integers) -> Array:
        """The log-probabilities of the token ids (n - 1, k); 0 for the id -1, which means none.

        Raises:
            EngineInputError: the shape or a token id is invalid.
        """
        where = "target_prompt_logprobs"
        rows, vocabulary = self.table.shape
        if targets.ndim != 2 or len(targets) != rows:
            raise EngineInputError(
                f"must have {rows} rows, one for each prompt token except the first, "
                f"got shape {list(targets.shape)}",
                where=where,
            )
        if ((targets < -1) | (targets >= vocabulary)).any():
            raise EngineInputError(f"has a token id outside -1 to {vocabulary - 1}", where=where)
        values = np.take_along_axis(self.table, np.maximum(targets, 0), axis=-1)
        return np.where(targets < 0, 0.0, values).astype(np.float32)

    def alternatives(
        self, count: int, temperature: float, seed: int | None
    ) -> tuple[Integers, Array]:
        """Alternative tokens for each position, (n - 1, count), and their log-probabilities.

        They are drawn independently at `temperature`; at 0 the likeliest is chosen. A seed makes
        them repeatable.

        Raises:
            EngineInputError: `count` is larger than the vocabulary.
        """
        rows, vocabulary = self.table.shape
        if not 0 <= count <= vocabulary:
            raise EngineInputError(
                f"must be from 0 to {vocabulary}, got {count}", where="prompt_alt_tokens_k"
            )
        if temperature > 0:
            heated = ops.log_softmax(self.table.astype(np.float64) / temperature)
            uniforms = np.random.default_rng(None if seed is None else seed % 2**64)
            draws = uniforms.random((count, rows))
            tokens = np.stack([inverse_cumulative(heated, row) for row in draws], axis=-1)
        else:
            tokens = np.repeat(self.table.argmax(axis=-1)[:, None], count, axis=-1)
        return tokens, np.take_along_axis(self.table, tokens, axis=-1).astype(np.float32)


def _next_logprobs(base: BaseModel, weights: Mapping[str, Array], tokens: Integers) -> Array:
    """Log-probabilities (n, vocabulary) of the next token after each of n tokens."""
    time = len(tokens)
    project = plain_projection(weights)
    attend = causal_attention(time, base.dtype)
    states = hidden_states(
        base.shape, weights, project, attend, tokens[None], np.arange(time)[None]
    )
    return ops.log_softmax(project(states, "lm_head"))
