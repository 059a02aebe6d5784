"""Distillation: a student learns the teacher's most likely tokens at each position.

The teacher returns its top-k logprobs for a text. They become targets of shape (tokens, k) for
`cross_entropy`, weighted by the teacher's probabilities.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import tinker_ext as tinker
from tinker_ext.install_hints import install_hint

WORDS = "apple bell bird boat book bowl cake cat chair cloud coat cow cup desk dog door".split()


def train_teacher(training: tinker.TrainingClient, texts: list[list[int]], steps: int) -> None:
    """Supervised training on the texts."""
    data = [
        tinker.Datum(
            model_input=tinker.ModelInput.from_ints(tokens[:-1]),
            loss_fn_inputs={"target_tokens": tokens[1:]},
        )
        for tokens in texts
    ]
    for _ in range(steps):
        training.forward_backward(data, "cross_entropy")
        training.optim_step(tinker.AdamParams(learning_rate=5e-3)).result()


def make_datum(tokens: list[int], response: tinker.SampleResponse, k: int) -> tinker.Datum:
    """The teacher's top-k tokens as targets, and their normalized probabilities as weights."""
    assert response.topk_prompt_logprobs is not None
    targets = np.zeros((len(tokens) - 1, k), dtype=np.int64)
    weights = np.zeros((len(tokens) - 1, k), dtype=np.float32)
    for row, candidates in enumerate(response.topk_prompt_logprobs[1:]):
        assert candidates is not None  # Only the first token has none.
        for column, (token, logprob) in enumerate(candidates[:k]):
            targets[row, column] = token
            weights[row, column] = np.exp(logprob)
    weights /= weights.sum(axis=1, keepdims=True)
    return tinker.Datum(
        model_input=tinker.ModelInput.from_ints(tokens[:-1]),
        loss_fn_inputs={"target_tokens": targets, "weights": weights},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-url", default="embedded")
    parser.add_argument("--model", default="embedded/tiny")
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--top-k", type=int, default=8)
    parser.add_argument("--picture", type=Path, default=Path("distillation.png"))
    args = parser.parse_args()

    with tinker.ServiceClient(base_url=args.base_url) as service:
        training = service.create_lora_training_client(args.model, rank=16, seed=0)
        tokenizer = training.get_tokenizer()
        texts = [tokenizer.encode(f"One {word}, two {word}s\n") for word in WORDS]
        train_teacher(training, texts, args.steps)
        teacher = training.save_weights_and_get_sampling_client()

        params = tinker.SamplingParams(max_tokens=1)
        futures = [
            teacher.sample(
                tinker.ModelInput.from_ints(tokens),
                1,
                params,
                include_prompt_logprobs=True,
                topk_prompt_logprobs=args.top_k,
            )
            for tokens in texts
        ]
        data = [
            make_datum(tokens, future.result(), args.top_k)
            for tokens, future in zip(texts, futures, strict=True)
        ]
        weights = [datum.loss_fn_inputs["weights"].to_numpy() for datum in data]
        entropy = -sum(float(np.sum(w * np.log(np.maximum(w, 1e-30)))) for w in weights)
        count = sum(len(w) for w in weights)

        student = service.create_lora_training_client(args.model, rank=4, seed=1)
        divergences: list[float] = []
        for step in range(args.steps):
            result = student.forward_backward(data, "cross_entropy")
            update = student.optim_step(tinker.AdamParams(learning_rate=5e-3))
            # Cross-entropy minus the teacher's entropy is the KL divergence.
            divergences.append((result.result().metrics["loss:sum"] - entropy) / count)
            update.result()
            print(f"step {step:2}  KL divergence per token {divergences[-1]:.4f}")

    try:
        import matplotlib.pyplot as plt
    except ModuleNotFoundError:
        print(f"No picture without matplotlib: {install_hint('plot')}")
        return
    plt.plot(divergences)
    plt.xlabel("step")
    plt.ylabel("KL divergence from the teacher, per token")
    plt.yscale("log")
    plt.savefig(args.picture)


if __name__ == "__main__":
    main()
