"""Clients by key and samplers by model, opened on first use; and their samples."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field

from tinker_ext import errors
from tinker_ext.openai_api.bodies import Choice, Completion, SampleSpec, Token, cut, token_texts
from tinker_ext.openai_api.errors import TOKENIZER_HINT, EndpointError
from tinker_ext.redaction.secret import Secret
from tinker_ext.tokenizers import get_tokenizer
from tinker_ext.types import ModelInput, SampleResponse

if TYPE_CHECKING:
    from tinker_ext.clients.sampling import SamplingClient
    from tinker_ext.clients.service import ServiceClient

#: Keys with an open client. A further key closes a client that is not in use.
MAX_CLIENTS = 32
_SOON = {"Retry-After": "1"}


@define(eq=False)
class _Client:
    service: ServiceClient
    samplers: dict[str, asyncio.Task[SamplingClient]] = field(factory=dict)
    requests: int = 0

    async def close(self) -> None:
        await asyncio.to_thread(self.service.close, timeout=0)


class Clients:
    """The clients of all keys, for one event loop."""

    def __init__(self, open_service: Callable[[Secret | None], ServiceClient]) -> None:
        self._open_service = open_service
        self._clients: dict[str, _Client] = {}

    @asynccontextmanager
    async def client(self, key: Secret | None) -> AsyncIterator[_Client]:
        """The client of a key, which stays open while the block runs.

        Raises:
            EndpointError: 429, all clients are in use.
        """
        name = "" if key is None else key.digest
        if name not in self._clients:
            if len(self._clients) >= MAX_CLIENTS:
                unused = next((k for k, one in self._clients.items() if not one.requests), None)
                if unused is None:
                    raise EndpointError(429, "Too many keys are in use.", headers=_SOON)
                await self._clients.pop(unused).close()
            self._clients.setdefault(name, _Client(self._open_service(key)))
        client = self._clients[name]
        client.requests += 1
        try:
            yield client
        except (errors.AuthenticationError, errors.ClientClosedError, errors.SessionLostError):
            self._clients.pop(name, None)
            raise
        finally:
            client.requests -= 1
            if not client.requests and client not in self._clients.values():
                await client.close()

    @asynccontextmanager
    async def sampler(self, key: Secret | None, model: str) -> AsyncIterator[SamplingClient]:
        """The sampler of a base model's name or a checkpoint's path, shared by all requests."""
        async with self.client(key) as client:
            if model not in client.samplers:
                path, base = (model, None) if model.startswith("tinker://") else (None, model)
                opening = client.service.create_sampling_client_async(path, base)
                client.samplers[model] = asyncio.create_task(opening)
            task = client.samplers[model]
            try:
                yield await asyncio.shield(task)
            except errors.TinkerError as error:
                if task.exception() is error or isinstance(
                    error, errors.NotFoundError | errors.GoneError
                ):
                    client.samplers.pop(model, None)
                raise

    async def close(self) -> None:
        """Close all clients, which cancels pending samples."""
        clients, self._clients = self._clients, {}
        await asyncio.gather(*(client.close() for client in clients.values()))


async def complete(
    sampler: SamplingClient, spec: SampleSpec, tokenizer_id: str | None = None
) -> Completion:
    """Sample from all prompts of a request. Cancelling it cancels the samples.

    `tokenizer_id` is a folder or a hub repository; None selects the tokenizer of the base model.

    Raises:
        EndpointError: the model has no chat template, or the template rejects the messages.
        TinkerError: a sample failed; the others are cancelled. Or there is no tokenizer.
    """
    tokenizer = await _tokenizer(sampler, spec.model, tokenizer_id)
    prompts = await asyncio.to_thread(_encode, tokenizer, spec)
    ends = {*spec.stop_tokens, tokenizer.eos_token_id} - {None}
    # The API has no zero: one token is sampled and dropped if only the prompt is scored.
    limit = 1 if spec.params.max_tokens == 0 else spec.params.max_tokens
    params = evolve(spec.params, stop=spec.stop_texts or sorted(ends), max_tokens=limit)
    top = spec.top_logprobs or 0
    samples = [
        asyncio.ensure_future(
            sampler.sample(
                ModelInput.from_ints(prompt),
                spec.n,
                params,
                include_prompt_logprobs=spec.echo and spec.top_logprobs is not None,
                topk_prompt_logprobs=top if spec.echo else 0,
                topk_sample_logprobs=top,
            ).coroutine()
        )
        for prompt in prompts
    ]
    try:
        responses = await asyncio.gather(*samples)
    finally:
        for sample in samples:
            sample.cancel()
    return await asyncio.to_thread(_completion, tokenizer, spec, prompts, responses, ends)


async def _tokenizer(sampler: SamplingClient, model: str, tokenizer_id: str | None) -> Any:
    name = model if tokenizer_id is not None else await sampler.get_base_model_async()
    try:
        return await asyncio.to_thread(get_tokenizer, name, tokenizer_id)
    except errors.TinkerError as error:
        error.hint = TOKENIZER_HINT
        raise


def _encode(tokenizer: Any, spec: SampleSpec) -> list[list[int]]:
    """The token ids of the prompts, or of the chat in the template of the model."""
    if spec.messages is None:
        return [tokenizer.encode(text) if isinstance(text, str) else text for text in spec.prompts]
    if not tokenizer.chat_template:
        raise EndpointError(400, f"{spec.model} has no chat template; use completions.", "model")
    try:
        options = {"tokenize": False, "add_generation_prompt": True, **spec.template_options}
        text = tokenizer.apply_chat_template(spec.messages, **options)
    except Exception as error:  # Templates raise errors of jinja2 and their own.
        message = f"messages: the chat template of {spec.model} rejects them: {error}"
        raise EndpointError(400, message, "messages") from error
    return [tokenizer.encode(text, add_special_tokens=False)]


def _completion(
    tokenizer: Any,
    spec: SampleSpec,
    prompts: list[list[int]],
    responses: list[SampleResponse],
    ends: set[int],
) -> Completion:
    text_of = partial(tokenizer.decode, skip_special_tokens=True)
    choices: list[Choice] = []
    for prompt, response in zip(prompts, responses, strict=True):
        head = prompt if spec.echo else []
        scores = _padded(response.prompt_logprobs, head)
        rows = _padded(response.topk_prompt_logprobs, head)
        for sequence in response.sequences:
            ids = [*head, *sequence.tokens]
            none = [None] * len(sequence.tokens)
            logprobs = [*scores, *(sequence.logprobs or none)]
            top = [*rows, *(sequence.topk_logprobs or none)]
            parts = zip(ids, token_texts(text_of, ids), logprobs, top, strict=True)
            tokens = [Token(*part) for part in parts]
            sampled, stopped = cut(tokens[len(head) :], spec.stop_texts, ends)
            if spec.params.max_tokens == 0:
                sampled, stopped = [], False
            limited = sequence.stop_reason in ("length", "max_tokens")
            reason = "length" if limited and not stopped else "stop"
            choices.append(Choice(len(choices), [*tokens[: len(head)], *sampled], reason))
    asked, cached = (
        sum(map(len, prompts)),
        sum(response.prompt_cache_hit_tokens for response in responses),
    )
    count = sum(len(sequence.tokens) for response in responses for sequence in response.sequences)
    usage = {"prompt_tokens": asked, "completion_tokens": count, "total_tokens": asked + count}
    details = {"prompt_tokens_details": {"cached_tokens": cached}}
    return Completion(spec, choices, {**usage, **details}, tokenizer.decode)


def _padded(values: Sequence[Any] | None, prompt: list[int]) -> list[Any]:
    """One value per prompt token; servers may leave out that of the first token."""
    values = list(values or ())[: len(prompt)]
    return [*[None] * (len(prompt) - len(values)), *values]
