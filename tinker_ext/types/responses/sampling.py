"""Responses to sampling calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from attrs import NOTHING, field, fields, frozen
from tinker_api import models as api
from tinker_api.types import Unset

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.display import abbreviated, table
from tinker_ext.types.records import Record
from tinker_ext.types.structuring import read_metadata
from tinker_ext.types.tensors.number_buffer import Array
from tinker_ext.types.tensors.received import (
    Logprobs,
    OptionalLogprobs,
    Tokens,
    Topk,
    TopkLogprobs,
    TopkRows,
    read_count,
    read_logprobs,
    read_optional_logprobs,
    read_tokens,
    read_topk,
)
from tinker_ext.types.tensors.tensor_data import TensorData

#: Why a sequence ended. Releases 0.4.1 to 0.38.0 send "length" and "stop"; the other three are in
#: the API's overview. Unknown reasons are passed on unchanged.
StopReason: TypeAlias = Literal["length", "stop", "max_tokens", "stop_sequence", "eos"] | str


def _as_array(values: Array, dtype: str) -> Array:
    import numpy as np

    return np.asarray(values, dtype)


@frozen(init=False, repr=False)
class SampledSequence(Record):
    """A sampled sequence: token ids, and their logprobs if the server sends them.

    `topk_logprobs` has the most likely tokens at each position if they were requested;
    `sequence_id` identifies the sequence in later requests, None if the server sends none. The
    `*_np` properties hold the same values as int32 and float32 arrays. Each form is created on
    first access; do not modify it.
    """

    stop_reason: StopReason
    _tokens: Tokens = field(alias="tokens", factory=lambda: Tokens([]))
    _logprobs: Logprobs | None = field(alias="logprobs", default=None)
    _topk_logprobs: Topk | None = field(alias="topk_logprobs", default=None)
    sequence_id: str | None = None

    def __init__(
        self,
        stop_reason: StopReason,
        tokens: Sequence[int] | Tokens = (),
        logprobs: Sequence[float] | Logprobs | None = None,
        topk_logprobs: TopkRows | Topk | None = None,
        sequence_id: str | None = None,
        *,
        tokens_np: Array | None = None,
        logprobs_np: Array | None = None,
        topk_logprobs_np: TopkLogprobs | None = None,
        _tokens_list: list[int] | None = None,
        _logprobs_list: list[float] | None = None,
        _topk_logprobs_list: TopkRows | None = None,
    ) -> None:
        """Programs create sequences in tests.

        Args:
            stop_reason: why the sequence ended.
            tokens: the token ids as a list.
            logprobs: the logprob of each token as a list.
            topk_logprobs: the most likely tokens at each position, as rows of pairs.
            sequence_id: the server's id of the sequence.
            tokens_np, logprobs_np, topk_logprobs_np: the same as arrays, as in release 0.38.0; they
                replace the lists.
            _tokens_list, _logprobs_list, _topk_logprobs_list: names of release 0.38.0 for the
                lists.
        """
        if tokens_np is not None:
            tokens = Tokens(array=_as_array(tokens_np, "int32"))
        elif _tokens_list is not None:
            tokens = _tokens_list
        if not isinstance(tokens, Tokens):
            values: object = tokens
            if isinstance(values, str):  # The second argument of release 0.38.0 is the id.
                raise InvalidInputError(f"expected token ids, got {values!r}", where="tokens")
            tokens = Tokens(list(tokens))
        if logprobs_np is not None:
            logprobs = Logprobs(array=_as_array(logprobs_np, "float32"))
        elif _logprobs_list is not None:
            logprobs = _logprobs_list
        if not (logprobs is None or isinstance(logprobs, Logprobs)):
            logprobs = Logprobs(list(logprobs))
        if topk_logprobs_np is not None:
            topk_logprobs = Topk(array=topk_logprobs_np)
        elif _topk_logprobs_list is not None:
            topk_logprobs = _topk_logprobs_list
        if not (topk_logprobs is None or isinstance(topk_logprobs, Topk)):
            topk_logprobs = Topk(topk_logprobs)
        self.__attrs_init__(stop_reason, tokens, logprobs, topk_logprobs, sequence_id)

    @property
    def tokens(self) -> list[int]:
        """The token ids."""
        return self._tokens.list

    @property
    def logprobs(self) -> list[float] | None:
        """The logprob of each token; None if the server sends none."""
        return None if self._logprobs is None else self._logprobs.list

    @property
    def topk_logprobs(self) -> TopkRows | None:
        """The most likely (token, logprob) pairs at each position; None if not requested."""
        return None if self._topk_logprobs is None else self._topk_logprobs.list

    @property
    def tokens_np(self) -> Array:
        """The token ids as an int32 array of shape (tokens,)."""
        return self._tokens.array

    @property
    def logprobs_np(self) -> Array | None:
        """The logprobs as a float32 array of shape (tokens,)."""
        return None if self._logprobs is None else self._logprobs.array

    @property
    def topk_logprobs_np(self) -> TopkLogprobs | None:
        """The most likely tokens as two matrices."""
        return None if self._topk_logprobs is None else self._topk_logprobs.array

    @classmethod
    def from_api(cls, model: api.SampledSequence, where: str = "sequence") -> SampledSequence:
        """Decodes a sequence; an unknown stop reason is kept as text.

        Raises:
            ValueError: a field is invalid or inconsistent with the others; `where` is the path to
                the sequence.
        """
        stop_reason: Any = model.stop_reason
        sequence_id: Any = model.sequence_id
        if not isinstance(stop_reason, str):
            stop_reason = read_metadata(str, stop_reason, "SampledSequence.stop_reason") or ""
        if isinstance(sequence_id, Unset):
            sequence_id = None
        elif not isinstance(sequence_id, str):
            sequence_id = read_metadata(str, sequence_id, "SampledSequence.sequence_id")
        return cls(
            stop_reason,
            read_tokens(model.tokens, f"{where}.tokens"),
            read_logprobs(model.logprobs, f"{where}.logprobs"),
            read_topk(model.topk_logprobs, f"{where}.topk_logprobs"),
            sequence_id,
        ).checked(where)

    def checked(self, where: str) -> SampledSequence:
        """Checks that there are as many logprobs as tokens, and returns the sequence.

        Raises:
            ValueError: the numbers differ; `where` is the path to the sequence.
        """
        count = len(self._tokens)
        if self._logprobs is not None and len(self._logprobs) != count:
            raise ValueError(
                f"{where}.logprobs: expected {count} logprobs, one for each token, "
                f"got {len(self._logprobs)}"
            )
        if self._topk_logprobs is not None and len(self._topk_logprobs) != count:
            raise ValueError(
                f"{where}.topk_logprobs: expected {count} rows, one for each token, "
                f"got {len(self._topk_logprobs)}"
            )
        return self

    def __repr__(self) -> str:
        return _repr(self)

    def _row(self) -> dict[str, object]:
        """The columns of the sequence in a notebook's table."""
        logprobs = self.logprobs
        return {
            "tokens": len(self._tokens),
            "stop_reason": self.stop_reason,
            "mean logprob": sum(logprobs) / len(logprobs) if logprobs else None,
            "token ids": repr(self._tokens),
            "sequence_id": self.sequence_id,
        }


@frozen
class PromptAltTokens(Record):
    """Tokens sampled from the model's distribution at each prompt token except the first.

    `tokens` (int64) and `logprobs` (float32) have the shape [prompt tokens - 1, k].
    """

    tokens: TensorData
    logprobs: TensorData

    @classmethod
    def from_api(cls, model: api.PromptAltTokens) -> PromptAltTokens:
        """Decodes the two tensors.

        Raises:
            ValueError: the numbers, dtype and shape of a tensor are inconsistent.
        """
        where = "prompt_alt_tokens"
        return cls(
            TensorData.from_api(model.tokens, f"{where}.tokens"),
            TensorData.from_api(model.logprobs, f"{where}.logprobs"),
        )


@frozen(init=False, repr=False)
class SampleResponse(Record):
    """The response to a sample call: `num_samples` sequences, and the requested prompt values.

    `prompt_logprobs` has one entry per prompt token, None if the server has no value (as for the
    first token). `target_prompt_logprobs` is float32 with the shape of the tensor in the request,
    and 0 where that has -1. `prompt_cache_hit_tokens` is the number of prompt tokens found in the
    server's cache. The `*_np` properties hold the same values as arrays, with NaN for None.
    """

    sequences: list[SampledSequence]
    _prompt_logprobs: OptionalLogprobs | None = field(alias="prompt_logprobs", default=None)
    _topk_prompt_logprobs: Topk | None = field(alias="topk_prompt_logprobs", default=None)
    target_prompt_logprobs: TensorData | None = None
    prompt_cache_hit_tokens: int = 0
    prompt_alt_tokens: PromptAltTokens | None = None
    type: Literal["sample"] = field(default="sample", kw_only=True)

    def __init__(
        self,
        sequences: Sequence[SampledSequence],
        prompt_logprobs: Sequence[float | None] | OptionalLogprobs | None = None,
        topk_prompt_logprobs: TopkRows | Topk | None = None,
        target_prompt_logprobs: TensorData | None = None,
        prompt_cache_hit_tokens: int = 0,
        prompt_alt_tokens: PromptAltTokens | None = None,
        *,
        type: Literal["sample"] = "sample",  # noqa: A002  # The name of release 0.4.1.
        prompt_logprobs_np: Array | None = None,
        topk_prompt_logprobs_np: TopkLogprobs | None = None,
        _prompt_logprobs_list: list[float | None] | None = None,
        _topk_prompt_logprobs_list: TopkRows | None = None,
    ) -> None:
        """Programs create responses in tests; the arrays replace the lists.

        The last four arguments are those of release 0.38.0.
        """
        if type != "sample":
            raise InvalidInputError(f"expected 'sample', got {type!r}", where="type")
        if prompt_logprobs_np is not None:
            prompt_logprobs = OptionalLogprobs(array=_as_array(prompt_logprobs_np, "float32"))
        elif _prompt_logprobs_list is not None:
            prompt_logprobs = _prompt_logprobs_list
        if not (prompt_logprobs is None or isinstance(prompt_logprobs, OptionalLogprobs)):
            prompt_logprobs = OptionalLogprobs(list(prompt_logprobs))
        if topk_prompt_logprobs_np is not None:
            topk_prompt_logprobs = Topk(array=topk_prompt_logprobs_np)
        elif _topk_prompt_logprobs_list is not None:
            topk_prompt_logprobs = _topk_prompt_logprobs_list
        if not (topk_prompt_logprobs is None or isinstance(topk_prompt_logprobs, Topk)):
            topk_prompt_logprobs = Topk(topk_prompt_logprobs)
        self.__attrs_init__(
            list(sequences),
            prompt_logprobs,
            topk_prompt_logprobs,
            target_prompt_logprobs,
            prompt_cache_hit_tokens,
            prompt_alt_tokens,
            type=type,
        )

    @property
    def prompt_logprobs(self) -> list[float | None] | None:
        """The logprob of each prompt token; None if not requested."""
        return None if self._prompt_logprobs is None else self._prompt_logprobs.list

    @property
    def topk_prompt_logprobs(self) -> TopkRows | None:
        """The most likely (token, logprob) pairs at each prompt token; None if not requested."""
        return None if self._topk_prompt_logprobs is None else self._topk_prompt_logprobs.list

    @property
    def prompt_logprobs_np(self) -> Array | None:
        """The prompt logprobs as a float32 array of shape (prompt tokens,), NaN for None."""
        return None if self._prompt_logprobs is None else self._prompt_logprobs.array

    @property
    def topk_prompt_logprobs_np(self) -> TopkLogprobs | None:
        """The most likely tokens at each prompt token as two matrices."""
        return None if self._topk_prompt_logprobs is None else self._topk_prompt_logprobs.array

    @classmethod
    def from_api(cls, model: api.SampleResponse) -> SampleResponse:
        """Decodes a result; a missing list of sequences becomes empty.

        Raises:
            ValueError: a field is invalid or inconsistent with the others.
        """
        sequences = [
            SampledSequence.from_api(sequence, f"sequences[{index}]")
            for index, sequence in enumerate(model.sequences or ())
        ]
        targets, alternatives = model.target_prompt_logprobs, model.prompt_alt_tokens
        return cls(
            sequences,
            read_optional_logprobs(model.prompt_logprobs, "prompt_logprobs"),
            read_topk(model.topk_prompt_logprobs, "topk_prompt_logprobs"),
            TensorData.from_api(targets, "target_prompt_logprobs") if targets else None,
            read_count(model.prompt_cache_hit_tokens, "prompt_cache_hit_tokens"),
            PromptAltTokens.from_api(alternatives) if alternatives else None,
        )

    def _identify_sequences(self, sequence_ids: list[str]) -> None:
        """Set the ids of the sequences of a new response, before its user has seen it."""
        for sequence, sequence_id in zip(self.sequences, sequence_ids, strict=True):
            object.__setattr__(sequence, "sequence_id", sequence_id)

    def check(self, num_samples: int, prompt_tokens: int | None) -> None:
        """Checks that the result matches its request.

        A server may omit the entry of the first prompt token, which has no logprob.
        `prompt_tokens` is None if only the server knows the length of the prompt.

        Raises:
            ValueError: a field has the wrong length; the message has both lengths.
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
        return _repr(self)

    def _repr_html_(self) -> str:
        """The sequences as a table, for notebooks."""
        rows = enumerate(self.sequences)
        return table({"sequence": str(index), **sequence._row()} for index, sequence in rows)


def _repr(value: SampledSequence | SampleResponse) -> str:
    """The public names and abbreviated values of the fields, without those at their default."""
    parts = []
    for attribute in fields(type(value)):
        content = getattr(value, attribute.name)
        if attribute.default is NOTHING or content != attribute.default:
            shown = abbreviated(content) if isinstance(content, list) else repr(content)
            parts.append(f"{attribute.alias}={shown}")
    return f"{type(value).__name__}({', '.join(parts)})"
