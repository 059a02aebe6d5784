"""A user's whole day with tinker 0.4.1: train, save, load, sample, look after checkpoints.

Runs in the environment of that release; TINKER_BASE_URL says where the server is.
"""

from __future__ import annotations

import asyncio
import os
import urllib.request
from types import SimpleNamespace
from typing import Any

import numpy as np
import tinker
from steps import Steps
from tinker import types

step = Steps()

BASE_MODEL = os.environ.get("DRIVER_BASE_MODEL", "embedded/tiny")
TEXTS = ("To be, or not to be", "That is the question", "Whether 'tis nobler", "In the mind")
STEPS = 12
LEARNING_RATE = 1e-2


@step
def open_service(state: Any) -> Any:
    state.service = tinker.ServiceClient(user_metadata={"purpose": "interop"})
    return tinker.__version__


@step
def capabilities(state: Any) -> Any:
    found = state.service.get_server_capabilities()
    return [model.model_name for model in found.supported_models]


@step
def create_model(state: Any) -> Any:
    state.training = state.service.create_lora_training_client(
        base_model=BASE_MODEL, rank=8, seed=7, user_metadata={"name": "first"}
    )
    return state.training.model_id


@step
def get_info(state: Any) -> Any:
    return state.training.get_info().model_dump()


@step
def tokenize(state: Any) -> Any:
    tokenizer = state.training.get_tokenizer()
    state.tokens = [tokenizer.encode(text) for text in TEXTS]
    state.data = [_datum(tokens) for tokens in state.tokens]
    return tokenizer.decode(state.tokens[0])


def _datum(tokens: list[int]) -> Any:
    return types.Datum(
        model_input=types.ModelInput.from_ints(tokens[:-1]),
        loss_fn_inputs={
            "target_tokens": np.array(tokens[1:]),
            "weights": [1.0] * (len(tokens) - 1),
        },
    )


@step
def forward(state: Any) -> Any:
    output = state.training.forward(state.data, "cross_entropy").result()
    return {"metrics": output.metrics, "lengths": _lengths(output)}


@step
def train(state: Any) -> Any:
    adam = types.AdamParams(learning_rate=LEARNING_RATE)
    losses = []
    for _ in range(STEPS):
        done = state.training.forward_backward(state.data, "cross_entropy")
        updated = state.training.optim_step(adam)
        losses.append(_loss(state.data, done.result()))
        updated.result()
    return losses


def _loss(data: Any, output: Any) -> float:
    """Mean over the weighted targets, from the logprobs: no metric has to be believed."""
    pairs = zip(data, output.loss_fn_outputs, strict=True)
    total = sum(
        -float(np.dot(out["logprobs"].to_numpy(), datum.loss_fn_inputs["weights"].to_numpy()))
        for datum, out in pairs
    )
    return total / sum(sum(datum.loss_fn_inputs["weights"].data) for datum in data)


def _lengths(output: Any) -> list[int]:
    return [len(out["logprobs"].data) for out in output.loss_fn_outputs]


@step
def train_in_chunks(state: Any) -> Any:
    """More datums than go into one request; those of one request are at most 128."""
    many = state.data * 40
    output = state.training.forward_backward(many, "cross_entropy").result()
    state.training.optim_step(types.AdamParams(learning_rate=0.0)).result()
    return len(output.loss_fn_outputs)


@step
def reinforce(state: Any) -> Any:
    """The two losses that want the logprobs of the sampler and advantages."""
    kinds = []
    for loss_fn in ("importance_sampling", "ppo"):
        data = [_reinforced(tokens) for tokens in state.tokens]
        output = state.training.forward_backward(data, loss_fn).result()
        kinds.append(sorted(output.metrics))
    state.training.optim_step(types.AdamParams(learning_rate=0.0)).result()
    return kinds


def _reinforced(tokens: list[int]) -> Any:
    count = len(tokens) - 1
    return types.Datum(
        model_input=types.ModelInput.from_ints(tokens[:-1]),
        loss_fn_inputs={
            "target_tokens": tokens[1:],
            "logprobs": [-1.5] * count,
            "advantages": np.linspace(-1.0, 1.0, count, dtype=np.float32),
        },
    )


@step
def custom_loss(state: Any) -> Any:
    """A loss of the user's own: the negative logprob of each target."""

    def negative(data: Any, logprobs: Any) -> Any:
        loss = -(sum(one.sum() for one in logprobs))
        return loss, {"custom:sum": loss.item()}

    output = state.training.forward_backward_custom(state.data, negative).result()
    state.training.optim_step(types.AdamParams(learning_rate=LEARNING_RATE)).result()
    return output.metrics


@step
def save_state(state: Any) -> Any:
    state.saved = state.training.save_state("interop").result().path
    return state.saved


@step
def load_state(state: Any) -> Any:
    before = _loss(state.data, state.training.forward(state.data, "cross_entropy").result())
    state.training.forward_backward(state.data, "cross_entropy").result()
    state.training.optim_step(types.AdamParams(learning_rate=0.1)).result()
    spoiled = _loss(state.data, state.training.forward(state.data, "cross_entropy").result())
    path = state.training.load_state(state.saved).result().path
    after = _loss(state.data, state.training.forward(state.data, "cross_entropy").result())
    return {"path": path, "before": before, "spoiled": spoiled, "after": after}


@step
def create_from_state(state: Any) -> Any:
    second = state.service.create_training_client_from_state(state.saved, {"name": "second"})
    loss = _loss(state.data, second.forward(state.data, "cross_entropy").result())
    return {"model_id": second.model_id, "loss": loss}


@step
def save_weights_for_sampler(state: Any) -> Any:
    state.sampler_path = state.training.save_weights_for_sampler("interop").result().path
    return state.sampler_path


@step
def sample(state: Any) -> Any:
    state.sampler = state.service.create_sampling_client(model_path=state.sampler_path)
    return _sampled(state, state.sampler)


@step
def sample_ephemeral(state: Any) -> Any:
    return _sampled(state, state.training.save_weights_and_get_sampling_client("ephemeral"))


@step
def sample_base(state: Any) -> Any:
    return _sampled(state, state.service.create_sampling_client(base_model=BASE_MODEL))


def _sampled(state: Any, sampler: Any) -> Any:
    prompt = types.ModelInput.from_ints(state.tokens[0][:6])
    params = types.SamplingParams(
        max_tokens=8, temperature=0.7, top_p=0.9, top_k=20, seed=3, stop=["\n"]
    )
    found = sampler.sample(prompt, 2, params).result()
    return [
        {
            "tokens": one.tokens,
            "logprobs": one.logprobs,
            "stop_reason": one.stop_reason,
        }
        for one in found.sequences
    ]


@step
def sample_with_prompt_logprobs(state: Any) -> Any:
    prompt = types.ModelInput.from_ints(state.tokens[0])
    params = types.SamplingParams(max_tokens=2, temperature=0.0, stop=[0])
    found = state.sampler.sample(
        prompt, 1, params, include_prompt_logprobs=True, topk_prompt_logprobs=3
    ).result()
    return {
        "prompt": len(state.tokens[0]),
        "prompt_logprobs": found.prompt_logprobs,
        "topk": [row and len(row) for row in found.topk_prompt_logprobs],
    }


@step
def compute_logprobs(state: Any) -> Any:
    prompt = types.ModelInput.from_ints(state.tokens[0])
    return state.sampler.compute_logprobs(prompt).result()


@step
def list_runs(state: Any) -> Any:
    state.rest = state.service.create_rest_client()
    page = state.rest.list_training_runs(limit=1, offset=0).result()
    one = state.rest.get_training_run(state.training.model_id).result()
    same = state.rest.get_training_run_by_tinker_path(state.saved).result()
    assert one == same, (one, same)
    return {
        "page": len(page.training_runs),
        "total": page.cursor.total_count,
        "run": one.base_model,
    }


@step
def list_checkpoints(state: Any) -> Any:
    of_run = state.rest.list_checkpoints(state.training.model_id).result()
    of_user = state.rest.list_user_checkpoints(limit=10).result()
    return {
        "run": sorted(one.checkpoint_id for one in of_run.checkpoints),
        "user": len(of_user.checkpoints),
    }


@step
def publish(state: Any) -> Any:
    state.rest.publish_checkpoint_from_tinker_path(state.saved).result()
    published = _is_public(state)
    state.rest.unpublish_checkpoint_from_tinker_path(state.saved).result()
    return [published, _is_public(state)]


def _is_public(state: Any) -> bool:
    found = state.rest.list_checkpoints(state.training.model_id).result().checkpoints
    return next(one.public for one in found if one.tinker_path == state.saved)


@step
def archive(state: Any) -> Any:
    run, name = state.training.model_id, state.sampler_path.rsplit("/", 1)[-1]
    one = state.rest.get_checkpoint_archive_url(run, f"sampler_weights/{name}").result()
    same = state.rest.get_checkpoint_archive_url_from_tinker_path(state.sampler_path).result()
    with urllib.request.urlopen(one.url, timeout=30) as answer:
        beginning = answer.read(2)
    # gzip's magic number (RFC 1952 section 2.3.1)
    return {"gzip": beginning == b"\x1f\x8b", "expires": same.expires.isoformat()}


@step
def delete(state: Any) -> Any:
    run = state.training.model_id
    state.rest.delete_checkpoint(run, "weights/interop").result()
    state.rest.delete_checkpoint_from_tinker_path(state.sampler_path).result()
    return len(state.rest.list_checkpoints(run).result().checkpoints)


@step
def refused(state: Any) -> Any:
    """A mistake comes back as an error of the SDK's, and the model goes on working."""
    wrong = types.Datum(
        model_input=types.ModelInput.from_ints([1, 2, 3]),
        loss_fn_inputs={"target_tokens": [1, 2, 3], "weights": [1.0]},
    )
    try:
        state.training.forward_backward([wrong], "cross_entropy").result(timeout=20)
    except tinker.TinkerError as error:
        kind = type(error).__name__
    else:
        kind = "nothing"
    state.training.forward(state.data, "cross_entropy").result(timeout=20)
    return kind


@step
def asynchronous(state: Any) -> Any:
    """The same again through the methods for event loops, as far as they differ on the wire."""
    return asyncio.run(_asynchronous(state))


async def _asynchronous(state: Any) -> Any:
    names = await state.service.get_server_capabilities_async()
    training = await state.service.create_lora_training_client_async(base_model=BASE_MODEL, rank=2)
    done = await training.forward_backward_async(state.data, "cross_entropy")
    updated = await training.optim_step_async(types.AdamParams())
    await done
    await updated.result_async(timeout=20)
    saved = await (await training.save_state_async("asynchronous")).result_async()
    again = await state.service.create_training_client_from_state_async(saved.path)
    sampler = await again.save_weights_and_get_sampling_client_async()
    prompt = types.ModelInput.from_ints(state.tokens[1])
    several = await asyncio.gather(
        *(sampler.sample_async(prompt, 1, types.SamplingParams(max_tokens=4)) for _ in range(8))
    )
    scored = await sampler.compute_logprobs_async(prompt)
    return {"models": len(names.supported_models), "samples": len(several), "scored": len(scored)}


@step
def low_level(state: Any) -> Any:
    """What no public client calls, or not at once: health, heartbeat, giving a model back."""
    from tinker._client import AsyncTinker
    from tinker.types.unload_model_request import UnloadModelRequest

    async def call() -> Any:
        client = AsyncTinker(_strict_response_validation=True)
        health = await client.service.health_check()
        await client.service.session_heartbeat(session_id=state.service.holder.get_session_id())
        request = UnloadModelRequest(model_id=state.training.model_id)
        unloading = await client.models.unload(request=request)
        return [health.status, bool(unloading.request_id)]

    return asyncio.run(call())


if __name__ == "__main__":
    step.run(SimpleNamespace())
