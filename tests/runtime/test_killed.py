"""The embedded server is killed in the middle of a run; the client goes on, or says what to do."""

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
    """An embedded server at a fixed port and state folder, which can be killed and come back."""

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
    """The losses of training steps."""
    losses = []
    for _ in range(count):
        step = training.forward_backward([DATUM], "cross_entropy")
        update = training.optim_step(ADAM)
        losses.append(step.result(120).metrics["loss:sum"])
        update.result(120)
    return losses


def test_a_run_resumes_with_the_very_losses_of_one_that_was_not_killed(tmp_path: Path) -> None:
    server = Server(tmp_path)
    with tinker.ServiceClient(base_url=server.url, api_key="tml-test") as service:
        whole = service.create_lora_training_client("embedded/tiny", rank=4, seed=7)
        expected = steps(whole, 6)

        training = service.create_lora_training_client("embedded/tiny", rank=4, seed=7)
        before = steps(training, 3)
        path = training.save_state("middle").result(120).path
        lost = steps(training, 1)
        server.kill()
        threading.Timer(0.5, server.start).start()

        # What the model had learnt in memory is gone, and the error says how to go on.
        with pytest.raises(tinker.RequestFailedError, match="load its last checkpoint") as told:
            training.forward_backward([DATUM], "cross_entropy").result(120)
        assert path in str(told.value)

        resumed = service.create_training_client_from_state(path)
        after = steps(resumed, 3)
        assert before + after == expected, "bit for bit, so the optimizer's state came back too"
        assert lost == expected[3:4]

        # The client that was interrupted can also go on itself.
        training.load_state(path).result(120)
        assert steps(training, 3) == expected[3:]
    server.close()


def tokens_of(response: tinker.types.SampleResponse) -> list[list[int]]:
    return [sequence.tokens for sequence in response.sequences]


def test_samples_carry_on_through_a_kill(tmp_path: Path) -> None:
    server = Server(tmp_path)
    with tinker.ServiceClient(base_url=server.url, api_key="tml-test") as service:
        sampler = service.create_sampling_client(base_model="embedded/tiny")
        expected = tokens_of(sampler.sample(PROMPT, 1, PARAMS).result(120))
        under_way = [sampler.sample(PROMPT, 1, PARAMS) for _ in range(20)]
        server.kill()
        during = [sampler.sample(PROMPT, 1, PARAMS) for _ in range(5)]
        threading.Timer(0.5, server.start).start()
        for future in (*under_way, *during):
            assert tokens_of(future.result(120)) == expected
    server.close()
