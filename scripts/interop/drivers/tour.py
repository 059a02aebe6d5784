"""An official SDK's tour of a server: the steps of `tests/interop/servers` that it can take, too.

They have the same names and do the same. DRIVER_BASE_MODEL names the model. Each step has
DRIVER_STEP_SECONDS; one that takes longer hangs, and is left behind.
"""

from __future__ import annotations

import os
import threading
from types import SimpleNamespace
from typing import Any

import tinker
from steps import Steps
from tinker import types
from tinker.lib.public_interfaces.rest_client import RestClient

BASE_MODEL = os.environ["DRIVER_BASE_MODEL"]
STEP_SECONDS = float(os.environ["DRIVER_STEP_SECONDS"])
# Bytes of a text; every tokenizer here has at least as many tokens.
TEXTS = (b"To be, or not to be", b"That is the question", b"Whether 'tis nobler", b"In the mind")
TOKENS = [[byte + 1 for byte in text] for text in TEXTS]
STEPS = 8

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
def capabilities(state: Any) -> Any:
    state.service = tinker.ServiceClient()
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
def importance_sampling(state: Any) -> Any:
    return reinforce(state, "importance_sampling")


@step
def ppo(state: Any) -> Any:
    return reinforce(state, "ppo")


def reinforce(state: Any, loss_fn: str) -> Any:
    tokens = TOKENS[0]
    count = len(tokens) - 1
    inputs = {
        "target_tokens": tokens[1:],
        "logprobs": [-1.5] * count,
        "advantages": [0.5] * count,
    }
    one = types.Datum(model_input=types.ModelInput.from_ints(tokens[:-1]), loss_fn_inputs=inputs)
    output = waited(state.training.forward_backward([one], loss_fn))
    waited(state.training.optim_step(types.AdamParams(learning_rate=0.0)))
    return sorted(output.metrics)


@step
def save_state(state: Any) -> Any:
    state.saved = waited(state.training.save_state("tour")).path
    return state.saved


@step
def load_state(state: Any) -> Any:
    waited(state.training.load_state(state.saved))
    return "loaded"


@step
def create_training_client_from_state(state: Any) -> Any:
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
def create_sampling_client(state: Any) -> Any:
    state.sampler = waited(state.service.create_sampling_client(model_path=state.sampler_path))
    return "created"


@step
def sample(state: Any) -> Any:
    return sampled(state.sampler)


@step
def compute_logprobs(state: Any) -> Any:
    found = waited(state.sampler.compute_logprobs(types.ModelInput.from_ints(TOKENS[0])))
    return f"{len(found)} for {len(TOKENS[0])} tokens"


@step
def save_weights_and_get_sampling_client(state: Any) -> Any:
    return sampled(waited(state.training.save_weights_and_get_sampling_client()))


@step
def sample_the_base_model(state: Any) -> Any:
    return sampled(waited(state.service.create_sampling_client(base_model=BASE_MODEL)))


def refusal(attempt: Any) -> str:
    """What a mistake is answered with; that it is answered is what counts."""
    try:
        attempt()
    except (tinker.TinkerError, TypeError, ValueError) as error:
        return f"refused: {type(error).__name__}: {error}"
    return "accepted: the server took it"


@step
def loss_inputs_missing(state: Any) -> Any:
    wrong = types.Datum(
        model_input=types.ModelInput.from_ints(TOKENS[0]),
        loss_fn_inputs={"advantages": [1.0] * len(TOKENS[0])},
    )
    attempt = state.training.forward_backward
    return refusal(lambda: waited(attempt([wrong], "importance_sampling")))


@step
def trains_on_after_it(state: Any) -> Any:
    return trains(state)


def trains(state: Any) -> Any:
    done = state.training.forward_backward(data(), "cross_entropy")
    waited(state.training.optim_step(types.AdamParams(learning_rate=0.0)))
    return round(loss_of(waited(done)), 2)


@step
def load_a_missing_state(state: Any) -> Any:
    attempt = state.training.load_state
    return refusal(lambda: waited(attempt("tinker://no-such-run/weights/no-such-name")))


@step
def trains_on_after_a_failed_load(state: Any) -> Any:
    return trains(state)


@step
def train_an_unknown_model(state: Any) -> Any:
    attempt = state.service.create_lora_training_client
    return refusal(lambda: waited(attempt("no/such-model", rank=8)))


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


def archive_url(state: Any) -> Any:
    found = waited(state.rest.get_checkpoint_archive_url_from_tinker_path(state.sampler_path))
    return "an address" if found.url else "none"


if hasattr(RestClient, "get_checkpoint_archive_url_from_tinker_path"):  # Later releases have not.
    step(archive_url)


@step
def delete_state(state: Any) -> Any:
    waited(state.rest.delete_checkpoint_from_tinker_path(state.saved))
    return "deleted"


def main() -> None:
    step.run(SimpleNamespace(), limit=STEP_SECONDS)
    # A step that hangs has threads of the client's still waiting.
    threading.Thread(target=os._exit, args=(0,), daemon=True).start()


if __name__ == "__main__":
    main()
