"""What sampling answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from attrs import field, fields, frozen

from tinker_ext.types.tensors.list_or_array import Logprobs, OptionalLogprobs, Tokens, Topk
from tinker_ext.types.tensors.received import (
    check_length,
    read_logprobs,
    read_some_logprobs,
    read_tokens,
    read_topk,
)
from tinker_ext.types.tensors.tensor_data import TensorData
from tinker_ext.types.unset import or_default, or_none

if TYPE_CHECKING:
    from tinker_api import models as api

    from tinker_ext.types.tensors.arrays import Array
    from tinker_ext.types.tensors.topk import TopkLogprobs, TopkRows

#: Why a sequence ended. Releases 0.4.1 to 0.38.0 send "length" and "stop"; the API's own
#: overview names the other three. Whatever a server sends is kept.
StopReason: TypeAlias = Literal["length", "stop", "max_tokens", "stop_sequence", "eos"] | str


def _to_tokens(value: list[int] | Tokens) -> Tokens:
    return value if isinstance(value, Tokens) else Tokens(value)


def _to_logprobs(value: list[float] | Logprobs | None) -> Logprobs | None:
    return value if value is None or isinstance(value, Logprobs) else Logprobs(value)


def _to_some(value: list[float | None] | OptionalLogprobs | None) -> OptionalLogprobs | None:
    return (
        value if value is None or isinstance(value, OptionalLogprobs) else OptionalLogprobs(value)
    )


def _to_topk(value: TopkRows | Topk | None) -> Topk | None:
    return value if value is None or isinstance(value, Topk) else Topk(value)


@frozen(repr=False)
class SampledSequence:
    """One sampled sequence: token ids, and their logprobs where the server gives them.

    `topk_logprobs` has the likeliest tokens at each position where that was asked for;
    `sequence_id` names the sequence in later requests, None where the server names none. The
    `*_np` names are the same as arrays: int32 and float32. Each form is made when it is asked for,
    and not to be changed.
    """

    stop_reason: StopReason
    _tokens: Tokens = field(alias="tokens", converter=_to_tokens)
    _logprobs: Logprobs | None = field(alias="logprobs", default=None, converter=_to_logprobs)
    _topk_logprobs: Topk | None = field(alias="topk_logprobs", default=None, converter=_to_topk)
    sequence_id: str | None = None

    @property
    def tokens(self) -> list[int]:
        """The token ids."""
        return self._tokens.list

    @property
    def logprobs(self) -> list[float] | None:
        """The logprob of each token; None where the server gives none."""
        return None if self._logprobs is None else self._logprobs.list

    @property
    def topk_logprobs(self) -> TopkRows | None:
        """At each position the likeliest (token, logprob) pairs; None where not asked for."""
        return None if self._topk_logprobs is None else self._topk_logprobs.list

    @property
    def tokens_np(self) -> Array:
        """The token ids: int32, of the shape (tokens,)."""
        return self._tokens.array

    @property
    def logprobs_np(self) -> Array | None:
        """The logprobs: float32, of the shape (tokens,)."""
        return None if self._logprobs is None else self._logprobs.array

    @property
    def topk_logprobs_np(self) -> TopkLogprobs | None:
        """The likeliest tokens as two matrices."""
        return None if self._topk_logprobs is None else self._topk_logprobs.array

    @classmethod
    def from_api(cls, model: api.SampledSequence, where: str = "sequence") -> SampledSequence:
        """Read one sequence; an unknown stop reason survives as its text.

        Raises:
            ValueError: a field does not hold what it should, or does not fit the others; `where`
                is the path to the sequence.
        """
        return cls(
            stop_reason=str(or_default(model.stop_reason, "")),
            tokens=read_tokens(model.tokens, f"{where}.tokens"),
            logprobs=read_logprobs(or_none(model.logprobs), f"{where}.logprobs"),
            topk_logprobs=read_topk(or_none(model.topk_logprobs), f"{where}.topk_logprobs"),
            sequence_id=or_none(model.sequence_id),
        ).checked(where)

    def checked(self, where: str) -> SampledSequence:
        """The sequence, if it has as many logprobs as tokens.

        Raises:
            ValueError: it has not; `where` is the path to the sequence.
        """
        count = len(self._tokens)
        if self._logprobs is not None:
            check_length(len(self._logprobs), count, "logprobs", "token", f"{where}.logprobs")
        if self._topk_logprobs is not None:
            rows = len(self._topk_logprobs)
            check_length(rows, count, "rows", "token", f"{where}.topk_logprobs")
        return self

    def __repr__(self) -> str:
        return _shown(self)


@frozen
class PromptAltTokens:
    """Tokens drawn from what the model expected at each prompt token but the first.

    `tokens` (int64) and `logprobs` (float32) have the shape [prompt tokens - 1, k].
    """

    tokens: TensorData
    logprobs: TensorData

    @classmethod
    def from_api(cls, model: api.PromptAltTokens) -> PromptAltTokens:
        """Read the two tensors.

        Raises:
            ValueError: the numbers, the dtype and the shape of one do not fit together.
        """
        where = "prompt_alt_tokens"
        return cls(
            TensorData.from_api(model.tokens, f"{where}.tokens"),
            TensorData.from_api(model.logprobs, f"{where}.logprobs"),
        )


@frozen(repr=False)
class SampleResponse:
    """What a sample call answers: `num_samples` sequences, and of the prompt what was asked for.

    `prompt_logprobs` has one entry per prompt token as the server gave them; None where there
    is no value (the first token has none). `target_prompt_logprobs` is float32 of the shape of the
    tensor asked with, 0 where that had -1. `prompt_cache_hit_tokens` is how many tokens of the
    prompt the server had at hand already. The `*_np` names are the same as arrays, NaN for None.
    """

    type: ClassVar[Literal["sample"]] = "sample"

    sequences: list[SampledSequence]
    _prompt_logprobs: OptionalLogprobs | None = field(
        alias="prompt_logprobs", default=None, converter=_to_some
    )
    _topk_prompt_logprobs: Topk | None = field(
        alias="topk_prompt_logprobs", default=None, converter=_to_topk
    )
    target_prompt_logprobs: TensorData | None = None
    prompt_cache_hit_tokens: int = 0
    prompt_alt_tokens: PromptAltTokens | None = None

    @property
    def prompt_logprobs(self) -> list[float | None] | None:
        """The logprob of each prompt token; None where not asked for."""
        return None if self._prompt_logprobs is None else self._prompt_logprobs.list

    @property
    def topk_prompt_logprobs(self) -> TopkRows | None:
        """The likeliest (token, logprob) pairs at each prompt token; None where not asked for."""
        return None if self._topk_prompt_logprobs is None else self._topk_prompt_logprobs.list

    @property
    def prompt_logprobs_np(self) -> Array | None:
        """The logprobs of the prompt: float32, of the shape (prompt tokens,); NaN for None."""
        return None if self._prompt_logprobs is None else self._prompt_logprobs.array

    @property
    def topk_prompt_logprobs_np(self) -> TopkLogprobs | None:
        """The likeliest tokens at each prompt token as two matrices."""
        return None if self._topk_prompt_logprobs is None else self._topk_prompt_logprobs.array

    @classmethod
    def from_api(cls, model: api.SampleResponse) -> SampleResponse:
        """Read a result; a missing list of sequences becomes empty.

        Raises:
            ValueError: a field does not hold what it should, or does not fit the others.
        """
        targets, drawn = or_none(model.target_prompt_logprobs), or_none(model.prompt_alt_tokens)
        sequences = enumerate(or_default(model.sequences, []))
        where = "target_prompt_logprobs"
        return cls(
            sequences=[SampledSequence.from_api(one, f"sequences[{at}]") for at, one in sequences],
            prompt_logprobs=read_some_logprobs(or_none(model.prompt_logprobs), "prompt_logprobs"),
            topk_prompt_logprobs=read_topk(
                or_none(model.topk_prompt_logprobs), "topk_prompt_logprobs"
            ),
            target_prompt_logprobs=None if targets is None else TensorData.from_api(targets, where),
            prompt_cache_hit_tokens=or_default(model.prompt_cache_hit_tokens, 0),
            prompt_alt_tokens=None if drawn is None else PromptAltTokens.from_api(drawn),
        )

    def check(self, num_samples: int, prompt_tokens: int | None) -> None:
        """Refuse a result that does not fit its request.

        Of the prompt a server may leave the first token out, which has no logprob. Its length is
        None if only the server knows it.

        Raises:
            ValueError: with the field, the expected and the received number.
        """
        if len(self.sequences) != num_samples:
            raise ValueError(
                f"sequences: expected {num_samples} (num_samples), got {len(self.sequences)}"
            )
        if prompt_tokens is None:
            return
        by_token = {
            "prompt_logprobs": self._prompt_logprobs,
            "topk_prompt_logprobs": self._topk_prompt_logprobs,
        }
        for name, values in by_token.items():
            if values is not None and not 0 <= prompt_tokens - len(values) <= 1:
                raise ValueError(
                    f"{name}: expected {prompt_tokens} entries, one for each prompt token, "
                    f"got {len(values)}"
                )

    def __repr__(self) -> str:
        return _shown(self)


def _shown(value: SampledSequence | SampleResponse) -> str:
    """As attrs would, by the names that users know."""
    named = {one.alias: getattr(value, one.name) for one in fields(type(value))}
    return f"{type(value).__name__}({', '.join(f'{k}={v!r}' for k, v in named.items())})"
