"""A loss of your own, in numpy: focal loss compared with cross-entropy.

Focal loss (arXiv:1708.02002) weights each token by (1 - p)^gamma, so tokens that the model already
predicts well contribute less.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

import tinker_ext as tinker
from tinker_ext.install_hints import install_hint

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Array = npt.NDArray[np.float32]

GAMMA = 2.0
WORDS = "anna ben clara david emma fred grace henry ida jack kate leo mary nora oscar paul".split()


def focal_loss(
    data: Sequence[tinker.Datum], logprobs: Sequence[Array]
) -> tuple[float, list[Array], dict[str, float]]:
    """The sum of -(1 - p)^gamma log(p), its gradient for each logprob, and metrics."""
    loss = 0.0
    gradients: list[Array] = []
    for datum, logprob in zip(data, logprobs, strict=True):
        weight = datum.loss_fn_inputs["weights"].to_numpy()
        p = np.exp(logprob)
        loss += float(np.sum(-weight * (1 - p) ** GAMMA * logprob))
        slope = GAMMA * (1 - p) ** (GAMMA - 1) * p * logprob - (1 - p) ** GAMMA
        gradients.append((weight * slope).astype(np.float32))
    return loss, gradients, {"cross_entropy": cross_entropy(data, logprobs)}


def cross_entropy(data: Sequence[tinker.Datum], logprobs: Sequence[Array]) -> float:
    """The mean of -log(p), to compare both losses on the same scale."""
    weights = np.concatenate([datum.loss_fn_inputs["weights"].to_numpy() for datum in data])
    return float(-np.sum(weights * np.concatenate(logprobs)) / np.sum(weights))


def make_datum(tokenizer: PreTrainedTokenizerBase, name: str) -> tinker.Datum:
    prompt, completion = tokenizer.encode(f"name: {name}\n"), tokenizer.encode(f"<{name.upper()}>")
    tokens = prompt + completion
    return tinker.Datum(
        model_input=tinker.ModelInput.from_ints(tokens[:-1]),
        loss_fn_inputs={
            "target_tokens": tokens[1:],
            "weights": [0.0] * (len(prompt) - 1) + [1.0] * len(completion),
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-url", default="embedded")
    parser.add_argument("--model", default="embedded/tiny")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--picture", type=Path, default=Path("custom_loss.png"))
    args = parser.parse_args()
    adam = tinker.AdamParams(learning_rate=2e-3)

    curves: dict[str, list[float]] = {"focal loss": [], "cross-entropy": []}
    with tinker.ServiceClient(base_url=args.base_url) as service:
        for name, curve in curves.items():
            training = service.create_lora_training_client(args.model, rank=16, seed=0)
            tokenizer = training.get_tokenizer()
            data = [make_datum(tokenizer, word) for word in WORDS]
            for _ in range(args.steps):
                if name == "focal loss":
                    step = training.forward_backward_custom(data, focal_loss, arrays="numpy")
                else:
                    step = training.forward_backward(data, "cross_entropy")
                update = training.optim_step(adam)
                outputs = step.result().loss_fn_outputs
                update.result()
                logprobs = [output["logprobs"].to_numpy() for output in outputs]
                curve.append(cross_entropy(data, logprobs))
            print(f"{name:14} cross-entropy {curve[0]:.3f} -> {curve[-1]:.3f}")

    try:
        import matplotlib.pyplot as plt
    except ModuleNotFoundError:
        print(f"No picture without matplotlib: {install_hint('plot')}")
        return
    for name, curve in curves.items():
        plt.plot(curve, label=f"trained with {name}")
    plt.xlabel("step")
    plt.ylabel("cross-entropy per token")
    plt.legend()
    plt.savefig(args.picture)


if __name__ == "__main__":
    main()
