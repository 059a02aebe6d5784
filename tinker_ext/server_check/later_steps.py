"""Operations that later releases than 0.4.1 added; older servers reject them."""

from __future__ import annotations

from tinker_ext.server_check.outcomes import Capability
from tinker_ext.server_check.runner import State, Steps

LATER = Steps()
step = LATER


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
