"""A user's day: train, save, load, sample, look after checkpoints. Nothing here knows the server.

A step fails by one of the client's errors, or by an `AssertionError` where a value can't be.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

import numpy as np

import tinker_ext as tinker
from tests.interop.servers.driver import ServerError, Steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.interop.servers.driver import State

TRAINING = Steps()
step = TRAINING

TEXTS = ("To be, or not to be", "That is the question", "Whether 'tis nobler", "In the mind a")
TRAINING_STEPS = 8
LEARNING_RATE = 1e-2
# More than go into one request, which takes 128 (release 0.4.1).
MANY = 130


@step
def capabilities(state: State) -> str:
    models = state.service.get_server_capabilities().supported_models
    assert models, "no models"
    return f"{len(models)} models"


@step
def create_model(state: State) -> str:
    state.made["training"] = state.service.create_lora_training_client(
        state.server.model, rank=8, seed=7, user_metadata={"name": "first"}
    )
    state.made["data"] = [_datum(list(text.encode())) for text in TEXTS]
    return ""


def _datum(tokens: list[int], **inputs: list[float]) -> tinker.Datum:
    targets = np.array(tokens[1:])
    return tinker.Datum(
        model_input=tinker.ModelInput.from_ints(tokens[:-1]),
        loss_fn_inputs={
            "target_tokens": targets,
            **(inputs or {"weights": [1.0] * len(targets)}),
        },
    )


@step
def get_info(state: State) -> str:
    info = state.training.get_info()
    assert info.model_id == state.training.model_id
    return ""


@step
def get_tokenizer(state: State) -> str:
    tokenizer = state.training.get_tokenizer()
    assert tokenizer.decode(tokenizer.encode("to be")) == "to be"
    return ""


@step
def forward(state: State) -> str:
    output = state.training.forward(state.data, "cross_entropy").result()
    _check_logprobs(state.data, output)
    return ""


def _check_logprobs(data: Sequence[tinker.Datum], output: tinker.ForwardBackwardOutput) -> None:
    outputs = output.loss_fn_outputs
    assert len(outputs) == len(data), f"{len(outputs)} outputs of {len(data)} datums"
    for datum, one in zip(data, outputs, strict=True):
        values = one["logprobs"].to_numpy()
        assert values.size == datum.model_input.length
        assert np.isfinite(values).all()


def loss_of(data: Sequence[tinker.Datum], output: tinker.ForwardBackwardOutput) -> float:
    """The mean negative logprob of the targets; the metric where the server sends one.

    The metric comes first, because a server that only plays at training has constant logprobs.
    """
    metric = output.metrics.get("loss:sum", output.metrics.get("loss:mean"))
    if metric is not None:
        return metric
    logprobs = np.concatenate([one["logprobs"].to_numpy() for one in output.loss_fn_outputs])
    return -float(logprobs.mean())


@step
def train(state: State) -> str:
    """Requests that do not wait for each other's results."""
    adam = tinker.AdamParams(learning_rate=LEARNING_RATE)
    pairs = [
        (
            state.training.forward_backward(state.data, "cross_entropy"),
            state.training.optim_step(adam),
        )
        for _ in range(TRAINING_STEPS)
    ]
    losses = []
    for done, updated in pairs:
        losses.append(loss_of(state.data, done.result()))
        updated.result()
    assert losses[-1] < losses[0], f"the loss does not fall: {losses}"
    return f"loss {losses[0]:.3g} to {losses[-1]:.3g} in {TRAINING_STEPS} steps"


@step
def train_in_several_requests(state: State) -> str:
    data = [state.data[at % len(state.data)] for at in range(MANY)]
    output = state.training.forward_backward(data, "cross_entropy").result()
    _check_logprobs(data, output)
    state.training.optim_step(tinker.AdamParams(learning_rate=0.0)).result()
    return f"{MANY} datums"


@step
def importance_sampling(state: State) -> str:
    return _reinforce(state, "importance_sampling")


@step
def ppo(state: State) -> str:
    return _reinforce(state, "ppo")


def _reinforce(state: State, loss_fn: str) -> str:
    data = []
    for text in TEXTS:
        tokens = list(text.encode())
        count = len(tokens) - 1
        data.append(_datum(tokens, logprobs=[-1.5] * count, advantages=[0.5] * count))
    output = state.training.forward_backward(data, loss_fn).result()
    assert len(output.loss_fn_outputs) == len(data)
    state.training.optim_step(tinker.AdamParams(learning_rate=0.0)).result()
    return ""


@step
def custom_loss(state: State) -> str:
    def negative(
        data: Sequence[tinker.Datum], logprobs: Sequence[np.ndarray]
    ) -> tuple[float, list[np.ndarray], dict[str, float]]:
        loss = -float(sum(one.sum() for one in logprobs))
        return loss, [-np.ones_like(one) for one in logprobs], {"mine:sum": loss}

    output = state.training.forward_backward_custom(state.data, negative, arrays="numpy").result()
    assert math.isfinite(output.metrics["mine:sum"])
    state.training.optim_step(tinker.AdamParams(learning_rate=0.0)).result()
    return ""


@step
def save_state(state: State) -> str:
    state.made["saved"] = state.training.save_state("first").result().path
    return ""


@step
def load_state(state: State) -> str:
    """Spoil the weights, load the saved ones, and find what was there before."""
    saved = state.saved
    before = _forward(state.training, state.data)
    for _ in range(2):
        state.training.forward_backward(state.data, "cross_entropy").result()
        state.training.optim_step(tinker.AdamParams(learning_rate=0.1)).result()
    spoiled = _forward(state.training, state.data)
    state.training.load_state(saved).result()
    after = _forward(state.training, state.data)
    if after == spoiled != before:
        raise ServerError(f"it says that it has loaded, and the loss stays at {spoiled:.3g}")
    assert abs(after - before) < 1e-3, f"{before} before, {after} after"
    return f"loss {before:.3g}, {spoiled:.3g} spoiled, {after:.3g} loaded"


def _forward(training: tinker.TrainingClient, data: Sequence[tinker.Datum]) -> float:
    return loss_of(data, training.forward(data, "cross_entropy").result())


@step
def create_training_client_from_state(state: State) -> str:
    second = state.service.create_training_client_from_state(state.saved, {"name": "second"})
    assert second.model_id != state.training.model_id
    loss = _forward(second, state.data)
    expected = _forward(state.training, state.data)
    assert abs(loss - expected) < 1e-3, f"{loss} in place of {expected}"
    return ""


@step
def in_an_event_loop(state: State) -> str:
    """The methods for coroutines: another model trains and is saved."""

    async def day() -> None:
        training = await state.service.create_lora_training_client_async(state.server.model, rank=4)
        done = await training.forward_backward_async(state.data, "cross_entropy")
        updated = await training.optim_step_async(tinker.AdamParams(learning_rate=LEARNING_RATE))
        _check_logprobs(state.data, await done)
        await updated
        await (await training.save_state_async("second"))

    asyncio.run(day())
    return ""
