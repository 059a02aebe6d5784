"""The official SDK of 0.4.1 trains and samples on the embedded backend, by the specification.

What it sends and what it is answered passes through a recorder; all of it is held to the
specification of its release.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from attrs import frozen
from interop.contract import contract
from interop.recorder import Forwarder, recording
from interop.session import drive

from tinker_ext.embedded.launch import start_embedded

if TYPE_CHECKING:
    from interop.recorder import Exchange
    from interop.session import Run

# The first run makes the environment as well.
pytestmark = [pytest.mark.interop, pytest.mark.timeout(400)]

RELEASE = "0.4.1"


@frozen
class Day:
    """A run of the driver and what went over the wire."""

    run: Run
    exchanges: list[Exchange]

    def value(self, step: str) -> Any:
        return self.run.steps[step].value


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    with (
        start_embedded(tmp_path_factory.mktemp("state")) as server,
        recording(Forwarder(server.url)) as record,
    ):
        run = drive(RELEASE, "train_and_sample", record.url)
        return Day(run, list(record.exchanges))


def test_every_step_succeeds(day: Day) -> None:
    assert day.run.failures == {}
    assert day.value("open_service") == RELEASE
    assert day.value("capabilities") == ["embedded/tiny"]
    assert len(day.run.steps) >= 27


def test_the_loss_falls(day: Day) -> None:
    losses = day.value("train")
    assert losses[-1] < 0.4 * losses[0]


def test_a_batch_of_several_chunks_comes_back_whole(day: Day) -> None:
    assert day.value("train_in_chunks") == 160


def test_a_custom_loss_gives_its_own_metrics(day: Day) -> None:
    metrics = day.value("custom_loss")
    # The surrogate's loss is the same number here, as the loss is linear in the logprobs.
    assert metrics["custom:sum"] == pytest.approx(metrics["loss:sum"], rel=1e-3)


def test_loading_gives_back_what_was_saved(day: Day) -> None:
    loaded = day.value("load_state")
    assert loaded["spoiled"] > 2 * loaded["before"]
    assert loaded["after"] == pytest.approx(loaded["before"], rel=1e-6)
    assert day.value("create_from_state")["loss"] == pytest.approx(loaded["before"], rel=1e-6)


def test_samples_are_the_same_for_the_same_weights_and_seed(day: Day) -> None:
    samples = day.value("sample")
    assert samples == day.value("sample_ephemeral")
    assert samples != day.value("sample_base")
    for one in samples:
        assert one["stop_reason"] in {"length", "stop"}
        assert len(one["logprobs"]) == len(one["tokens"]) <= 8


def test_prompts_are_scored(day: Day) -> None:
    scored = day.value("sample_with_prompt_logprobs")
    assert scored["prompt_logprobs"][0] is None
    assert len(scored["prompt_logprobs"]) == len(scored["topk"]) == scored["prompt"]
    assert set(scored["topk"][1:]) == {3}
    assert scored["prompt_logprobs"] == pytest.approx(day.value("compute_logprobs"), nan_ok=True)


def test_checkpoints_are_listed_published_packed_and_deleted(day: Day) -> None:
    assert day.value("list_checkpoints")["run"] == ["sampler_weights/interop", "weights/interop"]
    assert day.value("publish") == [True, False]
    assert day.value("archive")["gzip"]
    assert day.value("delete") == 0


def test_a_mistake_is_an_error_and_no_more(day: Day) -> None:
    assert day.value("refused") == "RequestFailedError"


def test_everything_said_and_answered_is_as_specified(day: Day) -> None:
    specified = contract(RELEASE)
    verdicts = [specified.verdict(exchange) for exchange in day.exchanges]
    assert sorted({problem for verdict in verdicts for problem in verdict.problems}) == []


def test_every_operation_of_the_release_was_used(day: Day) -> None:
    specified = contract(RELEASE)
    used = {specified.verdict(exchange).operation_id for exchange in day.exchanges}
    assert sorted(set(specified.operation_ids) - used) == []
