"""`recipes.Run`: resuming after `kill -9`, and recovery from lost sessions and corrupted runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinker_ext as tinker
from tests.builders import DATUM
from tinker_ext import recipes
from tinker_ext.testing import FakeServer, Reply, make_client

NO_MODEL = Reply(404, {"detail": "Model session-1:train:0 not found"})
USER_ERROR = {"type": "request_failed", "error": "bad state", "category": "user_error"}
SERVER_ERROR = {"type": "request_failed", "error": "worker lost", "category": "server_error"}

STEP = recipes.supervised(recipes.Batches([DATUM], size=1), recipes.constant(1e-3))


def sessions_server() -> FakeServer:
    """A server that gives each session an id of its own."""
    server = FakeServer()
    ids = (Reply(200, {"session_id": f"session-{number}"}) for number in range(1, 9))
    server.respond("create_session", *ids)
    return server


def run_of(
    server: FakeServer,
    folder: Path,
    *,
    attempts: int = 5,
    keep_best: str | None = None,
    on_recovery: Callable[[recipes.Recovery], object] | None = None,
) -> recipes.Run:
    return recipes.Run(
        partial(make_client, server),
        "fake/model",
        folder=folder,
        rank=8,
        attempts=attempts,
        keep_last=2,
        keep_best=keep_best,
        on_recovery=on_recovery,
        sleep=lambda _: None,
    )


def test_run_trains_evaluates_and_saves(tmp_path: Path) -> None:
    server, seen = sessions_server(), list[tuple[int, Mapping[str, float]]]()
    evaluated: list[int] = []

    def evaluate(training: tinker.TrainingClient, step: int) -> dict[str, float]:
        evaluated.append(step)
        return {"eval_loss": 10.0 - step}

    with run_of(server, tmp_path) as run:
        last = run.train(
            STEP,
            steps=5,
            checkpoint_every=2,
            evaluate=evaluate,
            on_metrics=lambda step, metrics: seen.append((step, metrics)),
        )
    assert [step for step, _ in seen] == [1, 2, 3, 4, 5]
    assert evaluated == [2, 4, 5]
    assert last.step == 5
    assert last.metrics["eval_loss"] == 5.0
    assert [call.body["path"] for call in server.calls("save_weights")] == [
        "step-000002",
        "step-000004",
        "step-000005",
    ]
    assert len(server.calls("delete_checkpoint")) == 1
    rates = [call.body["adam_params"]["learning_rate"] for call in server.calls("optim_step")]
    assert rates == [1e-3] * 5


@pytest.mark.parametrize("number", [np.float32(2.5), np.float64(2.5), np.array(2.5)])
def test_metrics_of_numpy_are_stored_as_numbers(tmp_path: Path, number: Any) -> None:
    server, seen = sessions_server(), list[Mapping[str, float]]()
    for steps in (1, 2):
        with run_of(server, tmp_path, keep_best="reward") as run:
            last = run.train(
                lambda training, _: {"reward": number},
                steps=steps,
                evaluate=lambda training, _: {"eval_reward": number},
                on_metrics=lambda _, metrics: seen.append(metrics),
            )
    assert last.metrics == seen[1] == {"reward": 2.5, "eval_reward": 2.5}
    assert {type(value) for value in seen[1].values()} == {float}
    assert len(server.calls("load_weights")) == 1, "the second run resumed"


@pytest.mark.parametrize(
    ("metrics", "where"),
    [
        ({"reward": "high"}, "metrics['reward']"),
        ({"reward": None}, "metrics['reward']"),
        ({"reward": np.zeros(2)}, "metrics['reward']"),
        ({"reward": 10**400}, "metrics['reward']"),
        (None, "metrics"),
        ([1.0], "metrics"),
    ],
)
def test_metric_that_is_not_a_number_ends_the_run_before_a_state_is_saved(
    tmp_path: Path, metrics: Any, where: str
) -> None:
    server = sessions_server()
    with run_of(server, tmp_path) as run:
        with pytest.raises(tinker.InvalidInputError) as caught:
            run.train(lambda training, _: metrics, steps=1)
        assert caught.value.where == where
        with pytest.raises(tinker.InvalidInputError):
            run.train(lambda training, _: {}, steps=1, evaluate=lambda training, _: metrics)
        with pytest.raises(tinker.InvalidInputError):
            run.checkpoints.save(run.training, 1, metrics)
    assert not server.calls("save_weights")


@pytest.mark.parametrize("bad", [0, 1.5, "3", None])
@pytest.mark.parametrize("name", ["steps", "checkpoint_every"])
def test_number_of_steps_that_is_not_positive_is_rejected(
    tmp_path: Path, name: str, bad: Any
) -> None:
    with run_of(sessions_server(), tmp_path) as run:
        numbers: dict[str, Any] = {"steps": 1, name: bad}
        with pytest.raises(tinker.InvalidInputError, match=f"{name}: expected an integer"):
            run.train(STEP, **numbers)


def test_completed_run_trains_nothing_when_run_again(tmp_path: Path) -> None:
    server = sessions_server()
    for _ in range(2):
        with run_of(server, tmp_path) as run:
            last = run.train(STEP, steps=3)
    assert last.step == 3
    assert len(server.calls("optim_step")) == 3
    with run_of(server, tmp_path) as run:
        assert run.train(STEP, steps=4).step == 4
    assert len(server.calls("optim_step")) == 4


@pytest.mark.parametrize("failure", ["model", "session", "server error", "corrupted"])
def test_lost_run_is_opened_again_from_its_latest_state(tmp_path: Path, failure: str) -> None:
    server, recoveries = sessions_server(), list[recipes.Recovery]()
    done: list[int] = []

    def step(training: tinker.TrainingClient, number: int) -> Mapping[str, float]:
        if number == 3 and not recoveries:
            if failure == "model":
                server.respond("forward_backward", NO_MODEL)
            elif failure == "session":
                raise tinker.SessionLostError("no heartbeat", session_id="s")
            else:
                body = USER_ERROR if failure == "corrupted" else SERVER_ERROR
                server.respond("forward_backward", server.submitted(body))
            if failure == "corrupted":
                corrupted = {
                    "training_run_id": training.model_id,
                    "base_model": "fake/model",
                    "model_owner": "o",
                    "is_lora": True,
                    "corrupted": True,
                    "last_request_time": "2026-01-01T00:00:00Z",
                }
                server.respond("get_training_run", Reply(200, corrupted))
        metrics = STEP(training, number)
        done.append(number)
        return metrics

    with run_of(server, tmp_path, on_recovery=recoveries.append) as run:
        assert run.train(step, steps=4, checkpoint_every=2).step == 4
    assert done == [0, 1, 2, 2, 3], "steps after the latest state are repeated"
    (recovery,) = recoveries
    assert (recovery.step, recovery.attempt) == (3, 1)
    assert recovery.state is not None
    assert recovery.state.step == 2
    (loaded,) = server.calls("load_weights")
    assert loaded.body["path"] == recovery.state.path
    assert loaded.body["optimizer"] is True
    assert len(server.calls("create_session")) == 2


def test_error_of_the_user_is_raised_at_once(tmp_path: Path) -> None:
    server = sessions_server()
    server.respond("forward_backward", server.submitted(USER_ERROR))
    with run_of(server, tmp_path) as run, pytest.raises(tinker.RequestFailedError):
        run.train(STEP, steps=3)
    assert len(server.calls("create_session")) == 1


def test_failure_at_the_same_step_is_raised_after_the_allowed_attempts(tmp_path: Path) -> None:
    server, attempts = sessions_server(), list[int]()

    def step(training: tinker.TrainingClient, number: int) -> Mapping[str, float]:
        if number == 3:
            raise tinker.SessionLostError("lost again", session_id="s")
        return STEP(training, number)

    with (
        run_of(
            server, tmp_path, attempts=2, on_recovery=lambda r: attempts.append(r.attempt)
        ) as run,
        pytest.raises(tinker.SessionLostError, match="lost again"),
    ):
        run.train(step, steps=10, checkpoint_every=2)
    assert attempts == [1, 2]
    assert len(server.calls("create_session")) == 3


def test_failed_recovery_counts_as_an_attempt(tmp_path: Path) -> None:
    server, attempts = sessions_server(), list[int]()
    failing = iter([False, True, True, False])

    def connect() -> tinker.ServiceClient:
        if next(failing):
            raise tinker.APIConnectionError("refused")
        return make_client(server)

    def step(training: tinker.TrainingClient, number: int) -> Mapping[str, float]:
        if not attempts:
            raise tinker.SessionLostError("lost", session_id="s")
        return STEP(training, number)

    run = recipes.Run(
        connect,
        "fake/model",
        folder=tmp_path,
        on_recovery=lambda recovery: attempts.append(recovery.attempt),
        sleep=lambda _: None,
    )
    with run:
        run.train(step, steps=1)
    assert attempts == [1, 2, 3]


def test_run_opens_an_earlier_state_if_the_latest_is_gone(tmp_path: Path) -> None:
    server = sessions_server()
    with run_of(server, tmp_path) as run:
        run.train(STEP, steps=4, checkpoint_every=2)
    server.respond("load_weights", Reply(404, {"detail": "checkpoint not found"}))
    with run_of(server, tmp_path) as run:
        assert run.step == 2
        assert [state.step for state in run.checkpoints.states] == [2]


def test_run_without_any_of_its_states_raises_instead_of_starting_anew(tmp_path: Path) -> None:
    server = sessions_server()
    with run_of(server, tmp_path) as run:
        run.train(STEP, steps=2)
    server.respond_always("load_weights", Reply(404, {"detail": "checkpoint not found"}))
    for _ in range(2):
        with pytest.raises(tinker.NotFoundError) as caught, run_of(server, tmp_path):
            pass
        assert str(caught.value).endswith(
            f"None of the saved states in {tmp_path / 'checkpoints.jsonl'} can be opened. If the "
            "server no longer has them, delete this file or use another folder to start again from "
            "step 0."
        )
    assert len(server.calls("create_model")) == len(server.calls("load_weights")) + 1


def test_state_that_can_not_be_deleted_is_deleted_later(tmp_path: Path) -> None:
    server = sessions_server()
    server.respond("delete_checkpoint", Reply(403, {"detail": "not now"}))
    with run_of(server, tmp_path) as run:
        run.train(STEP, steps=4, checkpoint_every=1)
        assert [state.step for state in run.checkpoints.states] == [3, 4]
    assert len(server.calls("delete_checkpoint")) == 3


def test_folder_in_use_is_rejected(tmp_path: Path) -> None:
    server = sessions_server()
    with run_of(server, tmp_path), pytest.raises(tinker.InvalidInputError, match="another program"):
        run_of(server, tmp_path).__enter__()


def test_killed_run_continues_with_the_same_losses(tmp_path: Path) -> None:
    """A process that is killed and a second one train as one that is not interrupted."""

    def losses(folder: str, kill_at: int | None) -> dict[int, float]:
        arguments = [str(tmp_path / folder), "" if kill_at is None else str(kill_at)]
        process = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("recipe_program.py")), *arguments],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
        expected = 0 if kill_at is None else -signal.SIGKILL
        assert process.returncode == expected, process.stderr
        lines = [json.loads(line) for line in process.stdout.splitlines()]
        return {line["step"]: line["loss"] for line in lines}

    expected = losses("whole", None)
    assert list(expected) == [1, 2, 3, 4, 5, 6, 7, 8]
    killed = [losses("killed", 6), losses("killed", None)]
    assert [list(part) for part in killed] == [[1, 2, 3, 4, 5], [5, 6, 7, 8]]
    for part in killed:
        assert list(part.values()) == pytest.approx([expected[step] for step in part], rel=1e-5)
