"""Training runs and checkpoints: find, list, publish, archive, delete."""

from __future__ import annotations

from tinker_ext.server_check.outcomes import Capability
from tinker_ext.server_check.runner import State, Steps

CHECKPOINTS = Steps()
step = CHECKPOINTS


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
