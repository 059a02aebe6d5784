"""What releases after 0.4.1 brought; a server of an earlier one says that it has none of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.interop.servers.driver import Steps

if TYPE_CHECKING:
    from tests.interop.servers.driver import State

LATER = Steps()
step = LATER


@step
def load_state_with_optimizer(state: State) -> str:
    state.training.load_state_with_optimizer(state.saved).result()
    return ""


@step
def weights_info(state: State) -> str:
    info = state.rest.get_weights_info_by_tinker_path(state.saved).result()
    assert info.base_model == state.server.model
    return ""


@step
def get_sampler(state: State) -> str:
    found = state.rest.get_sampler(state.sampler.sampling_session_id).result()
    assert found.base_model == state.server.model
    return ""


@step
def list_sessions(state: State) -> str:
    found = state.rest.list_sessions().result().sessions
    assert found
    state.made["session"] = found[0]
    return f"{len(found)} sessions"


@step
def get_session(state: State) -> str:
    found = state.rest.get_session(state.session).result()
    return f"{len(found.training_run_ids)} runs, {len(found.sampler_ids)} samplers"


@step
def keep_for_an_hour(state: State) -> str:
    state.rest.set_checkpoint_ttl_from_tinker_path(state.sampler_path, 3600).result()
    found = state.rest.list_checkpoints(state.training.model_id).result().checkpoints
    [one] = [one for one in found if one.tinker_path == state.sampler_path]
    assert one.expires_at is not None
    return ""


@step
def copy_weights(state: State) -> str:
    copied = state.rest.copy_weights(state.saved).result()
    assert copied.startswith("tinker://")
    assert copied != state.saved
    return ""


@step
def save_weights_external(state: State) -> str:
    state.made["outside"] = state.training.save_weights_external("outside").result().path
    return ""


@step
def trains_on_after_this(state: State) -> str:
    """What a server has not got takes no number of the order that training keeps."""
    output = state.training.forward(state.data, "cross_entropy").result()
    assert len(output.loss_fn_outputs) == len(state.data)
    return ""


@step
def external_weights_urls(state: State) -> str:
    assert state.rest.get_external_weights_urls(state.outside).result().urls
    return ""


@step
def dialect(state: State) -> str:
    """What the client has found out by now."""
    return str(state.service.dialect)
