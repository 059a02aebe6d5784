"""The same tour of a server with any client that has the official SDK's names.

DRIVER_CLIENT names the module (`tinker` or `tinker_ext`), DRIVER_BASE_MODEL the model. Each step
has DRIVER_STEP_SECONDS; one that takes longer hangs, and is left behind.
"""

from __future__ import annotations

import os
import threading
import urllib.request
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from steps import Steps

client = import_module(os.environ["DRIVER_CLIENT"])
types = import_module(f"{client.__name__}.types")

BASE_MODEL = os.environ["DRIVER_BASE_MODEL"]
STEP_SECONDS = float(os.environ["DRIVER_STEP_SECONDS"])
# Bytes of a text; every tokenizer here has at least as many tokens.
TEXTS = (b"To be, or not to be", b"That is the question", b"Whether 'tis nobler", b"In the mind")
TOKENS = [[byte + 1 for byte in text] for text in TEXTS]
STEPS = 6

step = Steps()


def waited(value: Any) -> Any:
    """The result of a future, or the value itself."""
    return value.result(timeout=STEP_SECONDS) if hasattr(value, "result") else value


def data() -> Any:
    return [
        types.Datum(
            model_input=types.ModelInput.from_ints(tokens[:-1]),
            loss_fn_inputs={
                "target_tokens": tokens[1:],
                "weights": [1.0] * (len(tokens) - 1),
            },
        )
        for tokens in TOKENS
    ]


def loss_of(output: Any) -> float:
    """The mean over the targets, all of which weigh the same."""
    values = [value for one in output.loss_fn_outputs for value in one["logprobs"].tolist()]
    return -sum(values) / len(values)


@step
def connect(state: Any) -> Any:
    state.service = client.ServiceClient()
    return "connected"


@step
def capabilities(state: Any) -> Any:
    found = waited(state.service.get_server_capabilities())
    return [model.model_name for model in found.supported_models]


@step
def create_model(state: Any) -> Any:
    state.training = waited(state.service.create_lora_training_client(BASE_MODEL, rank=8))
    return "created"


@step
def get_info(state: Any) -> Any:
    return waited(state.training.get_info()).model_data.model_name


@step
def forward(state: Any) -> Any:
    return round(loss_of(waited(state.training.forward(data(), "cross_entropy"))), 2)


@step
def train(state: Any) -> Any:
    losses = []
    for _ in range(STEPS):
        done = state.training.forward_backward(data(), "cross_entropy")
        updated = state.training.optim_step(types.AdamParams(learning_rate=1e-2))
        losses.append(loss_of(waited(done)))
        waited(updated)
    assert losses[-1] < losses[0], losses
    return f"loss {losses[0]:.2f} to {losses[-1]:.2f}"


@step
def reinforce(state: Any) -> Any:
    tokens = TOKENS[0]
    count = len(tokens) - 1
    inputs = {
        "target_tokens": tokens[1:],
        "logprobs": [-1.5] * count,
        "advantages": [0.5] * count,
    }
    one = types.Datum(model_input=types.ModelInput.from_ints(tokens[:-1]), loss_fn_inputs=inputs)
    return sorted(waited(state.training.forward_backward([one], "ppo")).metrics)


@step
def save_state(state: Any) -> Any:
    state.saved = waited(state.training.save_state("tour")).path
    return state.saved


@step
def load_state(state: Any) -> Any:
    waited(state.training.load_state(state.saved))
    return "loaded"


@step
def create_from_state(state: Any) -> Any:
    waited(state.service.create_training_client_from_state(state.saved))
    return "created"


@step
def save_weights_for_sampler(state: Any) -> Any:
    state.sampler_path = waited(state.training.save_weights_for_sampler("tour")).path
    return state.sampler_path


def sampled(sampler: Any) -> Any:
    prompt = types.ModelInput.from_ints(TOKENS[0][:6])
    params = types.SamplingParams(max_tokens=6, temperature=0.7, seed=3)
    found = waited(sampler.sample(prompt, 1, params)).sequences[0]
    return f"{len(found.tokens)} tokens, {found.stop_reason}"


@step
def sample(state: Any) -> Any:
    made = state.service.create_sampling_client(model_path=state.sampler_path)
    state.sampler = waited(made)
    return sampled(state.sampler)


@step
def sample_at_once(state: Any) -> Any:
    return sampled(waited(state.training.save_weights_and_get_sampling_client()))


@step
def sample_base_model(state: Any) -> Any:
    state.base_sampler = waited(state.service.create_sampling_client(base_model=BASE_MODEL))
    return sampled(state.base_sampler)


@step
def compute_logprobs(state: Any) -> Any:
    prompt = types.ModelInput.from_ints(TOKENS[0])
    found = waited(state.base_sampler.compute_logprobs(prompt))
    return f"{len(found)} for {len(TOKENS[0])} tokens"


@step
def list_training_runs(state: Any) -> Any:
    state.rest = state.service.create_rest_client()
    return len(waited(state.rest.list_training_runs()).training_runs)


@step
def get_training_run(state: Any) -> Any:
    return waited(state.rest.get_training_run(state.training.model_id)).base_model


@step
def list_checkpoints(state: Any) -> Any:
    found = waited(state.rest.list_checkpoints(state.training.model_id)).checkpoints
    return sorted(one.checkpoint_id for one in found)


@step
def list_user_checkpoints(state: Any) -> Any:
    return len(waited(state.rest.list_user_checkpoints()).checkpoints)


@step
def publish(state: Any) -> Any:
    waited(state.rest.publish_checkpoint_from_tinker_path(state.saved))
    return "published"


@step
def unpublish(state: Any) -> Any:
    waited(state.rest.unpublish_checkpoint_from_tinker_path(state.saved))
    return "private again"


@step
def archive(state: Any) -> Any:
    found = waited(state.rest.get_checkpoint_archive_url_from_tinker_path(state.sampler_path))
    with urllib.request.urlopen(found.url, timeout=STEP_SECONDS) as answer:
        return f"{len(answer.read())} bytes"


@step
def delete(state: Any) -> Any:
    waited(state.rest.delete_checkpoint_from_tinker_path(state.saved))
    return "deleted"


def refusal(attempt: Any) -> str:
    """What a mistake is answered with; that it is answered is what counts."""
    try:
        attempt()
    except client.TinkerError as error:
        return f"refused: {type(error).__name__}"
    except (TypeError, ValueError) as error:
        return f"refused: {type(error).__name__}"
    return "accepted"


@step
def unknown_model(state: Any) -> Any:
    return refusal(lambda: waited(state.service.create_lora_training_client("no/such", rank=8)))


@step
def unknown_checkpoint(state: Any) -> Any:
    path = state.saved.replace("tour", "nothing")
    return refusal(lambda: waited(state.training.load_state(path)))


@step
def wrong_inputs(state: Any) -> Any:
    wrong = types.Datum(
        model_input=types.ModelInput.from_ints(TOKENS[0]), loss_fn_inputs={"weights": [1.0]}
    )
    return refusal(lambda: waited(state.training.forward_backward([wrong], "cross_entropy")))


@step
def go_on_after_mistakes(state: Any) -> Any:
    return round(loss_of(waited(state.training.forward(data(), "cross_entropy"))), 2)


def main() -> None:
    step.run(SimpleNamespace(), limit=STEP_SECONDS)
    # A step that hangs has threads of the client's still waiting.
    threading.Thread(target=os._exit, args=(0,), daemon=True).start()


if __name__ == "__main__":
    main()
