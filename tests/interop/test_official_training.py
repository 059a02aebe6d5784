"""The official SDK of 0.4.1 trains and samples on the embedded backend, by the specification.

What it sends and what it is answered passes through a recorder; all of it is held to the
specification of its release.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from interop.traffic import Traffic

# The first run makes the environment as well.
pytestmark = [pytest.mark.interop, pytest.mark.timeout(400)]

RELEASE = "0.4.1"


@pytest.fixture(scope="module")
def day(traffic: dict[str, Traffic]) -> Traffic:
    assert [scene.server for scene, _ in traffic[RELEASE].exchanges[:1]] == ["embedded"]
    return traffic[RELEASE]


def value(day: Traffic, step: str) -> Any:
    """What a step of the driver found."""
    return day.runs[0].steps[step].value


def test_every_step_succeeds(day: Traffic) -> None:
    assert day.failures == {}
    assert value(day, "open_service") == RELEASE
    assert value(day, "capabilities") == ["embedded/tiny"]
    assert len(day.runs[0].steps) >= 27


def test_the_loss_falls(day: Traffic) -> None:
    losses = value(day, "train")
    assert losses[-1] < 0.4 * losses[0]


def test_a_batch_of_several_chunks_comes_back_whole(day: Traffic) -> None:
    assert value(day, "train_in_chunks") == 160


def test_a_custom_loss_gives_its_own_metrics(day: Traffic) -> None:
    metrics = value(day, "custom_loss")
    # The surrogate's loss is the same number here, as the loss is linear in the logprobs.
    assert metrics["custom:sum"] == pytest.approx(metrics["loss:sum"], rel=1e-3)


def test_loading_gives_back_what_was_saved(day: Traffic) -> None:
    loaded = value(day, "load_state")
    assert loaded["spoiled"] > 2 * loaded["before"]
    assert loaded["after"] == pytest.approx(loaded["before"], rel=1e-6)
    assert value(day, "create_from_state")["loss"] == pytest.approx(loaded["before"], rel=1e-6)


def test_samples_are_the_same_for_the_same_weights_and_seed(day: Traffic) -> None:
    samples = value(day, "sample")
    assert samples == value(day, "sample_ephemeral")
    assert samples != value(day, "sample_base")
    for one in samples:
        assert one["stop_reason"] in {"length", "stop"}
        assert len(one["logprobs"]) == len(one["tokens"]) <= 8


def test_prompts_are_scored(day: Traffic) -> None:
    scored = value(day, "sample_with_prompt_logprobs")
    assert scored["prompt_logprobs"][0] is None
    assert len(scored["prompt_logprobs"]) == len(scored["topk"]) == scored["prompt"]
    assert set(scored["topk"][1:]) == {3}
    assert scored["prompt_logprobs"] == pytest.approx(value(day, "compute_logprobs"), nan_ok=True)


def test_checkpoints_are_listed_published_packed_and_deleted(day: Traffic) -> None:
    assert value(day, "list_checkpoints")["run"] == ["sampler_weights/interop", "weights/interop"]
    assert value(day, "publish") == [True, False]
    assert value(day, "archive")["gzip"]
    assert value(day, "delete") == 0


def test_a_mistake_is_an_error_and_no_more(day: Traffic) -> None:
    assert value(day, "refused") == "RequestFailedError"


def test_everything_said_and_answered_is_as_specified(day: Traffic) -> None:
    assert day.problems == []


def test_every_operation_of_the_release_was_used(day: Traffic) -> None:
    assert day.summary["unconfirmed"] == []
