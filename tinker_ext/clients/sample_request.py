"""Options of a sample request: checked before sending and against the response."""

from __future__ import annotations

from typing import NamedTuple

from attrs import frozen
from tinker_api import models

from tinker_ext import types
from tinker_ext.clients.argument_checks import check_bool, check_int
from tinker_ext.clients.result_decoding import ResultBody, decode_result, misfit
from tinker_ext.errors import InvalidInputError


class SampleResult(NamedTuple):
    """A result, and the sequence ids that the submission returned, if any."""

    result: ResultBody
    sequence_ids: list[str] | None


@frozen(kw_only=True)
class SampleOptions:
    """What to return beside the sampled tokens and their logprobs.

    The first two options exist since release 0.4.1. The others came with 0.38.0 and are sent only
    if they are set; a server without support for them may ignore them.
    """

    prompt_logprobs: bool = False
    topk_prompt: int = 0
    topk_sample: int = 0
    targets: types.TensorData | None = None
    alternatives: int = 0
    last_n: int | None = None

    def request(
        self,
        prompt: types.ModelInput,
        num_samples: int,
        sampling_params: types.SamplingParams,
        sampling_session_id: str,
    ) -> models.SampleRequest:
        """The body of a request with these options; the prompt must be valid.

        Raises:
            InvalidInputError: naming the argument.
        """
        for value, minimum, where in (
            (num_samples, 1, "num_samples"),
            (self.topk_prompt, 0, "topk_prompt_logprobs"),
            (self.topk_sample, 0, "topk_sample_logprobs"),
            (self.alternatives, 0, "prompt_alt_tokens_k"),
        ):
            if type(value) is not int or value < minimum:  # An integer of numpy is valid, too.
                check_int(value, minimum, where)
        flag: object = self.prompt_logprobs
        if type(flag) is not bool:
            check_bool(flag, "include_prompt_logprobs")
        body = models.SampleRequest(
            prompt=prompt.to_api(),
            sampling_params=sampling_params.to_api(),
            num_samples=num_samples,
            sampling_session_id=sampling_session_id,
            prompt_logprobs=self.prompt_logprobs,
            topk_prompt_logprobs=self.topk_prompt,
        )
        if self.topk_sample:
            body.topk_sample_logprobs = self.topk_sample
        if self.alternatives:
            body.prompt_alt_tokens_k = self.alternatives
        if self.targets is not None or self.last_n is not None:
            self._add_scored(body, prompt)
        return body

    def _add_scored(self, body: models.SampleRequest, prompt: types.ModelInput) -> None:
        """Check and add the options about prompt tokens that have a logprob."""
        tokens = text_length(prompt)
        scored = None if tokens is None else tokens - 1
        if self.targets is not None:
            _check_targets(self.targets, scored)
            body.target_prompt_logprobs = self.targets.to_api()
        if self.last_n is not None:
            self._check_last_n(self.last_n, scored)
            body.prompt_logprobs_last_n = self.last_n

    def _check_last_n(self, last_n: int, scored: int | None) -> None:
        where = "prompt_logprobs_last_n"
        check_int(last_n, 1, where)
        if not self.prompt_logprobs:
            raise InvalidInputError("requires include_prompt_logprobs=True", where=where)
        if scored is not None and last_n > scored:
            raise InvalidInputError(
                f"expected at most {scored}, one for each prompt token except the first, "
                f"got {last_n}",
                where=where,
            )

    def response(
        self, sampled: SampleResult, num_samples: int, prompt_tokens: int | None
    ) -> types.SampleResponse:
        """The decoded response, checked against the request, with its sequence ids.

        `prompt_tokens` is None if only the server can count them.
        """
        response = decode_result(
            "asample", sampled.result, models.SampleResponse, types.SampleResponse.from_api
        )
        try:
            response.check(num_samples, prompt_tokens)
            scored = self.targets is not None or self.last_n is not None
            if scored or self.topk_sample or self.alternatives:
                self._check_options(response, prompt_tokens)
        except ValueError as error:
            raise misfit("asample", sampled.result, str(error)) from None
        ids = sampled.sequence_ids
        if ids is not None and len(ids) == len(response.sequences):
            response._identify_sequences(ids)
        return response

    def _check_options(self, response: types.SampleResponse, prompt_tokens: int | None) -> None:
        """Reject a result that does not fit an option of release 0.38.0, or ignores it.

        Raises:
            ValueError: naming the field or the argument.
        """
        if self.targets is not None or self.alternatives:
            self._check_tensors(response, None if prompt_tokens is None else prompt_tokens - 1)
        if self.topk_sample and any(
            sequence.tokens and sequence.topk_logprobs is None for sequence in response.sequences
        ):
            raise _option_ignored("topk_sample_logprobs")
        if self.targets is not None and response.target_prompt_logprobs is None:
            raise _option_ignored("target_prompt_logprobs")
        if self.alternatives and response.prompt_alt_tokens is None:
            raise _option_ignored("prompt_alt_tokens_k")
        if self.last_n is not None and response.prompt_logprobs is not None:
            before = response.prompt_logprobs[: -self.last_n]
            if any(logprob is not None for logprob in before):
                raise _option_ignored("prompt_logprobs_last_n")

    def _check_tensors(self, response: types.SampleResponse, scored: int | None) -> None:
        """`scored` is the number of prompt tokens that have a logprob, None if it is unknown."""
        scores, drawn = response.target_prompt_logprobs, response.prompt_alt_tokens
        if self.targets is not None and scores is not None:
            _check_shape("target_prompt_logprobs", scores, "float32", self.targets.shape)
        if self.alternatives and drawn is not None:
            shape = drawn.tokens.shape if scored is None else [scored, self.alternatives]
            _check_shape("prompt_alt_tokens.tokens", drawn.tokens, "int64", shape)
            _check_shape("prompt_alt_tokens.logprobs", drawn.logprobs, "float32", shape)


def text_length(prompt: types.ModelInput) -> int | None:
    """The number of tokens of a prompt; None if it has images, whose tokens the server counts."""
    length = 0
    for chunk in prompt.chunks:
        if not isinstance(chunk, types.EncodedTextChunk):
            return None
        length += chunk.length
    return length


def _check_shape(
    name: str, tensor: types.TensorData, dtype: types.TensorDtype, shape: list[int] | None
) -> None:
    if tensor.dtype != dtype or tensor.shape != shape:
        raise ValueError(
            f"{name}: expected {dtype} of the shape {shape}, got {tensor.dtype} of {tensor.shape}"
        )


def _check_targets(targets: types.TensorData, scored: int | None) -> None:
    where = "target_prompt_logprobs"
    if not isinstance(targets, types.TensorData):
        raise InvalidInputError(f"expected TensorData, got {type(targets).__name__}", where=where)
    if targets.dtype != "int64":
        raise InvalidInputError(f"expected dtype int64, got {targets.dtype}", where=where)
    shape = targets.shape or [targets.size]
    if len(shape) != 2 or (scored is not None and shape[0] != scored):
        rows = "one row" if scored is None else f"{scored} rows, one"
        raise InvalidInputError(
            f"expected a matrix of token ids with {rows} for each prompt token except the first; "
            f"got shape {shape}",
            where=where,
        )


def _option_ignored(name: str) -> ValueError:
    return ValueError(
        f"the server ignored {name}; it may be older than release 0.38.0, which introduced it"
    )
