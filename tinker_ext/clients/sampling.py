"""Sampling from saved weights or a base model."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from tinker_api import models

from tinker_ext import tracing, types
from tinker_ext.clients._sampling_base import SamplingClientBase
from tinker_ext.clients.argument_checks import check_int
from tinker_ext.clients.sample_request import SampleOptions, SampleResult, text_length
from tinker_ext.clients.sampling_session import check_source, open_sampling_session
from tinker_ext.errors import APIResponseValidationError, GoneError, InvalidInputError
from tinker_ext.rules.limits import prompt_bytes
from tinker_ext.transport.results import FetchedResult
from tinker_ext.types.unset import or_none

if TYPE_CHECKING:
    from tinker_ext.runtime.concurrency.futures import APIFuture
    from tinker_ext.runtime.core import ClientCore

# How often a sample whose result the server has lost (410) is made anew.
GONE_LIMIT = 3


class SamplingClient(SamplingClientBase):
    """Samples from one set of weights. Make it with `ServiceClient.create_sampling_client` or
    `TrainingClient.save_weights_and_get_sampling_client`.

    Any number of samples may be asked for at once; the client keeps no more in submission than the
    configuration allows, and all of them wait together when the server says it is too much.

    It pickles, without the key: a worker process takes its own from its environment and samples
    from the same weights for as long as the session lives that made them. A copy within a process
    is the client itself.

    Example:
        >>> prompt = ModelInput.from_ints(tokenizer.encode("hello"))
        >>> sampler.sample(prompt, 1, SamplingParams(max_tokens=32)).result().sequences[0].tokens
    """

    def sample(
        self,
        prompt: types.ModelInput,
        num_samples: int,
        sampling_params: types.SamplingParams,
        include_prompt_logprobs: bool = False,
        topk_prompt_logprobs: int = 0,
        topk_sample_logprobs: int = 0,
        target_prompt_logprobs: types.TensorData | None = None,
        prompt_alt_tokens_k: int = 0,
        prompt_logprobs_last_n: int | None = None,
    ) -> APIFuture[types.SampleResponse]:
        """Sample `num_samples` continuations of `prompt`.

        With `include_prompt_logprobs` the result has a logprob for each prompt token, None where
        there is none (the first); with `topk_prompt_logprobs` also that many most likely tokens at
        each position. Only servers of release 0.38.0 know the rest:

        Args:
            topk_sample_logprobs: that many most likely tokens at each sampled position.
            target_prompt_logprobs: int64 token ids, K for each prompt token but the first, to be
                told the logprobs of; -1 asks for nothing.
            prompt_alt_tokens_k: draw that many other tokens for each prompt token but the first.
            prompt_logprobs_last_n: tell the prompt logprobs of the last so many tokens only, at
                most all but the first.

        Raises:
            InvalidInputError: at once, naming the argument; nothing was sent.
            APIResponseValidationError: from the future; the result does not fit the request, or the
                server passed over what was asked.
        """
        wanted = SampleOptions(
            prompt_logprobs=include_prompt_logprobs,
            topk_prompt=topk_prompt_logprobs,
            topk_sample=topk_sample_logprobs,
            targets=target_prompt_logprobs,
            alternatives=prompt_alt_tokens_k,
            last_n=prompt_logprobs_last_n,
        )
        with tracing.operation("sample") as traced:
            with tracing.stage(tracing.Stage.ENCODE):
                body = self._request(prompt, num_samples, sampling_params, wanted)
            if traced.active:
                traced.set(self._described(body, prompt.known_length))
            sampling, tokens = self._sample(body, prompt_bytes(prompt)), text_length(prompt)
            return self._core.start(
                sampling,
                lambda sample: sample.response(wanted, num_samples, tokens),
                cancel_unawaited=True,
            )

    async def sample_async(
        self,
        prompt: types.ModelInput,
        num_samples: int,
        sampling_params: types.SamplingParams,
        include_prompt_logprobs: bool = False,
        topk_prompt_logprobs: int = 0,
        topk_sample_logprobs: int = 0,
        target_prompt_logprobs: types.TensorData | None = None,
        prompt_alt_tokens_k: int = 0,
        prompt_logprobs_last_n: int | None = None,
    ) -> types.SampleResponse:
        return await self.sample(
            prompt,
            num_samples,
            sampling_params,
            include_prompt_logprobs,
            topk_prompt_logprobs,
            topk_sample_logprobs,
            target_prompt_logprobs,
            prompt_alt_tokens_k,
            prompt_logprobs_last_n,
        )

    def compute_logprobs(
        self, prompt: types.ModelInput, prompt_logprobs_last_n: int | None = None
    ) -> APIFuture[list[float | None]]:
        """The logprob of each token of `prompt` given those before it; None for the first.

        With `prompt_logprobs_last_n` None for all but the last so many (release 0.38.0).

        Raises:
            APIResponseValidationError: from the future; the result has no logprobs of the prompt.
        """
        sampled = self.sample(
            prompt,
            1,
            types.SamplingParams(max_tokens=1),
            include_prompt_logprobs=True,
            prompt_logprobs_last_n=prompt_logprobs_last_n,
        )
        return sampled.map(_scored)

    async def compute_logprobs_async(
        self, prompt: types.ModelInput, prompt_logprobs_last_n: int | None = None
    ) -> list[float | None]:
        return await self.compute_logprobs(prompt, prompt_logprobs_last_n)

    def __repr__(self) -> str:
        return f"<SamplingClient {self.model_path or self._base_model or self.sampling_session_id}>"

    def _request(
        self,
        prompt: types.ModelInput,
        num_samples: int,
        sampling_params: types.SamplingParams,
        wanted: SampleOptions,
    ) -> models.SampleRequest:
        types.validate_prompt(prompt, images=self._core.dialect.images)
        check_int(num_samples, 1, "num_samples")
        if not isinstance(sampling_params, types.SamplingParams):
            raise InvalidInputError(
                f"expected SamplingParams, got {type(sampling_params).__name__}",
                where="sampling_params",
            )
        wanted.check(prompt)
        body = models.SampleRequest(
            prompt=prompt.to_api(),
            sampling_params=sampling_params.to_api(),
            num_samples=num_samples,
            sampling_session_id=self.sampling_session_id,
        )
        wanted.apply_to(body)
        if self._record_stability_info:
            body.record_stability_info = True
        return body

    def _described(self, body: models.SampleRequest, prompt_tokens: int) -> tracing.Attributes:
        return tracing.sample_attributes(
            self.model_path or self._base_model,
            prompt_tokens=prompt_tokens,
            num_samples=or_none(body.num_samples) or 1,
            params=body.sampling_params,
        )

    async def _sample(self, body: models.SampleRequest, size: int) -> SampleResult:
        """`size` is about that of its prompt, in bytes."""
        for attempt in range(1, GONE_LIMIT + 1):
            # One number for all attempts to submit it; a new request takes a new one.
            body.seq_id = await self._member.next_seq_id()
            tracing.append_id(tracing.SEQ_ID, body.seq_id)
            self._core.session.check()
            async with self._core.limits.samples.reserve(1):
                future = await self._submit(body, size)
                request_id = str(future.request_id)  # Some servers number them.
                tracing.append_id(tracing.REQUEST_ID, request_id)
                try:
                    result = await self._member.result(request_id)
                except GoneError:
                    if attempt == GONE_LIMIT:
                        raise
                else:
                    tracing.record_usage(result)
                    fetched = FetchedResult(result, request_id)
                    return SampleResult(fetched, or_none(future.sample_sequence_ids))
        raise AssertionError("unreachable")

    async def _submit(self, body: models.SampleRequest, size: int) -> models.UntypedAPIFuture:
        async with self._core.limits.sample_bytes.reserve(size):
            return await self._core.call("asample", lambda gateway: gateway.asample(body))


def _scored(response: types.SampleResponse) -> list[float | None]:
    if response.prompt_logprobs is None:
        raise APIResponseValidationError(
            "prompt_logprobs: expected a list, one entry for each prompt token, got none",
            operation="asample",
        )
    return response.prompt_logprobs


#: Release 0.38.0's name of a client that is being made; here it is a future of itself.
BackcompatSamplingClientFuture: TypeAlias = SamplingClient


def open_sampling_client(
    core: ClientCore,
    *,
    model_path: str | None = None,
    base_model: str | None = None,
    record_stability_info: bool = False,
) -> APIFuture[SamplingClient]:
    """A client on saved weights or on a base model, once the server has opened them.

    Raises:
        InvalidInputError: neither is given, or `model_path` is no `tinker://` path.
    """
    check_source(model_path, base_model)
    with tracing.operation(
        "create_sampling_session", tracing.model_attributes(model_path or base_model)
    ):
        return core.start(
            open_sampling_session(core, model_path=model_path, base_model=base_model),
            lambda session_id: SamplingClient(
                core,
                session_id,
                model_path=model_path,
                base_model=base_model,
                record_stability_info=record_stability_info,
            ),
        )
