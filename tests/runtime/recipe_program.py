"""A training run that prints its metrics and, with a second argument, kills itself at that step."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import tinker_ext as tinker
from tests.builders import datum
from tinker_ext import recipes

FOLDER = Path(sys.argv[1])
KILL_AT = int(sys.argv[2]) if sys.argv[2] else None
DATA = [datum(range(start, start + 12)) for start in range(1, 40, 3)]
STEP = recipes.supervised(recipes.Batches(DATA, size=4), recipes.linear(1e-2, steps=8))


def step(training: tinker.TrainingClient, number: int) -> Mapping[str, float]:
    if number + 1 == KILL_AT:
        # The gradients reach the server, but not the update.
        training.forward_backward(DATA[:1], "cross_entropy").result()
        os.kill(os.getpid(), signal.SIGKILL)
    return STEP(training, number)


def report(done: int, metrics: Mapping[str, float]) -> None:
    print(json.dumps({"step": done, "loss": metrics["loss"]}), flush=True)


def connect() -> tinker.ServiceClient:
    return tinker.ServiceClient(base_url="embedded", embedded_dir=FOLDER / "state")


if __name__ == "__main__":
    with recipes.Run(connect, "embedded/tiny", folder=FOLDER, rank=4, seed=0) as run:
        run.train(STEP if KILL_AT is None else step, steps=8, checkpoint_every=2, on_metrics=report)
