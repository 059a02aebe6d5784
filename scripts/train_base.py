"""Train the base model `embedded/tiny` from scratch and write its weights.

    python scripts/train_base.py [--steps 4000] [--out FILE] [--seed 0]

Same seed, steps, library versions and kind of processor: same weights. Uses one core, for
about a quarter of an hour when nothing else runs; progress goes to the terminal.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from tinker_ext.embedded.engine.threads import limit_blas_threads

limit_blas_threads(os.environ)

import numpy as np  # noqa: E402  # after the limit
from autograd.core import make_vjp  # noqa: E402
from safetensors.numpy import save_file  # noqa: E402

from scripts.base_corpus import documents  # noqa: E402
from tinker_ext.embedded.engine import ops  # noqa: E402
from tinker_ext.embedded.engine.model import ModelShape, random_weights  # noqa: E402
from tinker_ext.embedded.engine.text import END_OF_TEXT  # noqa: E402
from tinker_ext.embedded.engine.transformer import (  # noqa: E402
    causal_attention,
    hidden_states,
    plain_projection,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    Array = npt.NDArray[np.floating[Any]]
    Weights = dict[str, Array]
    Batch = tuple[npt.NDArray[np.int64], Array]

ROWS, TIME = 12, 128
"""Sequences per step, and their length in tokens."""

WEIGHT_OF_UNDETERMINED = 0.2
"""Weight of a token that the text before it does not determine, relative to 1 for one that it does:
mostly noise, but it teaches words and grammar."""

PACKAGED = Path(__file__).parents[1] / "tinker_ext/embedded/data/embedded-tiny.safetensors"


def packed_rows(rng: Random) -> Iterator[tuple[list[int], list[float]]]:
    """Rows of TIME + 1 tokens with their weights: documents, each closed by the end token."""
    source = documents(rng, TIME)
    while True:
        tokens: list[int] = []
        weights: list[float] = []
        while len(tokens) <= TIME:
            for text, follows in next(source):
                tokens += text.encode()
                weights += [1.0 if follows else WEIGHT_OF_UNDETERMINED] * len(text)
            tokens.append(END_OF_TEXT)
            weights.append(1.0)
        yield tokens[: TIME + 1], weights[: TIME + 1]


def next_batch(rows: Iterator[tuple[list[int], list[float]]]) -> Batch:
    """Token ids and weights, each (ROWS, TIME + 1)."""
    tokens, weights = zip(*(next(rows) for _ in range(ROWS)), strict=True)
    return np.array(tokens), np.array(weights, np.float32)


def loss_and_gradient(shape: ModelShape, weights: Weights, batch: Batch) -> tuple[float, Weights]:
    """Weighted mean of the negative log-probability, and its gradient by every weight."""
    tokens, targets = batch[0][:, :-1], batch[0][:, 1:].reshape(-1)
    shares = batch[1][:, 1:].reshape(-1) / batch[1][:, 1:].sum()
    positions = np.broadcast_to(np.arange(TIME), tokens.shape)
    attend = causal_attention(TIME, np.float32)

    def logprobs_of(current: Weights) -> Array:
        project = plain_projection(current)
        states = hidden_states(shape, current, project, attend, tokens, positions)
        return ops.pick_logprobs(project(states, "lm_head"), targets)

    backward, logprobs = make_vjp(logprobs_of, weights)
    return float(-(shares * logprobs).sum()), backward(-shares)


class Muon:
    """Orthogonalized momentum for matrices (Jordan 2024), Adam for the rest.

    It needs about half the tokens Adam alone does here.
    """

    def __init__(self, weights: Weights) -> None:
        self.first = {name: np.zeros_like(value) for name, value in weights.items()}
        self.second = {name: np.zeros_like(value) for name, value in weights.items()}
        self.count = 0

    def step(self, weights: Weights, gradients: Weights, rate: float) -> None:
        """Update the weights in place; `rate` decreases from 1 to 0 over the training."""
        self.count += 1
        for name, gradient in gradients.items():
            if gradient.ndim == 2 and ".layers." in name:
                self.first[name] = 0.95 * self.first[name] + gradient
                pushed = gradient + 0.95 * self.first[name]
                scale = math.sqrt(max(1.0, gradient.shape[0] / gradient.shape[1]))
                weights[name] -= (
                    0.02 * rate * (scale * orthogonal(pushed) + 0.5 * weights[name] * 0.02)
                )
            else:
                self.adam(weights, name, gradient, 3e-3 * rate)

    def adam(self, weights: Weights, name: str, gradient: Array, rate: float) -> None:
        """The usual step, for embeddings, output and norms."""
        first, second = self.first[name], self.second[name]
        first += 0.1 * (gradient - first)
        second += 0.02 * (np.square(gradient) - second)
        mean = first / (1 - 0.9**self.count)
        spread = np.sqrt(second / (1 - 0.98**self.count)) + 1e-8
        weights[name] -= rate * mean / spread


def orthogonal(matrix: Array, rounds: int = 5) -> Array:
    """The nearest matrix with all singular values near 1, by a quintic Newton-Schulz iteration."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix) / (np.linalg.norm(matrix) + 1e-7)
    for _ in range(rounds):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


def train(shape: ModelShape, steps: int, seed: int) -> Weights:
    """Train; the rate warms up, stays constant, and decreases over the last 40 percent."""
    weights = random_weights(shape, seed)
    weights["lm_head.weight"] *= 0.1
    optimizer, rows = Muon(weights), packed_rows(Random(seed))
    recent: list[float] = []
    for step in range(steps):
        loss, gradients = loss_and_gradient(shape, weights, next_batch(rows))
        rate = min(1.0, (step + 1) / 50, (1 - step / steps) / 0.4)
        optimizer.step(weights, gradients, rate)
        recent = [*recent[-99:], loss]
        if step % 100 == 99:
            print(f"step {step + 1}/{steps}  loss {np.mean(recent):.3f}", flush=True)
    return weights


def main() -> None:
    """Train and write; float16 halves the file and costs no measurable quality."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=PACKAGED)
    options = parser.parse_args()
    shape = ModelShape()
    weights = train(shape, options.steps, options.seed)
    save_file({k: v.astype(np.float16) for k, v in weights.items()}, options.out, {"format": "pt"})
    print(json.dumps({"file": str(options.out), "bytes": options.out.stat().st_size}))


if __name__ == "__main__":
    main()
