"""Steps with a model: create, train, save, load, and sample from it and from the base model.

A step fails with an error of the client, or with `AssertionError` if a value is impossible.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

import numpy as np

import tinker_ext as tinker
from tinker_ext.server_check.runner import Capability, ServerError, State, Steps, results_of

MODEL_STEPS = Steps()
step = MODEL_STEPS

TEXTS = ("To be, or not to be", "That is the question", "Whether 'tis nobler", "In the mind a")
TRAINING_STEPS = 8
LEARNING_RATE = 1e-2
# Without a visible effect; some servers reject 0.
NO_LEARNING = 1e-12
# More datums than one request takes, which is 128 in release 0.4.1.
MANY = 130


@step(Capability.CONNECTS)
def capabilities(state: State) -> str:
    models = state.service.get_server_capabilities().supported_models
    assert models, "no models"
    return f"{len(models)} models"


@step(Capability.TRAINS)
def create_model(state: State) -> None:
    state.results["training"] = state.service.create_lora_training_client(
        state.server.model, rank=8, seed=7, user_metadata={"name": "first"}
    )
    state.results["data"] = [_datum(list(text.encode())) for text in TEXTS]


def _datum(tokens: list[int], **inputs: list[float]) -> tinker.Datum:
    targets = np.array(tokens[1:])
    return tinker.Datum(
        model_input=tinker.ModelInput.from_ints(tokens[:-1]),
        loss_fn_inputs={
            "target_tokens": targets,
            **(inputs or {"weights": [1.0] * len(targets)}),
        },
    )


@step(Capability.CONNECTS)
def get_info(state: State) -> None:
    info = state.training.get_info()
    assert info.model_id == state.training.model_id


@step(Capability.CONNECTS)
def get_tokenizer(state: State) -> None:
    tokenizer = state.training.get_tokenizer()
    assert tokenizer.decode(tokenizer.encode("to be")) == "to be"


@step(Capability.TRAINS)
def forward(state: State) -> None:
    output = state.training.forward(state.data, "cross_entropy").result()
    _check_logprobs(state.data, output)


def _check_logprobs(data: Sequence[tinker.Datum], output: tinker.ForwardBackwardOutput) -> None:
    outputs = output.loss_fn_outputs
    assert len(outputs) == len(data), f"{len(outputs)} outputs of {len(data)} datums"
    for datum, fields in zip(data, outputs, strict=True):
        values = fields["logprobs"].to_numpy()
        assert values.size == datum.model_input.length
        assert np.isfinite(values).all()


def loss_of(data: Sequence[tinker.Datum], output: tinker.ForwardBackwardOutput) -> float:
    """The loss metric if the server sends one, else the mean negative logprob of the targets.

    The metric takes precedence because a server that simulates training has constant logprobs. A
    metric of 0 is not one: a server sends it for every forward.
    """
    if metric := output.metrics.get("loss:sum", output.metrics.get("loss:mean")):
        return metric
    logprobs = np.concatenate([item["logprobs"].to_numpy() for item in output.loss_fn_outputs])
    return -float(logprobs.mean())


@step(Capability.TRAINS)
def train(state: State) -> str:
    """All requests are submitted before the first result is awaited."""
    adam = tinker.AdamParams(learning_rate=LEARNING_RATE)
    pairs = [
        (
            state.training.forward_backward(state.data, "cross_entropy"),
            state.training.optim_step(adam),
        )
        for _ in range(TRAINING_STEPS)
    ]
    results = results_of(future for pair in pairs for future in pair)
    losses = [loss_of(state.data, output) for output in results[::2]]
    assert losses[-1] < losses[0], f"the loss does not fall: {losses}"
    return f"loss {losses[0]:.3g} to {losses[-1]:.3g} in {TRAINING_STEPS} steps"


@step(Capability.TRAINS)
def train_in_several_requests(state: State) -> str:
    data = [state.data[at % len(state.data)] for at in range(MANY)]
    output = state.training.forward_backward(data, "cross_entropy").result()
    _check_logprobs(data, output)
    state.training.optim_step(tinker.AdamParams(learning_rate=NO_LEARNING)).result()
    return f"{MANY} datums"


@step(Capability.TRAINS)
def importance_sampling(state: State) -> None:
    _reinforce(state, "importance_sampling")


@step(Capability.TRAINS)
def ppo(state: State) -> None:
    _reinforce(state, "ppo")


def _reinforce(state: State, loss_fn: str) -> None:
    data = []
    for text in TEXTS:
        tokens = list(text.encode())
        count = len(tokens) - 1
        data.append(_datum(tokens, logprobs=[-1.5] * count, advantages=[0.5] * count))
    output = state.training.forward_backward(data, loss_fn).result()
    assert len(output.loss_fn_outputs) == len(data)
    state.training.optim_step(tinker.AdamParams(learning_rate=NO_LEARNING)).result()


@step(Capability.TRAINS)
def custom_loss(state: State) -> None:
    def negative(
        data: Sequence[tinker.Datum], logprobs: Sequence[np.ndarray]
    ) -> tuple[float, list[np.ndarray], dict[str, float]]:
        loss = -float(sum(values.sum() for values in logprobs))
        return loss, [-np.ones_like(values) for values in logprobs], {"mine:sum": loss}

    output = state.training.forward_backward_custom(state.data, negative, arrays="numpy").result()
    assert math.isfinite(output.metrics["mine:sum"])
    state.training.optim_step(tinker.AdamParams(learning_rate=NO_LEARNING)).result()


@step(Capability.RESUMES)
def save_state(state: State) -> None:
    state.results["saved"] = state.training.save_state("first").result().path


@step(Capability.RESUMES)
def load_state(state: State) -> str:
    """Damage the weights, load the saved ones, and compare the losses."""
    saved = state.saved
    before = _forward(state.training, state.data)
    for _ in range(2):
        state.training.forward_backward(state.data, "cross_entropy").result()
        state.training.optim_step(tinker.AdamParams(learning_rate=0.1)).result()
    damaged = _forward(state.training, state.data)
    state.training.load_state(saved).result()
    after = _forward(state.training, state.data)
    if after == damaged != before:
        raise ServerError(f"the load was reported as done, but the loss stays at {damaged:.3g}")
    assert abs(after - before) < 1e-3, f"{before} before, {after} after"
    return f"loss {before:.3g}, {damaged:.3g} damaged, {after:.3g} loaded"


def _forward(training: tinker.TrainingClient, data: Sequence[tinker.Datum]) -> float:
    return loss_of(data, training.forward(data, "cross_entropy").result())


@step(Capability.RESUMES)
def create_training_client_from_state(state: State) -> None:
    second = state.service.create_training_client_from_state(state.saved, {"name": "second"})
    assert second.model_id != state.training.model_id
    loss = _forward(second, state.data)
    expected = _forward(state.training, state.data)
    assert abs(loss - expected) < 1e-3, f"{loss}, expected {expected}"


@step(Capability.TRAINS)
def in_an_event_loop(state: State) -> None:
    """The `*_async` methods train and save another model."""

    async def train_and_save() -> str:
        training = await state.service.create_lora_training_client_async(state.server.model, rank=4)
        output = await training.forward_backward_async(state.data, "cross_entropy")
        update = await training.optim_step_async(tinker.AdamParams(learning_rate=LEARNING_RATE))
        await asyncio.gather(output, update, return_exceptions=True)
        result, _ = results_of([output, update])
        _check_logprobs(state.data, result)
        return (await (await training.save_state_async("second"))).path

    state.results["second"] = asyncio.run(train_and_save())


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
