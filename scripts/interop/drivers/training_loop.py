"""A whole training and sampling loop with tinker 0.4.1 to 0.38.0, and a look at what came of it.

Runs in the environment of the release; TINKER_BASE_URL says where the server is. Only what all
these releases have is used, and what later ones added where they have it.
"""

from __future__ import annotations

import inspect
import math
import os
import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import tinker
from steps import Steps
from tinker import types

warnings.simplefilter("ignore")  # methods that later releases advise against are still public

step = Steps()

BASE_MODEL = os.environ.get("DRIVER_BASE_MODEL", "embedded/tiny")
TEXTS = ("To be, or not to be", "That is the question", "Whether 'tis nobler", "In the mind")
STEPS = 8
LEARNING_RATE = 1e-2
WAIT = 60.0
ABSENT = "absent"


def waited(value: Any) -> Any:
    """What a call came to: some releases answer at once where others give a future."""
    return value.result(timeout=WAIT) if hasattr(value, "result") else value


@step
def open_service(state: Any) -> Any:
    state.service = tinker.ServiceClient(user_metadata={"purpose": "interop"})
    return tinker.__version__


@step
def capabilities(state: Any) -> Any:
    found = waited(state.service.get_server_capabilities())
    return [model.model_name for model in found.supported_models]


@step
def create_model(state: Any) -> Any:
    state.training = waited(
        state.service.create_lora_training_client(base_model=BASE_MODEL, rank=8, seed=7)
    )
    return waited(state.training.get_info()).model_id


@step
def tokenize(state: Any) -> Any:
    tokenizer = state.training.get_tokenizer()
    state.tokens = [tokenizer.encode(text) for text in TEXTS]
    state.data = [datum(tokens) for tokens in state.tokens]
    return tokenizer.decode(state.tokens[0])


def datum(tokens: list[int]) -> Any:
    return types.Datum(
        model_input=types.ModelInput.from_ints(tokens[:-1]),
        loss_fn_inputs={
            "target_tokens": np.array(tokens[1:]),
            "weights": [1.0] * (len(tokens) - 1),
        },
    )


@step
def forward(state: Any) -> Any:
    return loss_of(waited(state.training.forward(state.data, "cross_entropy")))


def loss_of(output: Any) -> float:
    """Mean over the targets, all of which have the weight 1."""
    logprobs = np.concatenate([one["logprobs"].to_numpy() for one in output.loss_fn_outputs])
    return -float(np.mean(logprobs))


@step
def train(state: Any) -> Any:
    losses = []
    for _ in range(STEPS):
        done = state.training.forward_backward(state.data, "cross_entropy")
        updated = state.training.optim_step(types.AdamParams(learning_rate=LEARNING_RATE))
        losses.append(loss_of(waited(done)))
        waited(updated)
    return losses


@step
def train_in_chunks(state: Any) -> Any:
    """More datums than any release puts into one request, which is 1024."""
    short = [datum(tokens[:3]) for tokens in state.tokens]
    output = waited(state.training.forward_backward(short * 275, "cross_entropy"))
    waited(state.training.optim_step(types.AdamParams(learning_rate=0.0)))
    return len(output.loss_fn_outputs)


@step
def reinforce(state: Any) -> Any:
    data = [
        types.Datum(
            model_input=types.ModelInput.from_ints(tokens[:-1]),
            loss_fn_inputs={
                "target_tokens": tokens[1:],
                "logprobs": [-1.5] * (len(tokens) - 1),
                "advantages": np.linspace(-1.0, 1.0, len(tokens) - 1, dtype=np.float32),
            },
        )
        for tokens in state.tokens
    ]
    config = {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2}
    output = waited(state.training.forward_backward(data, "ppo", config))
    waited(state.training.optim_step(types.AdamParams(learning_rate=0.0)))
    return sorted(output.metrics)


@step
def save_and_load(state: Any) -> Any:
    state.saved = waited(state.training.save_state("interop")).path
    before = loss_of(waited(state.training.forward(state.data, "cross_entropy")))
    waited(state.training.forward_backward(state.data, "cross_entropy"))
    waited(state.training.optim_step(types.AdamParams(learning_rate=0.1)))
    spoiled = loss_of(waited(state.training.forward(state.data, "cross_entropy")))
    waited(state.training.load_state(state.saved))
    after = loss_of(waited(state.training.forward(state.data, "cross_entropy")))
    return {"path": state.saved, "before": before, "spoiled": spoiled, "after": after}


@step
def create_from_state(state: Any) -> Any:
    second = waited(state.service.create_training_client_from_state(state.saved))
    first = loss_of(waited(second.forward(state.data, "cross_entropy")))
    waited(second.forward_backward(state.data, "cross_entropy"))
    waited(second.optim_step(types.AdamParams(learning_rate=LEARNING_RATE)))
    return first


@step
def create_from_state_with_optimizer(state: Any) -> Any:
    create = getattr(state.service, "create_training_client_from_state_with_optimizer", None)
    if create is None:
        return ABSENT
    second = waited(create(state.saved))
    return loss_of(waited(second.forward(state.data, "cross_entropy")))


@step
def sample(state: Any) -> Any:
    state.sampler_path = waited(state.training.save_weights_for_sampler("interop")).path
    state.sampler = waited(state.service.create_sampling_client(model_path=state.sampler_path))
    return sampled(state, state.sampler)


@step
def sample_ephemeral(state: Any) -> Any:
    return sampled(state, waited(state.training.save_weights_and_get_sampling_client()))


@step
def sample_base(state: Any) -> Any:
    return sampled(state, waited(state.service.create_sampling_client(base_model=BASE_MODEL)))


def sampled(state: Any, sampler: Any) -> Any:
    prompt = types.ModelInput.from_ints(state.tokens[0][:6])
    params = types.SamplingParams(max_tokens=8, temperature=0.7, top_p=0.9, top_k=20, seed=3)
    found = waited(sampler.sample(prompt, 2, params))
    return [
        {
            "tokens": list(one.tokens),
            "logprobs": list(one.logprobs),
            "stop_reason": one.stop_reason,
        }
        for one in found.sequences
    ]


@step
def score(state: Any) -> Any:
    prompt = types.ModelInput.from_ints(state.tokens[0])
    params = types.SamplingParams(max_tokens=2, temperature=0.0)
    more: dict[str, Any] = {"include_prompt_logprobs": True, "topk_prompt_logprobs": 3}
    found = waited(state.sampler.sample(prompt, 1, params, **more))
    return {
        "prompt": len(state.tokens[0]),
        "prompt_logprobs": told(found.prompt_logprobs),
        "topk": [row and len(row) for row in found.topk_prompt_logprobs],
        "compute_logprobs": told(waited(state.sampler.compute_logprobs(prompt))),
    }


def told(logprobs: Any) -> Any:
    return [None if one is None or math.isnan(one) else float(one) for one in logprobs]


@step
def list_all(state: Any) -> Any:
    state.rest = state.service.create_rest_client()
    run = waited(state.training.get_info()).model_id
    page = waited(state.rest.list_training_runs(limit=1, offset=0))
    of_run = waited(state.rest.list_checkpoints(run))
    of_user = waited(state.rest.list_user_checkpoints(limit=10))
    return {
        "runs": page.cursor.total_count,
        "base_model": waited(state.rest.get_training_run(run)).base_model,
        "of_run": sorted(one.checkpoint_id for one in of_run.checkpoints),
        "of_user": len(of_user.checkpoints),
    }


@step
def look_up(state: Any) -> Any:
    """What came with release 0.24: sessions, samplers, weights, and an end for checkpoints."""
    if not hasattr(state.rest, "list_sessions"):
        return ABSENT
    sessions = waited(state.rest.list_sessions()).sessions
    session = waited(state.rest.get_session(sessions[0]))
    weights = waited(state.rest.get_weights_info_by_tinker_path(state.saved))
    sampler = waited(state.rest.get_sampler(session.sampler_ids[0]))
    waited(state.rest.set_checkpoint_ttl_from_tinker_path(state.saved, 3600))
    found = waited(state.rest.list_checkpoints(session.training_run_ids[0])).checkpoints
    ending = [one.checkpoint_id for one in found if one.expires_at is not None]
    return {
        "runs": len(session.training_run_ids),
        "rank": weights.lora_rank,
        "sampler": sampler.base_model,
        "ending": ending,
    }


@step
def delete(state: Any) -> Any:
    run = waited(state.training.get_info()).model_id
    waited(state.rest.delete_checkpoint(run, "weights/interop"))
    waited(state.rest.delete_checkpoint_from_tinker_path(state.sampler_path))
    return len(waited(state.rest.list_checkpoints(run)).checkpoints)


@step
def refused(state: Any) -> Any:
    """A mistake comes back as an error of the SDK's, and the model goes on working."""
    wrong = datum(state.tokens[0])
    wrong.loss_fn_inputs["weights"] = types.TensorData(data=[1.0], dtype="float32", shape=[1])
    try:
        waited(state.training.forward_backward([wrong], "cross_entropy"))
    except tinker.TinkerError as error:
        kind = type(error).__name__
    else:
        kind = "nothing"
    waited(state.training.forward(state.data, "cross_entropy"))
    return kind


@step
def finish(state: Any) -> Any:
    close = getattr(state.service, "close", None)
    if close is None:
        return ABSENT
    close(status="success") if "status" in inspect.signature(close).parameters else close()
    return "closed"


if __name__ == "__main__":
    step.run(SimpleNamespace())
    # The interpreter's own way out meets the threads that some releases leave running, and now and
    # then is aborted by them.
    os._exit(0)
