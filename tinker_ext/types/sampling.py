"""What sampling answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import frozen

from tinker_ext.types.absent import known, known_or
from tinker_ext.types.tensor_data import TensorData
from tinker_ext.types.topk import TopkLogprobs, TopkRows

if TYPE_CHECKING:
    from tinker_api import models as api

    from tinker_ext.types.arrays import Array

#: Why a sequence ended. Releases 0.4.1 to 0.38.0 send "length" and "stop"; the API's own
#: overview names the other three. Whatever a server sends is kept.
StopReason: TypeAlias = Literal["length", "stop", "max_tokens", "stop_sequence", "eos"] | str


@frozen
class SampledSequence:
    """One sampled sequence: token ids, and their logprobs where the server gives them.

    `topk_logprobs` has the likeliest tokens at each position where that was asked for;
    `sequence_id` names the sequence in later requests, None where the server names none. The
    `*_np` names are the same as arrays: int32 and float32.
    """

    stop_reason: StopReason
    tokens: list[int]
    logprobs: list[float] | None = None
    topk_logprobs: TopkRows | None = None
    sequence_id: str | None = None

    @property
    def tokens_np(self) -> Array:
        return _array(self.tokens, "int32")

    @property
    def logprobs_np(self) -> Array | None:
        return None if self.logprobs is None else _array(self.logprobs, "float32")

    @property
    def topk_logprobs_np(self) -> TopkLogprobs | None:
        return None if self.topk_logprobs is None else TopkLogprobs.of(self.topk_logprobs)

    @classmethod
    def from_api(cls, model: api.SampledSequence) -> SampledSequence:
        """Read one sequence; an unknown stop reason survives as its text."""
        return cls(
            stop_reason=str(known_or(model.stop_reason, "")),
            tokens=known_or(model.tokens, []),
            logprobs=known(model.logprobs),
            topk_logprobs=_topk(known(model.topk_logprobs)),
            sequence_id=known(model.sequence_id),
        )


@frozen
class PromptAltTokens:
    """Tokens drawn from what the model expected at each prompt token but the first.

    `tokens` (int64) and `logprobs` (float32) have the shape [prompt tokens - 1, k].
    """

    tokens: TensorData
    logprobs: TensorData

    @classmethod
    def from_api(cls, model: api.PromptAltTokens) -> PromptAltTokens:
        """Read the two tensors."""
        return cls(TensorData.from_api(model.tokens), TensorData.from_api(model.logprobs))


@frozen
class SampleResponse:
    """What a sample call answers: `num_samples` sequences, and of the prompt what was asked for.

    `prompt_logprobs` has one entry per prompt token as the server gave them; None where there
    is no value (the first token has none). `target_prompt_logprobs` is float32 of the shape of the
    tensor asked with, 0 where that had -1. `prompt_cache_hit_tokens` is how many tokens of the
    prompt the server had at hand already. The `*_np` names are the same as arrays, NaN for None.
    """

    sequences: list[SampledSequence]
    prompt_logprobs: list[float | None] | None = None
    topk_prompt_logprobs: TopkRows | None = None
    target_prompt_logprobs: TensorData | None = None
    prompt_cache_hit_tokens: int = 0
    prompt_alt_tokens: PromptAltTokens | None = None

    @property
    def prompt_logprobs_np(self) -> Array | None:
        return None if self.prompt_logprobs is None else _array(self.prompt_logprobs, "float32")

    @property
    def topk_prompt_logprobs_np(self) -> TopkLogprobs | None:
        rows = self.topk_prompt_logprobs
        return None if rows is None else TopkLogprobs.of(rows)

    @classmethod
    def from_api(cls, model: api.SampleResponse) -> SampleResponse:
        """Read an answer; a missing list of sequences becomes empty."""
        targets, drawn = known(model.target_prompt_logprobs), known(model.prompt_alt_tokens)
        return cls(
            sequences=[SampledSequence.from_api(one) for one in known_or(model.sequences, [])],
            prompt_logprobs=known(model.prompt_logprobs),
            topk_prompt_logprobs=_topk(known(model.topk_prompt_logprobs)),
            target_prompt_logprobs=None if targets is None else TensorData.from_api(targets),
            prompt_cache_hit_tokens=known_or(model.prompt_cache_hit_tokens, 0),
            prompt_alt_tokens=None if drawn is None else PromptAltTokens.from_api(drawn),
        )


def _topk(rows: list[Any] | None) -> TopkRows | None:
    if rows is None:
        return None
    return [None if row is None else [(token, value) for token, value in row] for row in rows]


def _array(values: list[Any], dtype: str) -> Array:
    """A new array; None becomes NaN."""
    import numpy as np

    return np.array(values, dtype=dtype)
