"""What sampling answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import frozen

from tinker_ext.types.absent import known, known_or

if TYPE_CHECKING:
    from tinker_api import models as api

#: Why a sequence ended. Releases 0.4.1 to 0.38.0 send "length" and "stop"; the API's own
#: overview names the other three. Whatever a server sends is kept.
StopReason: TypeAlias = Literal["length", "stop", "max_tokens", "stop_sequence", "eos"] | str

#: Per prompt position: None, or up to k (token id, logprob) pairs.
TopkLogprobs: TypeAlias = list[list[tuple[int, float]] | None]


@frozen
class SampledSequence:
    """One sampled sequence: token ids, and their logprobs where the server gives them."""

    stop_reason: StopReason
    tokens: list[int]
    logprobs: list[float] | None = None

    @classmethod
    def from_api(cls, model: api.SampledSequence) -> SampledSequence:
        """Read one sequence; an unknown stop reason survives as its text."""
        return cls(
            stop_reason=str(known_or(model.stop_reason, "")),
            tokens=known_or(model.tokens, []),
            logprobs=known(model.logprobs),
        )


@frozen
class SampleResponse:
    """What a sample call answers: `num_samples` sequences, and the prompt's logprobs if asked.

    `prompt_logprobs` has one entry per prompt token as the server gave them; None where there
    is no value (the first token has none).
    """

    sequences: list[SampledSequence]
    prompt_logprobs: list[float | None] | None = None
    topk_prompt_logprobs: TopkLogprobs | None = None

    @classmethod
    def from_api(cls, model: api.SampleResponse) -> SampleResponse:
        """Read an answer; a missing list of sequences becomes empty."""
        return cls(
            sequences=[SampledSequence.from_api(one) for one in known_or(model.sequences, [])],
            prompt_logprobs=known(model.prompt_logprobs),
            topk_prompt_logprobs=_topk(known(model.topk_prompt_logprobs)),
        )


def _topk(rows: list[Any] | None) -> TopkLogprobs | None:
    if rows is None:
        return None
    return [None if row is None else [(token, value) for token, value in row] for row in rows]
