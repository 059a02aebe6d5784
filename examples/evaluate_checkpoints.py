"""Evaluate checkpoints side by side: exact matches and loss on the same test set.

A short run saves three checkpoints; then each of them, and the base model, completes the same
prompts. All of their requests are in flight at once.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table

import tinker_ext as tinker
from tinker_ext.install_hints import install_hint

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TRAIN = "bird boat book cake cat chair cloud cow desk dog door duck egg flag fork frog".split()
TEST = "goat hat horn jacket king lamp lemon mill nail oven pen pig road seed tent wheel".split()


def prompt_of(word: str) -> str:
    return f"One {word}, two"


def completion_of(word: str) -> str:
    return f" {word}s\n"


def train(
    training: tinker.TrainingClient, tokenizer: PreTrainedTokenizerBase, steps: int
) -> dict[str, str]:
    """Train, save three times, and return the path of each checkpoint by its name."""
    data = []
    for word in TRAIN:
        prompt = tokenizer.encode(prompt_of(word))
        completion = tokenizer.encode(completion_of(word))
        tokens = prompt + completion
        weights = [0.0] * (len(prompt) - 1) + [1.0] * len(completion)
        data.append(
            tinker.Datum(
                model_input=tinker.ModelInput.from_ints(tokens[:-1]),
                loss_fn_inputs={"target_tokens": tokens[1:], "weights": weights},
            )
        )
    paths: dict[str, str] = {}
    for part in range(1, 4):
        for _ in range(steps):
            training.forward_backward(data, "cross_entropy")
            training.optim_step(tinker.AdamParams(learning_rate=3e-3)).result()
        name = f"step-{part * steps}"
        paths[name] = training.save_weights_for_sampler(name).result().path
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-url", default="embedded")
    parser.add_argument("--model", default="embedded/tiny")
    parser.add_argument("--steps", type=int, default=8, help="steps between two checkpoints")
    parser.add_argument("--picture", type=Path, default=Path("evaluate_checkpoints.png"))
    args = parser.parse_args()

    with tinker.ServiceClient(base_url=args.base_url) as service:
        training = service.create_lora_training_client(args.model, rank=16, seed=0)
        tokenizer = training.get_tokenizer()
        paths = train(training, tokenizer, args.steps)
        samplers = {"base model": service.create_sampling_client(base_model=args.model)}
        samplers |= {
            name: service.create_sampling_client(model_path=path) for name, path in paths.items()
        }

        greedy = tinker.SamplingParams(max_tokens=12, temperature=0, stop="\n")
        prompts = [tinker.ModelInput.from_ints(tokenizer.encode(prompt_of(w))) for w in TEST]
        texts = [
            tinker.ModelInput.from_ints(tokenizer.encode(prompt_of(w) + completion_of(w)))
            for w in TEST
        ]
        samples = {
            name: [sampler.sample(prompt, 1, greedy) for prompt in prompts]
            for name, sampler in samplers.items()
        }
        logprobs = {
            name: [sampler.compute_logprobs(text) for text in texts]
            for name, sampler in samplers.items()
        }

        table = Table("weights", "exact matches", "loss per token", "One goat, two")
        matches: list[float] = []
        for name in samplers:
            replies = [
                str(tokenizer.decode(future.result().sequences[0].tokens)).strip()
                for future in samples[name]
            ]
            right = [reply == f"{word}s" for reply, word in zip(replies, TEST, strict=True)]
            losses = []
            for future, prompt in zip(logprobs[name], prompts, strict=True):
                losses += [
                    -value for value in future.result()[prompt.length :] if value is not None
                ]
            matches.append(float(np.mean(right)))
            table.add_row(name, f"{matches[-1]:.0%}", f"{np.mean(losses):.3f}", replies[0])
        Console().print(table)

    try:
        import matplotlib.pyplot as plt
    except ModuleNotFoundError:
        print(f"No picture without matplotlib: {install_hint('plot')}")
        return
    plt.bar(list(samplers), matches)
    plt.ylabel("exact matches")
    plt.ylim(0, 1)
    plt.savefig(args.picture)


if __name__ == "__main__":
    main()
