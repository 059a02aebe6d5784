"""What may be asked of a sample: checked before it is sent, and the answer held to it."""

from __future__ import annotations

from attrs import evolve, frozen
from tinker_api import models

from tinker_ext import types
from tinker_ext.clients.argument_checks import check_bool, check_int
from tinker_ext.clients.result_decoding import ResultBody, decode_result, misfit
from tinker_ext.errors import InvalidInputError


@frozen(kw_only=True)
class SampleOptions:
    """What to tell of the prompt and of the samples, beside tokens and their logprobs.

    The first two are release 0.4.1's. The others came with 0.38.0 and are sent only where they
    are asked for; a server that does not know them may answer as if nothing was asked.
    """

    prompt_logprobs: bool = False
    topk_prompt: int = 0
    topk_sample: int = 0
    targets: types.TensorData | None = None
    alternatives: int = 0
    last_n: int | None = None

    def check(self, prompt: types.ModelInput) -> None:
        """Refuse what no server can answer.

        Raises:
            InvalidInputError: naming the argument.
        """
        check_bool(self.prompt_logprobs, "include_prompt_logprobs")
        check_int(self.topk_prompt, 0, "topk_prompt_logprobs")
        check_int(self.topk_sample, 0, "topk_sample_logprobs")
        check_int(self.alternatives, 0, "prompt_alt_tokens_k")
        tokens = text_length(prompt)
        scored = None if tokens is None else tokens - 1
        if self.targets is not None:
            _check_targets(self.targets, scored)
        if self.last_n is not None:
            self._check_last_n(self.last_n, scored)

    def _check_last_n(self, last_n: int, scored: int | None) -> None:
        where = "prompt_logprobs_last_n"
        check_int(last_n, 1, where)
        if not self.prompt_logprobs:
            raise InvalidInputError("it needs include_prompt_logprobs=True", where=where)
        if scored is not None and last_n > scored:
            raise InvalidInputError(
                f"expected at most {scored}, one for each prompt token but the first, got {last_n}",
                where=where,
            )

    def apply_to(self, body: models.SampleRequest) -> None:
        """Ask for it."""
        body.prompt_logprobs = self.prompt_logprobs
        body.topk_prompt_logprobs = self.topk_prompt
        if self.topk_sample:
            body.topk_sample_logprobs = self.topk_sample
        if self.targets is not None:
            body.target_prompt_logprobs = self.targets.to_api()
        if self.alternatives:
            body.prompt_alt_tokens_k = self.alternatives
        if self.last_n is not None:
            body.prompt_logprobs_last_n = self.last_n

    def check_response(
        self, response: types.SampleResponse, num_samples: int, prompt_tokens: int | None
    ) -> None:
        """Refuse a result that does not fit its request, or passes over a later release's option.

        Raises:
            ValueError: naming the field or the argument.
        """
        response.check(num_samples, prompt_tokens)
        self._check_tensors(response, None if prompt_tokens is None else prompt_tokens - 1)
        untold = any(one.tokens and one.topk_logprobs is None for one in response.sequences)
        if self.topk_sample and untold:
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


@frozen
class SampleResult:
    """A result's body, and the names that the submission gave its sequences, if any."""

    result: ResultBody
    sequence_ids: list[str] | None

    def response(
        self, wanted: SampleOptions, num_samples: int, prompt_tokens: int | None
    ) -> types.SampleResponse:
        """The result, which must have what was wanted, its sequences named.

        `prompt_tokens` is None if only the server knows it.
        """
        response = decode_result(
            "asample", self.result, models.SampleResponse, types.SampleResponse.from_api
        )
        try:
            wanted.check_response(response, num_samples, prompt_tokens)
        except ValueError as error:
            raise misfit("asample", self.result, str(error)) from None
        if self.sequence_ids is None or len(self.sequence_ids) != len(response.sequences):
            return response
        named = [
            evolve(one, sequence_id=name)
            for one, name in zip(response.sequences, self.sequence_ids, strict=True)
        ]
        return evolve(response, sequences=named)


def text_length(prompt: types.ModelInput) -> int | None:
    """The number of a prompt's tokens; None if it has images, whose tokens the server counts."""
    text_only = all(isinstance(chunk, types.EncodedTextChunk) for chunk in prompt.chunks)
    return prompt.length if text_only else None


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
        raise InvalidInputError(f"token ids are int64, not {targets.dtype}", where=where)
    shape = targets.shape or [targets.size]
    if len(shape) != 2 or (scored is not None and shape[0] != scored):
        rows = "one" if scored is None else f"{scored} of them: one"
        raise InvalidInputError(
            f"expected rows of token ids, {rows} for each prompt token but the first; "
            f"got the shape {shape}",
            where=where,
        )


def _option_ignored(name: str) -> ValueError:
    return ValueError(
        f"{name} was asked for, and the answer passes over it; "
        "the server may be older than release 0.38.0, which brought it"
    )
