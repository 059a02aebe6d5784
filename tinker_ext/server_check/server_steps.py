"""Steps with everything else: mistakes, operations of later releases, runs and checkpoints.

Each deliberate mistake must raise an error of the client and leave the client usable.
"""

from __future__ import annotations

import socket

import tinker_ext as tinker
from tinker_ext.server_check.model_steps import NO_LEARNING
from tinker_ext.server_check.runner import Capability, State, Steps, described, refused, results_of

SERVER_STEPS = Steps()
step = SERVER_STEPS

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


# Operations that later releases than 0.4.1 added; older servers reject them.


@step(Capability.RESUMES)
def load_state_with_optimizer(state: State) -> None:
    state.training.load_state_with_optimizer(state.saved).result()


@step(Capability.LISTS)
def weights_info(state: State) -> None:
    info = state.rest.get_weights_info_by_tinker_path(state.saved).result()
    assert info.base_model == state.server.model


@step(Capability.LISTS)
def get_sampler(state: State) -> None:
    sampler = state.rest.get_sampler(state.sampler.sampling_session_id).result()
    assert sampler.base_model == state.server.model


@step(Capability.LISTS)
def list_sessions(state: State) -> str:
    sessions = state.rest.list_sessions().result().sessions
    assert sessions
    state.results["session"] = sessions[0]
    return f"{len(sessions)} sessions"


@step(Capability.LISTS)
def get_session(state: State) -> str:
    session = state.rest.get_session(state.session).result()
    return f"{len(session.training_run_ids)} runs, {len(session.sampler_ids)} samplers"


@step(Capability.PUBLISHES)
def keep_for_an_hour(state: State) -> None:
    state.rest.set_checkpoint_ttl_from_tinker_path(state.sampler_path, 3600).result()
    checkpoints = state.rest.list_checkpoints(state.training.model_id).result().checkpoints
    [saved] = [item for item in checkpoints if item.tinker_path == state.sampler_path]
    assert saved.expires_at is not None


@step(Capability.RESUMES)
def copy_weights(state: State) -> None:
    copied = state.rest.copy_weights(state.saved).result()
    assert copied.startswith("tinker://")
    assert copied != state.saved
    state.results["copied"] = copied


@step(Capability.PUBLISHES)
def save_weights_external(state: State) -> None:
    state.results["outside"] = state.training.save_weights_external("outside").result().path


@step(Capability.TRAINS)
def trains_on_after_this(state: State) -> None:
    """An operation that the server lacks does not use up a sequence number."""
    output = state.training.forward(state.data, "cross_entropy").result()
    assert len(output.loss_fn_outputs) == len(state.data)


@step(Capability.PUBLISHES)
def external_weights_urls(state: State) -> None:
    assert state.rest.get_external_weights_urls(state.outside).result().urls


@step(Capability.CONNECTS)
def protocol(state: State) -> str:
    """The protocol that the client has negotiated."""
    return str(state.service.server_protocol)


# Training runs and checkpoints: find, list, publish, archive, delete.


@step(Capability.LISTS)
def list_training_runs(state: State) -> str:
    state.results["rest"] = state.service.create_rest_client()
    page = state.rest.list_training_runs(limit=10).result()
    assert page.training_runs
    return f"{len(page.training_runs)} runs"


@step(Capability.LISTS)
def get_training_run(state: State) -> None:
    run = state.rest.get_training_run(state.training.model_id).result()
    assert run.training_run_id == state.training.model_id


@step(Capability.LISTS)
def get_training_run_by_path(state: State) -> None:
    run = state.rest.get_training_run_by_tinker_path(state.saved).result()
    assert run.training_run_id == state.training.model_id


@step(Capability.LISTS)
def list_checkpoints(state: State) -> str:
    checkpoints = state.rest.list_checkpoints(state.training.model_id).result().checkpoints
    assert checkpoints
    return ", ".join(sorted(str(checkpoint.checkpoint_id) for checkpoint in checkpoints))


@step(Capability.LISTS)
def list_user_checkpoints(state: State) -> str:
    return f"{len(state.rest.list_user_checkpoints(limit=10).result().checkpoints)} checkpoints"


@step(Capability.PUBLISHES)
def publish(state: State) -> None:
    state.rest.publish_checkpoint_from_tinker_path(state.saved).result()
    assert _is_public(state)


@step(Capability.PUBLISHES)
def unpublish(state: State) -> None:
    state.rest.unpublish_checkpoint_from_tinker_path(state.saved).result()
    assert not _is_public(state)


def _is_public(state: State) -> bool:
    checkpoints = state.rest.list_checkpoints(state.training.model_id).result().checkpoints
    return any(checkpoint.public for checkpoint in checkpoints)


@step(Capability.PUBLISHES)
def archive_url(state: State) -> None:
    response = state.rest.get_checkpoint_archive_url_from_tinker_path(state.sampler_path).result()
    assert response.url


@step(Capability.PUBLISHES)
def delete_weights_for_sampler(state: State) -> None:
    state.rest.delete_checkpoint_from_tinker_path(state.sampler_path).result()


@step(Capability.PUBLISHES)
def delete_state(state: State) -> None:
    """Deletes the other saved states as well, so that a check leaves as little as possible."""
    state.rest.delete_checkpoint_from_tinker_path(state.saved).result()
    for name in ("second", "copied"):
        if path := state.results.get(name):
            state.rest.delete_checkpoint_from_tinker_path(path).result()
