"""State of the embedded backend that survives ``kill -9``, and errors for state that is lost."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from safetensors.numpy import load_file

from tests.waiting import comes_true
from tinker_ext.embedded.launch import RunningBackend, start_embedded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKENS = list(b"The quick brown fox jumps over the lazy dog.")


class Caller:
    """A client of a running server."""

    def __init__(self, server: RunningBackend) -> None:
        self.server = server
        self.http = httpx.Client(base_url=f"{server.url}/api/v1", timeout=60)

    def post(self, operation: str, **body: Any) -> httpx.Response:
        return self.http.post(operation, json=body)

    def submit(self, operation: str, **body: Any) -> str:
        response = self.post(operation, **body)
        assert response.status_code == 200, response.text
        request_id: str = response.json()["request_id"]
        return request_id

    def result(self, request_id: str) -> dict[str, Any]:
        while True:
            response = self.post("retrieve_future", request_id=request_id)
            assert response.status_code == 200, response.text
            reply: dict[str, Any] = response.json()
            if reply.get("type") != "try_again":
                return reply

    def done(self, operation: str, **body: Any) -> dict[str, Any]:
        return self.result(self.submit(operation, **body))

    def new_model(self, rank: int = 2) -> tuple[str, str]:
        created = self.post("create_session", tags=["t"], user_metadata=None, sdk_version="x")
        session = created.json()["session_id"]
        lora = {"rank": rank, "seed": 1}
        model = self.done(
            "create_model",
            session_id=session,
            model_seq_id=0,
            base_model="embedded/tiny",
            lora_config=lora,
        )["model_id"]
        return session, model

    def forward_backward(self, model: str, seq_id: int) -> dict[str, Any]:
        return self.done("forward_backward", **batch(model, seq_id))

    def kill(self) -> None:
        os.kill(self.server.pid, signal.SIGKILL)


def batch(model: str, seq_id: int) -> dict[str, Any]:
    inputs = {
        "target_tokens": {"data": [*TOKENS[1:], 256], "dtype": "int64"},
        "weights": {"data": [1.0] * len(TOKENS), "dtype": "float32"},
    }
    datum = {"model_input": {"chunks": [{"tokens": TOKENS}]}, "loss_fn_inputs": inputs}
    request = {"data": [datum], "loss_fn": "cross_entropy"}
    return {"model_id": model, "seq_id": seq_id, "forward_backward_input": request}


def greedy(**source: str) -> dict[str, Any]:
    return {
        "prompt": {"chunks": [{"tokens": TOKENS}]},
        "sampling_params": {"max_tokens": 8, "temperature": 0},
        **source,
    }


@contextmanager
def running(state: Path) -> Iterator[Caller]:
    with start_embedded(state) as server:
        caller = Caller(server)
        yield caller
        caller.http.close()


def test_checkpoints_runs_and_sessions_survive_sigkill(tmp_path: Path) -> None:
    with running(tmp_path) as before:
        session, model = before.new_model()
        before.forward_backward(model, 1)
        before.done("optim_step", model_id=model, seq_id=2, adam_params={"learning_rate": 0.01})
        saved = before.done("save_weights", model_id=model, seq_id=3, path="a")["path"]
        passing = before.done(
            "save_weights_for_sampler", model_id=model, seq_id=4, sampling_session_seq_id=0
        )["sampling_session_id"]
        expected = before.forward_backward(model, 5)
        sampled = before.done("asample", **greedy(sampling_session_id=passing))
        listed = before.http.get("checkpoints").json()
        before.kill()

    with running(tmp_path) as after:
        assert after.http.get("checkpoints").json() == listed
        assert after.http.get(f"training_runs/{model}").json()["last_checkpoint"] is not None
        assert after.post("session_heartbeat", session_id=session).status_code == 200
        assert after.post("get_info", model_id=model).json()["lora_rank"] == 2
        assert after.done("asample", **greedy(sampling_session_id=passing)) == sampled
        assert after.done("asample", **greedy(model_path=saved)) == sampled

        lost = after.forward_backward(model, 6)
        assert lost["category"] == "user"
        assert "the server has been restarted since" in lost["error"]
        assert f"load its last checkpoint, {saved}" in lost["error"]

        after.done("load_weights", model_id=model, seq_id=7, path=saved)
        assert after.forward_backward(model, 8) == expected, "training resumes from the checkpoint"


def test_repeated_request_is_not_executed_again_after_restart(tmp_path: Path) -> None:
    with running(tmp_path) as before:
        _, model = before.new_model()
        request = before.submit("save_weights", model_id=model, seq_id=1, path="a")
        response = before.result(request)
        before.kill()
    with running(tmp_path) as after:
        assert after.submit("save_weights", model_id=model, seq_id=1, path="a") == request
        assert after.result(request) == response
        assert len(after.http.get("checkpoints").json()["checkpoints"]) == 1


def test_pending_requests_fail_after_restart(tmp_path: Path) -> None:
    with running(tmp_path) as before:
        session, model = before.new_model()
        sampler = before.post(
            "create_sampling_session",
            session_id=session,
            sampling_session_seq_id=0,
            base_model="embedded/tiny",
        ).json()["sampling_session_id"]
        sample = before.submit("asample", seq_id=0, **greedy(sampling_session_id=sampler))
        waiting = before.submit("forward_backward", **batch(model, 2))  # waits for seq_id 1
        before.kill()
    with running(tmp_path) as after:
        response = after.result(waiting)
        assert response["category"] == "user"
        assert "interrupted by a restart" in response["error"]
        gone = after.post("retrieve_future", request_id=sample)
        assert gone.status_code == 410, "a sample can be requested again"
        assert "send it again" in gone.json()["detail"]
        again = after.submit("asample", seq_id=0, **greedy(sampling_session_id=sampler))
        assert "sequences" in after.result(again)
        unknown = after.post("retrieve_future", request_id="a:b:c")
        assert unknown.status_code == 404


@pytest.mark.parametrize("seed", range(3))
def test_sigkill_during_save_leaves_only_complete_checkpoints(tmp_path: Path, seed: int) -> None:
    reported: list[str] = []

    def save_until_killed(caller: Caller, model: str) -> None:
        with suppress(httpx.HTTPError):
            for number in range(1, 1000):
                response = caller.done(
                    "save_weights", model_id=model, seq_id=number, path=f"s{number}"
                )
                reported.append(response["path"])

    with running(tmp_path) as before:
        _, model = before.new_model(rank=64)
        saving = threading.Thread(target=save_until_killed, args=(before, model))
        saving.start()
        assert comes_true(lambda: len(reported) >= 2)
        time.sleep(random.Random(seed).uniform(0, 0.2))
        before.kill()
        saving.join()

    with running(tmp_path) as after:
        listed = [
            item["tinker_path"] for item in after.http.get("checkpoints").json()["checkpoints"]
        ]
        assert set(reported) <= set(listed), "all reported checkpoints exist"
        folders = {
            f"tinker://{model}/weights/{path.name}" for path in tmp_path.glob("checkpoints/*/*/*")
        }
        assert folders == set(listed), "and no others"
        assert list((tmp_path / "scratch").iterdir()) == []
        for folder in tmp_path.glob("checkpoints/*/*/*"):
            assert load_file(folder / "adapter_model.safetensors")
            assert load_file(folder / "optimizer.safetensors")
        loaded = after.done("load_weights", model_id=model, seq_id=2000, path=listed[0])
        assert loaded["path"] == listed[0]
