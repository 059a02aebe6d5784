"""Sampling from saved weights or a base model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from tinker_api import models

from tinker_ext import tracing, types
from tinker_ext.clients.reading import Body, read
from tinker_ext.errors import APIResponseValidationError, GoneError, InvalidInputError
from tinker_ext.runtime.sequence import SampleNumbers
from tinker_ext.types.absent import known

if TYPE_CHECKING:
    from tinker_ext.runtime.core import ClientCore
    from tinker_ext.runtime.futures import APIFuture

# How often a sample whose result the server has lost (410) is made anew.
GONE_LIMIT = 3


class SamplingClient:
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

    def __init__(
        self,
        core: ClientCore,
        sampling_session_id: str,
        *,
        model_path: str | None = None,
        base_model: str | None = None,
        elsewhere: bool = False,
    ) -> None:
        self._core = core
        self._numbers = SampleNumbers(elsewhere=elsewhere)
        self._base_model = base_model
        self.sampling_session_id = sampling_session_id
        self.model_path = model_path

    def sample(
        self,
        prompt: types.ModelInput,
        num_samples: int,
        sampling_params: types.SamplingParams,
        include_prompt_logprobs: bool = False,
        topk_prompt_logprobs: int = 0,
    ) -> APIFuture[types.SampleResponse]:
        """Sample `num_samples` continuations of `prompt`.

        With `include_prompt_logprobs` the result has a logprob for each prompt token, None where
        there is none (the first); with `topk_prompt_logprobs` also that many most likely tokens at
        each position.

        Raises:
            InvalidInputError: at once, naming the argument; nothing was sent.
        """
        with tracing.operation("sample") as traced:
            with tracing.stage(tracing.Stage.ENCODE):
                body = self._request(
                    prompt,
                    num_samples,
                    sampling_params,
                    include_prompt_logprobs,
                    topk_prompt_logprobs,
                )
            if traced.active:
                traced.set(self._described(body, prompt.length))
            return self._core.start(self._sample(body), _response)

    async def sample_async(
        self,
        prompt: types.ModelInput,
        num_samples: int,
        sampling_params: types.SamplingParams,
        include_prompt_logprobs: bool = False,
        topk_prompt_logprobs: int = 0,
    ) -> types.SampleResponse:
        return await self.sample(
            prompt, num_samples, sampling_params, include_prompt_logprobs, topk_prompt_logprobs
        )

    def compute_logprobs(self, prompt: types.ModelInput) -> APIFuture[list[float | None]]:
        """The logprob of each token of `prompt` given those before it; None for the first."""
        params = types.SamplingParams(max_tokens=1)
        sampled = self.sample(prompt, 1, params, include_prompt_logprobs=True)
        return sampled.map(lambda response: response.prompt_logprobs or [])

    async def compute_logprobs_async(self, prompt: types.ModelInput) -> list[float | None]:
        return await self.compute_logprobs(prompt)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (
            self._core,
            self.sampling_session_id,
            self.model_path,
            self._base_model,
        )

    def __repr__(self) -> str:
        return f"<SamplingClient {self.model_path or self._base_model or self.sampling_session_id}>"

    def _request(
        self,
        prompt: types.ModelInput,
        num_samples: int,
        sampling_params: types.SamplingParams,
        include_prompt_logprobs: bool,
        topk_prompt_logprobs: int,
    ) -> models.SampleRequest:
        if not prompt.length:
            raise InvalidInputError("the prompt has no tokens", where="prompt")
        if num_samples < 1:
            raise InvalidInputError(f"expected 1 or more, got {num_samples}", where="num_samples")
        if topk_prompt_logprobs < 0:
            raise InvalidInputError(
                f"expected 0 or more, got {topk_prompt_logprobs}", where="topk_prompt_logprobs"
            )
        return models.SampleRequest(
            prompt=prompt.to_api(),
            sampling_params=sampling_params.to_api(),
            num_samples=num_samples,
            sampling_session_id=self.sampling_session_id,
            prompt_logprobs=include_prompt_logprobs,
            topk_prompt_logprobs=topk_prompt_logprobs,
        )

    def _described(self, body: models.SampleRequest, prompt_tokens: int) -> tracing.Attributes:
        return tracing.of_sample(
            self.model_path or self._base_model,
            prompt_tokens=prompt_tokens,
            num_samples=known(body.num_samples) or 1,
            params=body.sampling_params.to_dict(),
        )

    async def _sample(self, body: models.SampleRequest) -> Body:
        for attempt in range(1, GONE_LIMIT + 1):
            # One number for all attempts to submit it; a new request takes a new one.
            body.seq_id = self._numbers.next()
            tracing.note_id(tracing.SEQ_ID, body.seq_id)
            self._core.session.check()
            async with self._core.sampling_budget.reserve(1):
                future = await self._core.call("asample", lambda one: one.asample(body))
                request_id = str(future.request_id)  # Some servers number them.
                tracing.note_id(tracing.REQUEST_ID, request_id)
                try:
                    result = await self._core.poller.wait(request_id, operation="asample")
                except GoneError:
                    if attempt == GONE_LIMIT:
                        raise
                else:
                    tracing.sampled(result)
                    return result
        raise AssertionError("unreachable")


def _restored(
    core: ClientCore, session_id: str, model_path: str | None, base_model: str | None
) -> SamplingClient:
    return SamplingClient(
        core, session_id, model_path=model_path, base_model=base_model, elsewhere=True
    )


async def open_sampling_session(
    core: ClientCore, *, model_path: str | None = None, base_model: str | None = None
) -> str:
    """Have the server load weights for sampling; the id of the sampling session."""
    session_id = await core.session.id()
    body = models.CreateSamplingSessionRequest(
        session_id=session_id, sampling_session_seq_id=core.session.next_sampling_seq_id()
    )
    if model_path is not None:
        body.model_path = model_path
    if base_model is not None:
        body.base_model = base_model
    answer = await core.call(
        "create_sampling_session", lambda gateway: gateway.create_sampling_session(body)
    )
    made = known(answer.sampling_session_id)
    if made is None and (request_id := known(answer.request_id)) is not None:
        # Some servers answer with a future.
        result = await core.poller.wait(str(request_id), operation="create_sampling_session")
        made = result.get("sampling_session_id")
    if not isinstance(made, str):
        raise APIResponseValidationError(
            "the answer names no sampling session", operation="create_sampling_session"
        )
    return made


def check_source(model_path: str | None, base_model: str | None) -> None:
    """Refuse a source of weights that can't be."""
    if model_path is None and base_model is None:
        raise InvalidInputError("give a model_path or a base_model", where="model_path")
    if model_path is not None and not model_path.startswith("tinker://"):
        raise InvalidInputError(
            f"expected a tinker:// path, got {model_path!r}", where="model_path"
        )


def _response(body: Body) -> types.SampleResponse:
    return read("asample", body, models.SampleResponse, types.SampleResponse.from_api)
