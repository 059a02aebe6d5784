"""Sampling from saved weights or a base model."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from tinker_api import models

from tinker_ext import tracing, types
from tinker_ext.clients.argument_checks import check_bool, check_int
from tinker_ext.clients.client_base import (
    AwaitableClient,
    ClientHolder,
    OfficialMembers,
    async_result,
)
from tinker_ext.clients.retry_config import RetryConfig, SampleLimiter, check_retry_config
from tinker_ext.clients.sample_request import SampleOptions, SampleResult, text_length
from tinker_ext.clients.sampling_session import (
    SamplerHandle,
    check_source,
    find_base_model,
    open_sampling_session,
)
from tinker_ext.config import ClientConfig, hide_values
from tinker_ext.errors import APIResponseValidationError, GoneError, InvalidInputError, TinkerError
from tinker_ext.rules.limits import prompt_bytes
from tinker_ext.runtime.concurrency.as_completed import AwaitableConcurrentFuture
from tinker_ext.runtime.concurrency.futures import APIFuture
from tinker_ext.runtime.core import ClientCore, read_request_id, unpickled_core
from tinker_ext.runtime.submission.sampler_sequence import SamplerSequence
from tinker_ext.transport import operations
from tinker_ext.transport.response import FetchedResult
from tinker_ext.usage import Usage, UsageCounter

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from tinker_ext.clients.sample_many import ProgressCallback, SampleStream

# How often a sample is requested if the server loses its result (410).
GONE_LIMIT = 3


class SamplingClient(OfficialMembers, AwaitableClient):
    """Samples from one set of weights. Create it with `ServiceClient.create_sampling_client` or
    `TrainingClient.save_weights_and_get_sampling_client`.

    Any number of samples may be requested at once; the client limits how many are in flight to the
    configured number, and pauses all of them together when the server reports overload.

    The client can be pickled, without the API key: a worker process takes its own key from its
    environment and samples from the same weights as long as the session that created them exists.
    Copying the client within a process returns the same object.

    Example:
        >>> prompt = ModelInput.from_ints(tokenizer.encode("hello"))
        >>> sampler.sample(prompt, 1, SamplingParams(max_tokens=32)).result().sequences[0].tokens
    """

    def __init__(
        self,
        core: ClientCore,
        sampling_session_id: str,
        *,
        model_path: str | None = None,
        base_model: str | None = None,
        record_stability_info: bool = False,
        retry_config: RetryConfig | None = None,
        elsewhere: bool = False,
    ) -> None:
        """`elsewhere`: another process opened the sampling session."""
        self._core = core
        self._retry_config = retry_config
        self._limiter = None if retry_config is None else SampleLimiter(retry_config)
        self._sequence = SamplerSequence(core, sampling_session_id, elsewhere=elsewhere)
        self._base_model = base_model
        self._record_stability_info = record_stability_info
        self._usage = UsageCounter(core.usage)
        self.sampling_session_id = sampling_session_id
        self.model_path = model_path

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

        With `include_prompt_logprobs` the result has a logprob for each prompt token, None for a
        token without one (the first); `topk_prompt_logprobs` adds that many most likely tokens at
        each position. Only servers of release 0.38.0 support the other options:

        Args:
            topk_sample_logprobs: that many most likely tokens at each sampled position.
            target_prompt_logprobs: int64 token ids whose logprobs to return, K for each prompt
                token but the first; -1 requests none.
            prompt_alt_tokens_k: draw that many other tokens for each prompt token but the first.
            prompt_logprobs_last_n: return only the last n prompt logprobs, at most all but the
                first.

        Raises:
            InvalidInputError: at once, naming the argument; nothing was sent.
            APIResponseValidationError: from the future; the result does not fit the request, or the
                server ignored an option.
        """
        options = SampleOptions(
            prompt_logprobs=include_prompt_logprobs,
            topk_prompt=topk_prompt_logprobs,
            topk_sample=topk_sample_logprobs,
            targets=target_prompt_logprobs,
            alternatives=prompt_alt_tokens_k,
            last_n=prompt_logprobs_last_n,
        )
        try:
            with tracing.operation("sample") as traced:
                with tracing.stage(tracing.Stage.ENCODE):
                    images = self._core.protocol.sample_images
                    types.validate_prompt(prompt, images=images)
                    if not isinstance(sampling_params, types.SamplingParams):
                        raise _not_params(sampling_params)
                    body = options.request(
                        prompt, num_samples, sampling_params, self.sampling_session_id
                    )
                    if self._record_stability_info:
                        body.record_stability_info = True
                if traced.active:
                    traced.set(self._attributes(body, prompt.known_length))
                sample = self._sample if self._limiter is None else self._sample_limited
                sampling, tokens = sample(body, prompt_bytes(prompt)), text_length(prompt)
                return self._core.start(
                    sampling,
                    partial(self._response, options, num_samples, tokens, prompt),
                    cancel_unawaited=True,
                )
        except TinkerError as error:
            error.__traceback__ = None  # It then ends at the caller's line.
            raise

    sample_async = async_result(sample)

    def sample_many(
        self,
        prompts: Iterable[types.ModelInput],
        sampling_params: types.SamplingParams,
        num_samples: int = 1,
        *,
        ordered: bool = True,
        progress: ProgressCallback | None = None,
        save_to: str | os.PathLike[str] | None = None,
        max_in_flight: int | None = None,
        max_failures: int | None = None,
        include_prompt_logprobs: bool = False,
        topk_prompt_logprobs: int = 0,
        topk_sample_logprobs: int = 0,
    ) -> SampleStream:
        """Sample from each of `prompts`, which may be an iterator of any length.

        Iterate over the returned object with `for` or, without blocking the event loop, with
        `async for`. Each item is a `SampleOutcome` with either the response or the error of one
        prompt, so a failure does not affect other prompts. At most `max_in_flight` prompts and
        results are in memory. An error that all prompts would have (AuthenticationError,
        SessionLostError, ClientClosedError, ConfigurationError), or one that `prompts` raises, ends
        the iteration after the results of the requests in flight.

        Args:
            prompts: taken one by one while earlier ones are sampled.
            sampling_params, num_samples: as for `sample`, the same for all prompts.
            ordered: return outcomes in the order of `prompts`, else in the order of completion.
            progress: called with a `SampleProgress` after each prompt, on the iterating thread.
            save_to: a JSONL file to which results are appended. A later call with the same file
                returns the stored results and samples only the missing and failed prompts.
            max_in_flight: by default `max_samples_in_flight` of the client (400).
            max_failures: raise the error of the first failure beyond this number.
            include_prompt_logprobs, topk_prompt_logprobs, topk_sample_logprobs: as for `sample`.

        Raises:
            InvalidInputError: at once, if an argument is invalid, or the file has results of other
                prompts or parameters; while iterating over an iterator, once a prompt differs from
                that of the file. An invalid prompt is a failure of that prompt.
            OSError: the file can't be read or written.

        Example:
            >>> for outcome in sampler.sample_many(prompts, params, save_to="samples.jsonl"):
            ...     print(outcome.index, outcome.result().sequences[0].tokens)
        """
        from tinker_ext.clients.sample_many import SampleStream

        check_int(num_samples, 1, "num_samples")
        if not isinstance(sampling_params, types.SamplingParams):
            raise _not_params(sampling_params)
        check_bool(include_prompt_logprobs, "include_prompt_logprobs")
        check_int(topk_prompt_logprobs, 0, "topk_prompt_logprobs")
        check_int(topk_sample_logprobs, 0, "topk_sample_logprobs")
        if max_in_flight is not None:
            check_int(max_in_flight, 1, "max_in_flight")
        if max_failures is not None:
            check_int(max_failures, 0, "max_failures")
        call = {
            "model": self.model_path or self._base_model,
            "num_samples": num_samples,
            "sampling_params": sampling_params.model_dump(mode="json"),
            "include_prompt_logprobs": include_prompt_logprobs,
            "topk_prompt_logprobs": topk_prompt_logprobs,
            "topk_sample_logprobs": topk_sample_logprobs,
        }

        def sample(prompt: types.ModelInput) -> APIFuture[types.SampleResponse]:
            return self.sample(
                prompt,
                num_samples,
                sampling_params,
                include_prompt_logprobs=include_prompt_logprobs,
                topk_prompt_logprobs=topk_prompt_logprobs,
                topk_sample_logprobs=topk_sample_logprobs,
            )

        return SampleStream(
            sample,
            prompts,
            ordered=ordered,
            window=max_in_flight or self._core.config.max_samples_in_flight,
            progress=progress,
            max_failures=max_failures,
            save_to=save_to,
            call=call,
        )

    def compute_logprobs(
        self, prompt: types.ModelInput, prompt_logprobs_last_n: int | None = None
    ) -> APIFuture[list[float | None]]:
        """The logprob of each token of `prompt` given the preceding ones; None for the first.

        With `prompt_logprobs_last_n`, None for all but the last n tokens (release 0.38.0).

        Raises:
            APIResponseValidationError: from the future; the result has no prompt logprobs.
        """
        sampled = self.sample(
            prompt,
            1,
            types.SamplingParams(max_tokens=1),
            include_prompt_logprobs=True,
            prompt_logprobs_last_n=prompt_logprobs_last_n,
        )
        return sampled.map(_prompt_logprobs)

    compute_logprobs_async = async_result(compute_logprobs)

    def usage(self) -> Usage:
        """The tokens of the prompts and samples whose results were retrieved from this client.

        `Usage.cost` is the cost for a price; `tinker_ext.usage` estimates it before a run.
        """
        return self._usage.read()

    def get_base_model(self) -> str:
        """The name of the base model; requested from the server at most once."""
        return self._future_base_model().result() if self._base_model is None else self._base_model

    @staticmethod
    def create(
        holder: ClientHolder,
        *,
        model_path: str | None = None,
        base_model: str | None = None,
        sampling_session_id: str | None = None,
        retry_config: RetryConfig | None = None,
        record_stability_info: bool = False,
    ) -> APIFuture[SamplingClient]:
        """A client over the connection of another one (`client.holder`).

        A method of the official SDK; `ServiceClient.create_sampling_client` does the same. With a
        `sampling_session_id`, the client joins that session.
        """
        if sampling_session_id is None:
            return open_sampling_client(
                holder.core,
                model_path=model_path,
                base_model=base_model,
                retry_config=retry_config,
                record_stability_info=record_stability_info,
            )
        check_retry_config(retry_config)
        client = SamplingClient(
            holder.core,
            sampling_session_id,
            model_path=model_path,
            base_model=base_model,
            record_stability_info=record_stability_info,
            retry_config=retry_config,
            elsewhere=True,
        )
        return AwaitableConcurrentFuture(client.future())

    async def get_base_model_async(self) -> str:
        """As `get_base_model`, awaited."""
        return await self._future_base_model()

    def get_tokenizer(self) -> PreTrainedTokenizerBase:
        """The tokenizer of the base model, loaded by transformers.

        Raises:
            TinkerError: it could not be loaded; the message lists the sources that were tried.
        """
        from tinker_ext.tokenizers import get_tokenizer

        return get_tokenizer(self.get_base_model())

    async def get_tokenizer_async(self) -> PreTrainedTokenizerBase:
        """As `get_tokenizer`, loaded on a worker thread."""
        from tinker_ext.tokenizers import get_tokenizer

        return await asyncio.to_thread(get_tokenizer, await self._future_base_model())

    def get_sampler_handle(self) -> str:
        """A text from which `from_sampler_handle` creates a client for the same weights.

        It is meant for other processes, like a pickle. It contains no key and is valid as long as
        the session of this client exists.
        """
        config, key_file = self._core.portable()
        if config.is_embedded:
            raise InvalidInputError(
                "the embedded backend has not started yet; call sample() once first", where="handle"
            )
        handle = SamplerHandle(
            base_url=config.base_url,
            key_file=None if key_file is None else str(key_file),
            sampling_session_id=self.sampling_session_id,
            model_path=self.model_path,
            base_model=self._base_model,
            record_stability_info=self._record_stability_info,
        )
        return handle.encode()

    @classmethod
    def from_sampler_handle(cls, handle: str, *, api_key: str | None = None) -> Self:
        """A client for the weights of a handle, with `api_key` or the key of this process.

        The key is sent to the server that the handle names, so only accept handles from a source
        you trust.

        Raises:
            InvalidInputError: it is not a handle.
        """
        explicit = hide_values({"api_key": api_key})
        del api_key  # A traceback with variables would show it.
        decoded = SamplerHandle.decode(handle)
        config = ClientConfig.resolve(require_key=False, base_url=decoded.base_url, **explicit)
        return cls(
            unpickled_core(config, None if decoded.key_file is None else Path(decoded.key_file)),
            decoded.sampling_session_id,
            model_path=decoded.model_path,
            base_model=decoded.base_model,
            record_stability_info=decoded.record_stability_info,
            elsewhere=True,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        restore = partial(
            type(self),
            model_path=self.model_path,
            base_model=self._base_model,
            record_stability_info=self._record_stability_info,
            retry_config=self._retry_config,
            elsewhere=True,
        )
        return restore, (self._core, self.sampling_session_id)

    def __repr__(self) -> str:
        return f"<SamplingClient {self.model_path or self._base_model or self.sampling_session_id}>"

    def _response(
        self,
        options: SampleOptions,
        num_samples: int,
        tokens: int | None,
        prompt: types.ModelInput,
        sampled_result: SampleResult,
    ) -> types.SampleResponse:
        """Decode a result and count its tokens; `tokens` are those of a prompt without images."""
        response = options.response(sampled_result, num_samples, tokens)
        prompt_tokens = tokens or prompt.known_length
        sampled = 0
        for sequence in response.sequences:
            sampled += len(sequence._tokens)  # Without a conversion to a list.
        cached = response.prompt_cache_hit_tokens or 0
        self._usage.add(
            samples=1,
            prompt_tokens=prompt_tokens,
            cached_prompt_tokens=min(cached, prompt_tokens),
            sampled_tokens=sampled,
        )
        return response

    def _attributes(self, body: models.SampleRequest, prompt_tokens: int) -> tracing.Attributes:
        return tracing.sample_attributes(
            self.model_path or self._base_model,
            prompt_tokens=prompt_tokens,
            num_samples=body.num_samples or 1,
            params=body.sampling_params,
        )

    async def _sample_limited(self, body: models.SampleRequest, size: int) -> SampleResult:
        assert self._limiter is not None
        async with self._limiter.admit():
            return await self._sample(body, size)

    async def _sample(self, body: models.SampleRequest, size: int) -> SampleResult:
        """Send a request and fetch its result; `size` is the approximate size of its prompt."""
        config = self._retry_config
        limit = GONE_LIMIT if config is None or config.enable_retry_logic else 1
        traced = tracing.observed_operation.get()
        for attempt in range(1, limit + 1):
            # Every submission of one request has the same number; a new request has a new one.
            body.seq_id = await self._sequence.next_seq_id()
            if traced is not None:
                traced.append(tracing.SEQ_ID, body.seq_id)
            if self._core.session.lost is not None:
                self._core.session.check()
            samples = self._core.limits.samples
            if not samples.take_now(1):
                await samples.take(1)
            try:
                future = await self._submit(body, size)
                request_id = future.request_id
                if type(request_id) is not str:
                    request_id = read_request_id("asample", request_id)
                if traced is not None:
                    traced.append(tracing.REQUEST_ID, request_id)
                try:
                    result = await self._sequence.result(request_id)
                except GoneError:
                    if attempt == limit:
                        raise
                else:
                    if traced is not None:
                        tracing.record_usage(traced, result)
                    fetched = FetchedResult(result, request_id)
                    return SampleResult(fetched, future.sample_sequence_ids or None)
            finally:
                samples.give(1)
        raise AssertionError("unreachable")

    async def _submit(self, body: models.SampleRequest, size: int) -> models.UntypedAPIFuture:
        budget, config = self._core.limits.sample_bytes, self._retry_config
        if not budget.take_now(size):
            await budget.take(size)
        try:
            return await self._core.call(
                operations.asample(body=body), adjust=None if config is None else config.policy
            )
        finally:
            budget.give(size)

    def _future_base_model(self) -> APIFuture[str]:
        return self._core.start(self._find_base_model(), str)

    async def _find_base_model(self) -> str:
        if self._base_model is None:
            self._base_model = await find_base_model(
                self._core, self.sampling_session_id, self.model_path
            )
        return self._base_model


#: Release 0.38.0's name of a client that is still being created; here the client is a future.
BackcompatSamplingClientFuture: TypeAlias = SamplingClient


def open_sampling_client(
    core: ClientCore,
    *,
    model_path: str | None = None,
    base_model: str | None = None,
    record_stability_info: bool = False,
    retry_config: RetryConfig | None = None,
) -> APIFuture[SamplingClient]:
    """A client for saved weights or a base model, once the server has loaded them.

    Raises:
        InvalidInputError: neither is given, or `model_path` is not a path.
    """
    check_retry_config(retry_config)
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
                retry_config=retry_config,
            ),
        )


def _not_params(value: object) -> InvalidInputError:
    return InvalidInputError(
        f"expected SamplingParams, got {type(value).__name__}", where="sampling_params"
    )


def _prompt_logprobs(response: types.SampleResponse) -> list[float | None]:
    if response.prompt_logprobs is None:
        raise APIResponseValidationError(
            "prompt_logprobs: expected a list with one entry per prompt token, got none",
            operation="asample",
        )
    return response.prompt_logprobs
