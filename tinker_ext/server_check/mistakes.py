"""Deliberate mistakes: each must raise an error of the client and leave the client usable."""

from __future__ import annotations

import socket

import tinker_ext as tinker
from tinker_ext.server_check.outcomes import Capability
from tinker_ext.server_check.runner import State, Steps, described, refused, results_of
from tinker_ext.server_check.training_steps import NO_LEARNING

MISTAKES = Steps()
step = MISTAKES

# A valid path of a checkpoint that does not exist.
NO_CHECKPOINT = "tinker://no-such-run/weights/no-such-name"


@step(Capability.MISTAKES)
def mistakes_seen_before_sending(state: State) -> str:
    wrong = tinker.Datum(
        model_input=tinker.ModelInput.from_ints([1, 2, 3]),
        loss_fn_inputs={"target_tokens": [1, 2, 3], "weights": [1.0]},
    )
    return refused(lambda: state.training.forward_backward([wrong], "cross_entropy"))


@step(Capability.MISTAKES)
def loss_inputs_missing(state: State) -> str:
    """Only the server checks this: the loss needs targets and the sampler's logprobs."""
    wrong = tinker.Datum(
        model_input=tinker.ModelInput.from_ints([1, 2, 3]),
        loss_fn_inputs={"advantages": [1.0, 1.0, 1.0]},
    )
    return refused(lambda: state.training.forward_backward([wrong], "importance_sampling").result())


@step(Capability.TRAINS)
def trains_on_after_it(state: State) -> None:
    _trains(state)


@step(Capability.MISTAKES)
def unknown_loss(state: State) -> str:
    return refused(lambda: state.training.forward_backward(state.data, "no_such_loss").result())


@step(Capability.TRAINS)
def trains_on_after_that(state: State) -> None:
    _trains(state)


def _trains(state: State) -> None:
    output, _ = results_of(
        [
            state.training.forward_backward(state.data, "cross_entropy"),
            state.training.optim_step(tinker.AdamParams(learning_rate=NO_LEARNING)),
        ]
    )
    assert len(output.loss_fn_outputs) == len(state.data)


@step(Capability.MISTAKES)
def load_a_missing_state(state: State) -> str:
    return refused(lambda: state.training.load_state(NO_CHECKPOINT).result())


@step(Capability.TRAINS)
def trains_on_after_a_failed_load(state: State) -> str | None:
    """A server that does not count the failed load may reject the next request once."""
    try:
        _trains(state)
    except tinker.RequestFailedError as error:
        _trains(state)
        return f"at the second try; first {described(error)}"
    return None


@step(Capability.MISTAKES)
def train_an_unknown_model(state: State) -> str:
    return refused(lambda: state.service.create_lora_training_client("no/such-model", rank=8))


@step(Capability.MISTAKES)
def sample_an_unknown_model(state: State) -> str:
    service = state.service
    return refused(lambda: _sample(service.create_sampling_client(base_model="no/such-model")))


@step(Capability.MISTAKES)
def sample_missing_weights(state: State) -> str:
    path = NO_CHECKPOINT.replace("/weights/", "/sampler_weights/")
    return refused(lambda: _sample(state.service.create_sampling_client(path)))


def _sample(sampler: tinker.SamplingClient) -> tinker.SampleResponse:
    prompt = tinker.ModelInput.from_ints([1, 2])
    return sampler.sample(prompt, 1, tinker.SamplingParams(max_tokens=1)).result()


@step(Capability.MISTAKES)
def an_unknown_run(state: State) -> str:
    state.results["rest"] = state.service.create_rest_client()
    return refused(lambda: state.rest.get_training_run("no-such-run").result())


@step(Capability.MISTAKES)
def delete_a_missing_checkpoint(state: State) -> str:
    return refused(lambda: state.rest.delete_checkpoint_from_tinker_path(NO_CHECKPOINT).result())


@step(Capability.MISTAKES)
def a_wrong_key(state: State) -> str:
    with state.server.client(api_key="tml-wrong") as service:
        return refused(lambda: service.create_lora_training_client(state.server.model, rank=8))


@step(Capability.MISTAKES)
def server_is_down(state: State) -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with state.server.client(base_url=url, retry_window=1.0) as service:
        return refused(lambda: service.get_server_capabilities())


@step(Capability.SAMPLES)
def samples_on_after_all_this(state: State) -> None:
    sampler = state.service.create_sampling_client(base_model=state.server.model)
    prompt = tinker.ModelInput.from_ints([84, 111])
    assert sampler.sample(prompt, 1, tinker.SamplingParams(max_tokens=2)).result().sequences
