"""Direct preference optimization (DPO): prefer short replies to long ones.

`forward_backward_custom` computes the loss on this machine, in numpy. The reference model is the
model before training.
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

#: The strength of the reference model.
BETA = 0.1
WORDS = "bird boat book cake cat chair cloud cow desk dog door duck egg fish flag fork".split()


def make_datum(tokenizer: PreTrainedTokenizerBase, prompt: str, reply: str) -> tinker.Datum:
    """A prompt and a reply; the weights select the tokens of the reply."""
    before, after = tokenizer.encode(prompt), tokenizer.encode(reply)
    tokens = before + after
    return tinker.Datum(
        model_input=tinker.ModelInput.from_ints(tokens[:-1]),
        loss_fn_inputs={
            "target_tokens": tokens[1:],
            "weights": [0.0] * (len(before) - 1) + [1.0] * len(after),
        },
    )


class DPOLoss:
    """The mean of -log sigmoid(margin) over pairs of a chosen and a rejected reply.

    The margin of a pair is `beta` times how much more than the reference model the trained model
    prefers the chosen reply.
    """

    def __init__(self, reference: Sequence[Array], beta: float = BETA) -> None:
        self.reference = reference
        self.beta = beta

    def __call__(
        self, data: Sequence[tinker.Datum], logprobs: Sequence[Array]
    ) -> tuple[float, list[Array], dict[str, float]]:
        weights = [datum.loss_fn_inputs["weights"].to_numpy() for datum in data]
        log_ratios = np.array(
            [
                np.sum(weight * (policy - reference))
                for weight, policy, reference in zip(weights, logprobs, self.reference, strict=True)
            ]
        )
        margins = self.beta * (log_ratios[0::2] - log_ratios[1::2])
        loss = float(np.mean(np.log1p(np.exp(-margins))))
        # The derivative of the loss for the log-ratio of the chosen reply; its negative for that of
        # the rejected one.
        slopes = -self.beta / (1 + np.exp(margins)) / len(margins)
        signed = np.stack([slopes, -slopes], axis=1).ravel()
        gradients = [slope * weight for slope, weight in zip(signed, weights, strict=True)]
        metrics = {"margin": float(np.mean(margins)), "accuracy": float(np.mean(margins > 0))}
        return loss, gradients, metrics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-url", default="embedded")
    parser.add_argument("--model", default="embedded/tiny")
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--picture", type=Path, default=Path("dpo.png"))
    args = parser.parse_args()

    with tinker.ServiceClient(base_url=args.base_url) as service:
        training = service.create_lora_training_client(args.model, rank=16, seed=0)
        tokenizer = training.get_tokenizer()
        data: list[tinker.Datum] = []  # chosen, rejected, chosen, rejected, ...
        for word in WORDS:
            prompt = f"User: say {word}\nAssistant:"
            data.append(make_datum(tokenizer, prompt, f" {word}\n"))
            data.append(make_datum(tokenizer, prompt, f" {word} {word} {word}\n"))

        outputs = training.forward(data, "cross_entropy").result().loss_fn_outputs
        loss_fn = DPOLoss([output["logprobs"].to_numpy() for output in outputs])
        losses: list[float] = []
        margins: list[float] = []
        for step in range(args.steps):
            result = training.forward_backward_custom(data, loss_fn, arrays="numpy")
            update = training.optim_step(tinker.AdamParams(learning_rate=1e-3))
            metrics = result.result().metrics
            update.result()
            losses.append(metrics["loss:sum"])
            margins.append(metrics["margin"])
            print(
                f"step {step:2}  loss {losses[-1]:.3f}  margin {margins[-1]:.2f}  "
                f"accuracy {metrics['accuracy']:.0%}"
            )

    try:
        import matplotlib.pyplot as plt
    except ModuleNotFoundError:
        print(f"No picture without matplotlib: {install_hint('plot')}")
        return
    _, (left, right) = plt.subplots(1, 2, figsize=(9, 4))
    left.plot(losses)
    left.set(xlabel="step", ylabel="loss")
    right.plot(margins)
    right.set(xlabel="step", ylabel="margin")
    plt.tight_layout()
    plt.savefig(args.picture)


if __name__ == "__main__":
    main()
