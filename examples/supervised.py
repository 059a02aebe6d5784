"""Supervised fine-tuning with a validation set and early stopping.

The model learns the past tense from a few verbs. After the rule, it memorizes the exceptions, and
the loss on other verbs increases again. Training stops there; the best weights are saved.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path
from typing import TYPE_CHECKING

import tinker_ext as tinker
from tinker_ext.install_hints import install_hint

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

REGULAR = """
ask call clean climb cook count kick laugh learn look need open pack paint pick play point pull push
reach rest start talk touch turn visit wait walk want wash watch work
""".split()
IRREGULAR = """
begin began bring brought buy bought catch caught drink drank eat ate fall fell find found fly flew
give gave go went keep kept make made see saw sing sang take took
""".split()
PAST = {verb: f"{verb}ed" for verb in REGULAR}
PAST |= zip(IRREGULAR[0::2], IRREGULAR[1::2], strict=True)


def make_datum(tokenizer: PreTrainedTokenizerBase, verb: str) -> tinker.Datum:
    """Predict each next token; only those of the completion count in the loss."""
    prompt = tokenizer.encode(f"Today I {verb}, yesterday I")
    completion = tokenizer.encode(f" {PAST[verb]}\n")
    tokens = prompt + completion
    return tinker.Datum(
        model_input=tinker.ModelInput.from_ints(tokens[:-1]),
        loss_fn_inputs={
            "target_tokens": tokens[1:],
            "weights": [0.0] * (len(prompt) - 1) + [1.0] * len(completion),
        },
    )


def mean_loss(output: tinker.ForwardBackwardOutput) -> float:
    """The loss per completion token. `loss:sum` is the sum over the batch."""
    return output.metrics["loss:sum"] / output.metrics["weights:sum"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-url", default="embedded")
    parser.add_argument("--model", default="embedded/tiny")
    parser.add_argument("--steps", type=int, default=60, help="maximum number of steps")
    parser.add_argument("--early-stop", type=int, default=5, help="steps without an improvement")
    parser.add_argument("--picture", type=Path, default=Path("supervised.png"))
    args = parser.parse_args()

    with tinker.ServiceClient(base_url=args.base_url) as service:
        training = service.create_lora_training_client(args.model, rank=16, seed=0)
        tokenizer = training.get_tokenizer()
        data = [make_datum(tokenizer, verb) for verb in PAST]
        random.Random(0).shuffle(data)
        validation, train = data[:16], data[16:]

        train_losses: list[float] = []
        validation_losses: list[float] = []
        best_path = ""
        for step in range(args.steps):
            batch = random.Random(step).sample(train, 8)
            # The three requests are sent at once and run in this order.
            forward_backward = training.forward_backward(batch, "cross_entropy")
            update = training.optim_step(tinker.AdamParams(learning_rate=5e-3))
            evaluation = training.forward(validation, "cross_entropy")

            train_losses.append(mean_loss(forward_backward.result()))
            update.result()
            validation_losses.append(mean_loss(evaluation.result()))
            best = min(range(step + 1), key=validation_losses.__getitem__)
            if best == step:
                best_path = training.save_weights_for_sampler(f"step-{step}").result().path
            if step - best >= args.early_stop:
                print(f"No improvement for {args.early_stop} steps: stopping.")
                break
        print(f"Validation loss: {validation_losses[0]:.3f} -> {validation_losses[best]:.3f}")
        print(f"Best weights, of step {best}: {best_path}")

        sampler = service.create_sampling_client(model_path=best_path)
        for verb in ("jump", "help", "know"):
            text = f"Today I {verb}, yesterday I"
            prompt = tinker.ModelInput.from_ints(tokenizer.encode(text))
            params = tinker.SamplingParams(max_tokens=12, temperature=0, stop="\n")
            tokens = sampler.sample(prompt, 1, params).result().sequences[0].tokens
            print(text, str(tokenizer.decode(tokens)).strip())

    try:
        import matplotlib.pyplot as plt
    except ModuleNotFoundError:
        print(f"No picture without matplotlib: {install_hint('plot')}")
        return
    plt.plot(train_losses, label="training")
    plt.plot(validation_losses, label="validation")
    plt.axvline(best, color="grey", linestyle="--", label="saved weights")
    plt.xlabel("step")
    plt.ylabel("loss per token")
    plt.legend()
    plt.savefig(args.picture)


if __name__ == "__main__":
    main()
