"""Sampling from the trained weights and from the base model."""

from __future__ import annotations

import tinker_ext as tinker
from tinker_ext.server_check.outcomes import Capability
from tinker_ext.server_check.runner import State, Steps, results_of

SAMPLING = Steps()
step = SAMPLING

PROMPT = tinker.ModelInput.from_ints(list(b"To be, or not"))
MAX_TOKENS = 6


def _sampled(sampler: tinker.SamplingClient, count: int = 1) -> list[tinker.SampledSequence]:
    params = tinker.SamplingParams(max_tokens=MAX_TOKENS, temperature=0.8, top_p=0.9, seed=3)
    sequences = sampler.sample(PROMPT, count, params).result().sequences
    assert len(sequences) == count, f"{len(sequences)} sequences, expected {count}"
    for sequence in sequences:
        logprobs = sequence.logprobs
        assert 0 < len(sequence.tokens) <= MAX_TOKENS + 1, sequence
        assert logprobs is None or len(logprobs) == len(sequence.tokens), sequence
        assert sequence.stop_reason in ("length", "stop"), sequence
    return sequences


@step(Capability.SAMPLES)
def save_weights_for_sampler(state: State) -> None:
    state.results["sampler_path"] = state.training.save_weights_for_sampler("first").result().path


@step(Capability.SAMPLES)
def create_sampling_client(state: State) -> None:
    state.results["sampler"] = state.service.create_sampling_client(state.sampler_path)


@step(Capability.SAMPLES)
def sample(state: State) -> str:
    [sequence] = _sampled(state.sampler)
    return f"{len(sequence.tokens)} tokens, {sequence.stop_reason}"


@step(Capability.SAMPLES)
def sample_several(state: State) -> str:
    _sampled(state.sampler, 4)
    return "4 sequences"


@step(Capability.SAMPLES)
def sample_at_once(state: State) -> str:
    params = tinker.SamplingParams(max_tokens=MAX_TOKENS)
    responses = results_of(state.sampler.sample(PROMPT, 1, params) for _ in range(16))
    assert all(len(response.sequences) == 1 for response in responses)
    return "16 requests"


@step(Capability.SAMPLES)
def sample_with_a_stop(state: State) -> None:
    params = tinker.SamplingParams(max_tokens=MAX_TOKENS, stop=[0])
    assert state.sampler.sample(PROMPT, 1, params).result().sequences


@step(Capability.SAMPLES)
def same_seed_same_sample(state: State) -> None:
    first, second = _sampled(state.sampler), _sampled(state.sampler)
    assert [item.tokens for item in first] == [item.tokens for item in second]


@step(Capability.SAMPLES)
def compute_logprobs(state: State) -> str:
    logprobs = state.sampler.compute_logprobs(PROMPT).result()
    count = len(logprobs)
    assert count in (PROMPT.length, PROMPT.length - 1), f"{count} of {PROMPT.length}"
    assert all(value is None or value <= 0 for value in logprobs)
    return f"{count} values of {PROMPT.length} tokens"


@step(Capability.SAMPLES)
def topk_prompt_logprobs(state: State) -> str:
    params = tinker.SamplingParams(max_tokens=1)
    response = state.sampler.sample(
        PROMPT, 1, params, include_prompt_logprobs=True, topk_prompt_logprobs=3
    ).result()
    rows = response.topk_prompt_logprobs
    if rows is None:
        return "the server sends none"
    assert {len(row) for row in rows if row} <= {3}
    return ""


@step(Capability.SAMPLES)
def save_weights_and_get_sampling_client(state: State) -> None:
    _sampled(state.training.save_weights_and_get_sampling_client())


@step(Capability.SAMPLES)
def sample_the_base_model(state: State) -> None:
    _sampled(state.service.create_sampling_client(base_model=state.server.model))
