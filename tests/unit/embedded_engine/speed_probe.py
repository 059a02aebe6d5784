"""Measures one training step and sampling in a process of its own, like the server's.

    python speed_probe.py

Prints the minimum processor time of several runs, in seconds. With one thread, it equals the wall
time on an idle machine.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

from tinker_ext.embedded.engine.threads import limit_blas_threads

limit_blas_threads(os.environ)

# After the limit is set, because numpy's libraries read it on import.
import numpy as np  # noqa: E402

from tinker_ext.embedded.engine.generate import generate  # noqa: E402
from tinker_ext.embedded.engine.jobs import SampleJob  # noqa: E402
from tinker_ext.embedded.engine.model import load_base_model  # noqa: E402
from tinker_ext.embedded.engine.trainer import (  # noqa: E402
    AdamSettings,
    LoraSettings,
    Trainer,
    TrainingDatum,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def best_of(count: int, action: Callable[[], object]) -> float:
    """The minimum processor time of several runs, in seconds."""

    def once() -> float:
        start = time.process_time()
        action()
        return time.process_time() - start

    return min(once() for _ in range(count))


def main() -> None:
    """One step with eight datums of 64 tokens; 400 samples of 32 tokens with prompts of 24."""
    rng, base = np.random.default_rng(0), load_base_model("embedded/tiny")
    trainer = Trainer(base, LoraSettings(rank=32, seed=0))
    data = [
        TrainingDatum(rng.integers(97, 123, 64), {"target_tokens": rng.integers(97, 123, 64)})
        for _ in range(8)
    ]
    jobs = [
        SampleJob(rng.integers(97, 123, 24), max_tokens=32, stop=[], seed=n) for n in range(400)
    ]

    def step() -> None:
        trainer.forward_backward(data, "cross_entropy")
        trainer.optim_step(AdamSettings(learning_rate=1e-3))

    seconds = {
        "step": best_of(5, step),
        "sampling": best_of(2, lambda: generate(base, trainer.adapter(), jobs)),
    }
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
