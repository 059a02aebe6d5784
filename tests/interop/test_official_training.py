"""The official SDK of 0.4.1 runs the program `baseline` on the embedded backend.

A recorder keeps its traffic, which is validated against the specification of the release.
"""

from __future__ import annotations

from typing import Any

import pytest

from conformance.interop.traffic import Traffic

# The first run also creates the environment.
pytestmark = [pytest.mark.interop, pytest.mark.timeout(400)]

RELEASE = "0.4.1"


@pytest.fixture(scope="module")
def baseline(traffic: dict[str, Traffic]) -> Traffic:
    assert [setup.server for setup, _ in traffic[RELEASE].exchanges[:1]] == ["embedded"]
    return traffic[RELEASE]


def value(baseline: Traffic, step: str) -> Any:
    """The value of a step of the program."""
    return baseline.runs[0].steps[step].value


def test_every_step_succeeds(baseline: Traffic) -> None:
    assert baseline.failures == {}
    assert value(baseline, "open_service") == RELEASE
    assert value(baseline, "capabilities") == ["embedded/tiny"]
    assert len(baseline.runs[0].steps) >= 27


def test_the_loss_falls(baseline: Traffic) -> None:
    losses = value(baseline, "train")
    assert losses[-1] < 0.4 * losses[0]


def test_chunked_batch_returns_every_output(baseline: Traffic) -> None:
    assert value(baseline, "train_in_chunks") == 160


def test_custom_loss_returns_its_own_metrics(baseline: Traffic) -> None:
    metrics = value(baseline, "custom_loss")
    # The surrogate has the same loss, because this loss is linear in the logprobs.
    assert metrics["custom:sum"] == pytest.approx(metrics["loss:sum"], rel=1e-3)


def test_load_state_restores_saved_weights(baseline: Traffic) -> None:
    loaded = value(baseline, "load_state_after_damage")
    assert loaded["damaged"] > 2 * loaded["before"]
    assert loaded["after"] == pytest.approx(loaded["before"], rel=1e-6)
    assert value(baseline, "second_model_loss") == pytest.approx(loaded["before"], rel=1e-6)


def test_same_weights_and_seed_give_same_sample(baseline: Traffic) -> None:
    samples = value(baseline, "sample")
    assert samples == value(baseline, "save_weights_and_get_sampling_client")
    assert samples != value(baseline, "sample_the_base_model")
    for sequence in samples:
        assert sequence["stop_reason"] in {"length", "stop"}
        assert len(sequence["logprobs"]) == len(sequence["tokens"]) <= 8


def test_prompt_logprobs_are_returned(baseline: Traffic) -> None:
    scored = value(baseline, "sample_with_prompt_logprobs")
    assert scored["prompt_logprobs"][0] is None
    assert len(scored["prompt_logprobs"]) == len(scored["topk"]) == scored["prompt"]
    assert set(scored["topk"][1:]) == {3}
    assert scored["prompt_logprobs"] == pytest.approx(
        value(baseline, "compute_logprobs"), nan_ok=True
    )


def test_checkpoints_are_listed_published_archived_and_deleted(baseline: Traffic) -> None:
    assert value(baseline, "list_checkpoints") == ["sampler_weights/interop", "weights/interop"]
    assert [value(baseline, "is_public"), value(baseline, "is_private_again")] == [True, True]
    assert value(baseline, "download_archive")["gzip"]
    assert value(baseline, "delete") == 0


def test_invalid_datum_raises_request_failed_error(baseline: Traffic) -> None:
    assert value(baseline, "invalid_datum") == "RequestFailedError"


def test_traffic_is_valid(baseline: Traffic) -> None:
    assert baseline.problems == []


def test_every_operation_of_the_release_was_used(baseline: Traffic) -> None:
    assert baseline.summary["unconfirmed"] == []
