"""Patterns of programs that sample: evaluations, judges, distillation, proxies."""

import asyncio
import concurrent.futures
import json
import math

import tinker
from common import BASE_MODEL, encode, new_trainer, prompt_of, service
from tinker import types

PARAMS = types.SamplingParams(max_tokens=5, temperature=0.8, top_p=1.0)


def base_sampler():
    return service().create_sampling_client(base_model=BASE_MODEL)


def evaluation_with_many_futures():
    """Chat prompts are submitted in one loop, with the prompt by position, and read in another."""
    sampler = base_sampler()
    tokenizer = sampler.get_tokenizer()
    futures = []
    for question in ("1 + 1?", "2 + 2?", "3 + 3?"):
        text = tokenizer.apply_chat_template(
            [{"role": "user", "content": question}],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=True,
        )
        tokens = tokenizer.encode(text, add_special_tokens=False)
        futures.append(
            sampler.sample(
                tinker.ModelInput.from_ints(tokens), num_samples=4, sampling_params=PARAMS
            )
        )
    hits = 0
    for future in futures:
        for sequence in future.result().sequences:
            assert sequence.stop_reason in ("stop", "length")
            hits += "2" in tokenizer.decode(sequence.tokens)
    assert 0 <= hits <= 12


def futures_in_the_order_of_completion():
    """`as_completed` over samples, with the index of each in a dictionary."""
    sampler = base_sampler()
    futures = {sampler.sample(prompt_of(f"Q{i}"), 1, PARAMS): i for i in range(3)}
    seen = [futures[future] for future in concurrent.futures.as_completed(futures)]
    assert sorted(seen) == [0, 1, 2]


async def result_on_a_thread_of_its_own():
    """A web server waits for a synchronous future on a thread."""
    future = base_sampler().sample(prompt=prompt_of("Hi"), num_samples=1, sampling_params=PARAMS)
    result = await asyncio.to_thread(future.result)
    assert len(result.sequences) == 1


async def cached_clients_renewed_after_authentication_errors():
    """A cache of sampling clients per model; one with an error is replaced and tried once more."""
    clients, attempts = {}, []

    def client_of(model):
        if model not in clients:
            clients[model] = service().create_sampling_client(base_model=model)
        return clients[model]

    async def ask(client):
        attempts.append(client)
        if len(attempts) == 1:
            response = FakeResponse(401)
            raise tinker.AuthenticationError("expired", response=response, body=None)
        return await client.sample_async(
            prompt=prompt_of("Hi"), num_samples=1, sampling_params=PARAMS
        )

    try:
        await ask(client_of(BASE_MODEL))
    except tinker.AuthenticationError:
        clients.pop(BASE_MODEL, None)
        await ask(client_of(BASE_MODEL))
    assert len(attempts) == 2
    assert attempts[0] is not attempts[1]


def FakeResponse(status):  # noqa: N802
    """The response that tests of programs give to errors."""
    import httpx

    return httpx.Response(status, request=httpx.Request("POST", "http://server/api/v1/asample"))


async def teacher_logprobs_of_sampled_tokens():
    """Distillation: the logprobs of a reply in two contexts, awaited together."""
    sampler = base_sampler()
    question, hint = prompt_of("Why?"), prompt_of("Why? A hint.")
    result = await sampler.sample_async(prompt=question, num_samples=1, sampling_params=PARAMS)
    reply = list(result.sequences[0].tokens)
    chunk = types.EncodedTextChunk(tokens=reply)
    plain, hinted = await asyncio.gather(
        sampler.compute_logprobs_async(question.append(chunk)),
        sampler.compute_logprobs_async(hint.append(chunk)),
    )
    assert plain[0] is None
    means = [
        sum(values[context.length : context.length + len(reply)]) / len(reply)
        for values, context in ((plain, question), (hinted, hint))
    ]
    assert all(math.isfinite(mean) and mean < 0 for mean in means)


def prompt_extended_token_by_token():
    """`append_int`, and the chunks that result."""
    prompt = tinker.ModelInput.empty()
    for token in encode("abc"):
        prompt = prompt.append_int(token)
    assert prompt.to_ints() == encode("abc")
    assert prompt.length == 3
    text = [token for chunk in prompt.chunks for token in chunk.tokens]
    assert text == encode("abc")
    logprobs = base_sampler().compute_logprobs(prompt).result()
    assert len(logprobs) == 3


def alternatives_of_each_prompt_token():
    """Prompt logprobs and the best alternatives, as pairs of token and logprob."""
    result = (
        base_sampler()
        .sample(
            prompt=prompt_of("To be"),
            num_samples=1,
            sampling_params=types.SamplingParams(max_tokens=1, temperature=0.0),
            include_prompt_logprobs=True,
            topk_prompt_logprobs=3,
        )
        .result()
    )
    assert len(result.prompt_logprobs) == len(result.topk_prompt_logprobs) == 5
    for alternatives in result.topk_prompt_logprobs[1:]:
        token, logprob = alternatives[0]
        assert isinstance(token, int)
        assert logprob <= 0


def limit_of_requests_by_a_semaphore():
    """`asyncio.run` once per phase, with one client for all of them."""
    sampler = base_sampler()

    async def phase(count):
        limit = asyncio.Semaphore(2)

        async def one(index):
            async with limit:
                return await sampler.sample_async(
                    prompt=prompt_of(str(index)), num_samples=1, sampling_params=PARAMS
                )

        return await asyncio.gather(*[one(index) for index in range(count)])

    assert len(asyncio.run(phase(4))) == 4
    assert len(asyncio.run(phase(2))) == 2


async def time_limit_for_one_sample():
    """A judge that gives up on slow replies."""
    sampler = await service().create_sampling_client_async(base_model=BASE_MODEL)
    request = sampler.sample_async(
        prompt=prompt_of("Judge:"), num_samples=1, sampling_params=PARAMS
    )
    result = await asyncio.wait_for(request, timeout=300)
    assert result.sequences[0].tokens


async def translation_to_the_openai_format():
    """A proxy: values that are absent or 0 become the defaults."""
    body = {"max_completion_tokens": 4, "temperature": None, "seed": 7, "stop": ["\n"]}
    temperature = body.get("temperature")
    sampler = base_sampler()
    response = await sampler.sample_async(
        prompt=prompt_of("Say hello"),
        num_samples=body.get("n") or 1,
        sampling_params=tinker.SamplingParams(
            max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
            seed=body.get("seed"),
            temperature=1.0 if temperature is None else temperature,
            top_k=body.get("top_k") or -1,
            top_p=body.get("top_p") or 1.0,
            stop=body.get("stop"),
        ),
    )
    tokenizer = sampler.get_tokenizer()
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": tokenizer.decode(sequence.tokens)},
            "finish_reason": sequence.stop_reason,
            "logprobs": list(sequence.logprobs or []),
        }
        for index, sequence in enumerate(response.sequences)
    ]
    assert json.loads(json.dumps(choices))[0]["finish_reason"] in ("stop", "length")


async def errors_of_a_request_as_http_errors():
    """The status code and the body of an error, for a response of the program's own."""
    sampler = base_sampler()
    try:
        await sampler.sample_async(
            prompt=prompt_of("x" * 100_000), num_samples=1, sampling_params=PARAMS
        )
    except tinker.APIStatusError as error:
        detail = error.body
        if isinstance(detail, dict) and "detail" in detail:
            detail = detail["detail"]
        status, detail = error.status_code, detail or str(error)
    except tinker.RequestFailedError as error:
        status, detail = 400, str(error)
    assert 400 <= status < 500
    assert "100" in str(detail)


async def saved_weights_and_their_sampler():
    """Weights saved under a name, and a client of the path; `get_base_model` of both."""
    trainer = new_trainer()
    saved = await (await trainer.save_weights_for_sampler_async(name="judge")).result_async()
    sampler = await service().create_sampling_client_async(model_path=saved.path)
    assert sampler.get_base_model() == BASE_MODEL
    result = await sampler.sample_async(prompt_of("Hi"), 1, PARAMS)
    assert len(result.sequences[0].logprobs) == len(result.sequences[0].tokens)


def question_about_an_image():
    """Text, image and text in one prompt. The embedded model has no vision: the server says so."""
    picture = b"\x89PNG\r\n\x1a\n" + bytes(20)
    prompt = tinker.ModelInput(
        chunks=[
            types.EncodedTextChunk(tokens=encode("Look: ")),
            types.ImageChunk(data=picture, format="png", expected_tokens=9),
            types.EncodedTextChunk(tokens=encode(" Describe it")),
        ]
    )
    assert prompt.length == 6 + 9 + 12
    kinds = (types.ImageChunk, types.ImageAssetPointerChunk)
    assert [isinstance(chunk, kinds) for chunk in prompt.chunks] == [False, True, False]
    assert prompt.chunks[1].data == picture
    message = ""
    try:
        base_sampler().sample(prompt, 1, PARAMS).result()
    except (tinker.APIStatusError, tinker.RequestFailedError) as error:
        message = str(error)
    assert "this model reads text, not image" in message
