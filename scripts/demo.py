"""Fine-tune a model on this machine, show samples, and download its weights: `make demo`.

A tour of the public interface. Only the URL and the model are specific to the embedded backend:
without `base_url` and with TINKER_API_KEY set, the same calls train a large model.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import tinker_ext as tinker
from scripts.demo_display import Step, console, draw_curve, live, show_samples

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from transformers import PreTrainedTokenizerBase

    Example = dict[str, str]

TASK = Path(__file__).parents[1] / "tinker_ext/embedded/data/demo_task.jsonl"
OUTPUT = Path("demo-output")

BASE_MODEL = "embedded/tiny"
RANK = 32
STEPS = 120
BATCH_SIZE = 16
#: At the first step; it decreases linearly to zero.
LEARNING_RATE = 1e-2
#: Sentences excluded from training, and samples shown of each kind.
HELD_OUT = 32
SHOWN = 3
#: Minimum relative decrease of the loss from the first to the last step.
EXPECTED_FALL = 0.6


def main() -> int:
    OUTPUT.mkdir(exist_ok=True)
    examples = [json.loads(line) for line in TASK.read_text(encoding="utf-8").splitlines()]
    known = [example for example in examples if example["split"] == "train"]
    known, new = known[:-HELD_OUT], known[-HELD_OUT:]
    unseen_words = [example for example in examples if example["split"] == "held_out"]
    console.print(
        f"Fine-tuning {BASE_MODEL} on {len(known)} sentences and their telegrams: "
        f"{STEPS} steps of {BATCH_SIZE}, LoRA rank {RANK}."
    )
    with tinker.ServiceClient(base_url="embedded") as service:
        training = service.create_lora_training_client(BASE_MODEL, rank=RANK, seed=0)
        tokenizer = training.get_tokenizer()
        data = [make_datum(tokenizer, example) for example in known]

        tests = {"new sentences": new, "sentences with unseen words": unseen_words}
        before = {kind: complete(training, tokenizer, tests[kind]) for kind in tests}
        steps = list(live(train(training, data), total=STEPS))
        after = {kind: complete(training, tokenizer, tests[kind]) for kind in tests}
        for kind, expected in tests.items():
            show_samples(f"Greedy samples, {kind}", expected[:SHOWN], before[kind], after[kind])
            counts = [count_exact(expected, texts[kind]) for texts in (before, after)]
            console.print(
                f"Exact matches of {len(expected)}: {counts[0]} before, {counts[1]} after."
            )

        draw_curve([step.loss for step in steps], OUTPUT / "loss.png")
        console.print(f"Loss curve: {OUTPUT / 'loss.png'}")
        download_checkpoint(service, training, OUTPUT / "checkpoint.tar.gz")
    return check_fall(steps)


def make_datum(tokenizer: PreTrainedTokenizerBase, example: Example) -> tinker.Datum:
    """Predict each next token; only the completion contributes to the loss."""
    prompt = tokenizer.encode(example["prompt"])
    completion = tokenizer.encode(example["completion"])
    tokens = prompt + completion
    return tinker.Datum(
        model_input=tinker.ModelInput.from_ints(tokens[:-1]),
        loss_fn_inputs={
            "target_tokens": tokens[1:],
            "weights": [0.0] * (len(prompt) - 1) + [1.0] * len(completion),
        },
    )


def train(training: tinker.TrainingClient, data: Sequence[tinker.Datum]) -> Iterator[Step]:
    """Train on one batch after the other; yield each step when it is complete."""
    for number in range(STEPS):
        adam = tinker.AdamParams(learning_rate=LEARNING_RATE * (1 - number / STEPS))
        batch = [data[(number * BATCH_SIZE + place) % len(data)] for place in range(BATCH_SIZE)]
        started = time.perf_counter()
        # Both requests are sent at once, and are executed in this order.
        step = training.forward_backward(batch, "cross_entropy")
        update = training.optim_step(adam)
        loss = step.result().metrics["loss:sum"] / count_trained(batch)
        update.result()
        tokens = sum(datum.model_input.length for datum in batch)
        yield Step(number, loss, tokens / (time.perf_counter() - started))


def count_trained(batch: Sequence[tinker.Datum]) -> float:
    """The number of tokens with a weight in the loss."""
    return sum(sum(datum.loss_fn_inputs["weights"].tolist()) for datum in batch)


def complete(
    training: tinker.TrainingClient, tokenizer: PreTrainedTokenizerBase, examples: list[Example]
) -> list[str]:
    """The greedy completion of each prompt with the current weights."""
    sampler = training.save_weights_and_get_sampling_client()
    greedy = tinker.SamplingParams(max_tokens=48, temperature=0, stop="\n")
    futures = [
        sampler.sample(
            tinker.ModelInput.from_ints(tokenizer.encode(example["prompt"])),
            num_samples=1,
            sampling_params=greedy,
        )
        for example in examples
    ]
    return [str(tokenizer.decode(future.result().sequences[0].tokens)) for future in futures]


def count_exact(examples: Sequence[Example], texts: Sequence[str]) -> int:
    pairs = zip(examples, texts, strict=True)
    return sum(example["completion"].strip() == text.strip() for example, text in pairs)


def download_checkpoint(
    service: tinker.ServiceClient, training: tinker.TrainingClient, target: Path
) -> None:
    """Save the weights, list the checkpoints, and download the archive."""
    saved = training.save_weights_for_sampler("demo").result()
    rest = service.create_rest_client()
    for checkpoint in rest.list_user_checkpoints().result().checkpoints:
        console.print(f"Checkpoint: {checkpoint.tinker_path} ({checkpoint.size_bytes:,} bytes)")
    archive = rest.get_checkpoint_archive_url_from_tinker_path(saved.path).result()
    urllib.request.urlretrieve(archive.url, target)
    console.print(f"Archive: {target} ({target.stat().st_size:,} bytes)")


def check_fall(steps: Sequence[Step]) -> int:
    """Print the relative decrease of the loss; return 0 if it is large enough, else 1."""
    fall = 1 - steps[-1].loss / steps[0].loss
    enough = fall >= EXPECTED_FALL
    verdict = "as expected" if enough else f"expected at least {EXPECTED_FALL:.0%}"
    console.print(f"The loss fell by {fall:.0%}: {verdict}.")
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main())
