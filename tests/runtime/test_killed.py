"""The embedded backend is killed during a run: the client continues or raises a helpful error."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

import tinker_ext as tinker

if TYPE_CHECKING:
    from pathlib import Path

TOKENS = list(b"The quick brown fox jumps over the lazy dog.")
DATUM = tinker.Datum(
    model_input=tinker.ModelInput.from_ints(TOKENS),
    loss_fn_inputs={"target_tokens": [*TOKENS[1:], 256], "weights": [1.0] * len(TOKENS)},
)
PARAMS = tinker.SamplingParams(max_tokens=6, temperature=0.0)
PROMPT = tinker.ModelInput.from_ints(TOKENS)
ADAM = tinker.AdamParams(learning_rate=0.01)


class Server:
    """An embedded backend at a fixed port and state folder that can be killed and restarted."""

    def __init__(self, state: Path) -> None:
        self._state = state
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "tinker_ext.embedded", "--parent-pipe"]
        self._process = subprocess.Popen(
            [*command, "--port", str(self.port), "--state-dir", str(self._state)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert self._process.stdout is not None
        assert json.loads(self._process.stdout.readline())["url"] == self.url

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._reap()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._reap()

    def _reap(self) -> None:
        self._process.wait(60)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def steps(training: tinker.TrainingClient, count: int) -> list[float]:
    """Run training steps and return their losses."""
    losses = []
    for _ in range(count):
        step = training.forward_backward([DATUM], "cross_entropy")
        update = training.optim_step(ADAM)
        losses.append(step.result(120).metrics["loss:sum"])
        update.result(120)
    return losses


def test_run_resumed_after_sigkill_has_the_same_losses(tmp_path: Path) -> None:
    server = Server(tmp_path)
    with tinker.ServiceClient(base_url=server.url, api_key="tml-test") as service:
        uninterrupted = service.create_lora_training_client("embedded/tiny", rank=4, seed=7)
        expected = steps(uninterrupted, 6)

        training = service.create_lora_training_client("embedded/tiny", rank=4, seed=7)
        before = steps(training, 3)
        path = training.save_state("middle").result(120).path
        lost = steps(training, 1)
        server.kill()
        threading.Timer(0.5, server.start).start()

        # The model's state in memory is lost, and the error names the checkpoint to load.
        with pytest.raises(tinker.RequestFailedError, match="load its last checkpoint") as caught:
            training.forward_backward([DATUM], "cross_entropy").result(120)
        assert path in str(caught.value)

        resumed = service.create_training_client_from_state(path)
        after = steps(resumed, 3)
        assert before + after == expected, "bit for bit, so the optimizer state was restored"
        assert lost == expected[3:4]

        # The interrupted client itself can also continue.
        training.load_state(path).result(120)
        assert steps(training, 3) == expected[3:]
    server.close()


def tokens_of(response: tinker.types.SampleResponse) -> list[list[int]]:
    return [sequence.tokens for sequence in response.sequences]


def test_pending_samples_complete_after_sigkill_and_restart(tmp_path: Path) -> None:
    server = Server(tmp_path)
    with tinker.ServiceClient(base_url=server.url, api_key="tml-test") as service:
        sampler = service.create_sampling_client(base_model="embedded/tiny")
        expected = tokens_of(sampler.sample(PROMPT, 1, PARAMS).result(120))
        pending = [sampler.sample(PROMPT, 1, PARAMS) for _ in range(20)]
        server.kill()
        during = [sampler.sample(PROMPT, 1, PARAMS) for _ in range(5)]
        threading.Timer(0.5, server.start).start()
        for future in (*pending, *during):
            assert tokens_of(future.result(120)) == expected
    server.close()
