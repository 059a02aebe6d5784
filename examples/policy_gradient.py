"""Reinforcement learning on a verifiable task: reply with a word of exactly five letters.

Each prompt is sampled several times. The advantage of a sample is its reward minus the mean reward
of its prompt, as in GRPO, and `importance_sampling` is the loss.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import numpy as np

import tinker_ext as tinker
from tinker_ext.install_hints import install_hint

TOPICS = ("animal", "colour", "fruit", "tool", "place", "tree", "river", "metal")


def reward(text: str) -> float:
    """1 for one word of five letters, else 0."""
    return float(re.fullmatch(r" [a-z]{5}\n", text) is not None)


def make_datum(
    prompt: list[int], sequence: tinker.SampledSequence, advantage: float
) -> tinker.Datum:
    """The sampled tokens are the targets; the tokens of the prompt have an advantage of 0."""
    assert sequence.logprobs is not None
    tokens = prompt + sequence.tokens
    padding = [0.0] * (len(prompt) - 1)
    return tinker.Datum(
        model_input=tinker.ModelInput.from_ints(tokens[:-1]),
        loss_fn_inputs={
            "target_tokens": tokens[1:],
            "logprobs": padding + list(sequence.logprobs),
            "advantages": padding + [advantage] * len(sequence.tokens),
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-url", default="embedded")
    parser.add_argument("--model", default="embedded/tiny")
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--group-size", type=int, default=16, help="samples of each prompt")
    parser.add_argument("--picture", type=Path, default=Path("policy_gradient.png"))
    args = parser.parse_args()

    with tinker.ServiceClient(base_url=args.base_url) as service:
        training = service.create_lora_training_client(args.model, rank=16, seed=0)
        tokenizer = training.get_tokenizer()
        prompts = [tokenizer.encode(f"Five letters, {topic}:") for topic in TOPICS]
        params = tinker.SamplingParams(max_tokens=12, stop="\n")

        mean_rewards: list[float] = []
        for step in range(args.steps):
            sampler = training.save_weights_and_get_sampling_client()
            futures = [
                sampler.sample(tinker.ModelInput.from_ints(prompt), args.group_size, params)
                for prompt in prompts
            ]
            data: list[tinker.Datum] = []
            rewards: list[float] = []
            for prompt, future in zip(prompts, futures, strict=True):
                sequences = future.result().sequences
                texts = [str(tokenizer.decode(sequence.tokens)) for sequence in sequences]
                group = [reward(text) for text in texts]
                rewards += group
                data += [
                    make_datum(prompt, sequence, value - float(np.mean(group)))
                    for sequence, value in zip(sequences, group, strict=True)
                ]
            forward_backward = training.forward_backward(data, "importance_sampling")
            update = training.optim_step(tinker.AdamParams(learning_rate=2e-3))
            forward_backward.result()
            update.result()
            mean_rewards.append(float(np.mean(rewards)))
            print(f"step {step:2}  reward {mean_rewards[-1]:.3f}")

    try:
        import matplotlib.pyplot as plt
    except ModuleNotFoundError:
        print(f"No picture without matplotlib: {install_hint('plot')}")
        return
    plt.plot(mean_rewards)
    plt.xlabel("step")
    plt.ylabel("mean reward")
    plt.ylim(0, 1)
    plt.savefig(args.picture)


if __name__ == "__main__":
    main()
