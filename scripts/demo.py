"""Fine-tune a model on this machine, see what it learned, and keep its weights: `make demo`.

A tour of the public interface. Nothing in it is special to the embedded backend but the URL and the
model: without `base_url` and with TINKER_API_KEY set, the same calls train a large model.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from demo_display import Step, console, draw_curve, live, show_samples

import tinker_ext as tinker

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
#: At the first step; it falls to nothing in a straight line.
LEARNING_RATE = 1e-2
#: How many sentences are kept out of the training, and how many of each kind are shown.
KEPT_OUT = 32
SHOWN = 3
#: Share of the first step's loss that has to be gone at the last.
EXPECTED_FALL = 0.6


def main() -> int:
    OUTPUT.mkdir(exist_ok=True)
    examples = [json.loads(line) for line in TASK.read_text(encoding="utf-8").splitlines()]
    known = [example for example in examples if example["split"] == "train"]
    known, new = known[:-KEPT_OUT], known[-KEPT_OUT:]
    strange = [example for example in examples if example["split"] == "held_out"]
    console.print(
        f"Fine-tuning {BASE_MODEL} on {len(known)} sentences and their telegrams: "
        f"{STEPS} steps of {BATCH_SIZE}, LoRA rank {RANK}."
    )
    with tinker.ServiceClient(base_url="embedded") as service:
        training = service.create_lora_training_client(BASE_MODEL, rank=RANK, seed=0)
        tokenizer = training.get_tokenizer()
        data = [make_datum(tokenizer, example) for example in known]

        asked = {"new sentences": new, "sentences of words it has never read": strange}
        before = {kind: complete(training, tokenizer, asked[kind]) for kind in asked}
        steps = list(live(train(training, data), total=STEPS))
        after = {kind: complete(training, tokenizer, asked[kind]) for kind in asked}
        for kind, wanted in asked.items():
            show_samples(f"Greedy samples, {kind}", wanted[:SHOWN], before[kind], after[kind])
            right = [count_right(wanted, answers[kind]) for answers in (before, after)]
            console.print(f"Exactly right of {len(wanted)}: {right[0]} before, {right[1]} after.")

        draw_curve([step.loss for step in steps], OUTPUT / "loss.png")
        console.print(f"Loss curve: {OUTPUT / 'loss.png'}")
        keep_checkpoint(service, training, OUTPUT / "checkpoint.tar.gz")
    return check_fall(steps)


def make_datum(tokenizer: PreTrainedTokenizerBase, example: Example) -> tinker.Datum:
    """Predict each next token; only those of the completion count in the loss."""
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
    """One batch after the other; a step is yielded when the server has taken it."""
    for number in range(STEPS):
        adam = tinker.AdamParams(learning_rate=LEARNING_RATE * (1 - number / STEPS))
        batch = [data[(number * BATCH_SIZE + place) % len(data)] for place in range(BATCH_SIZE)]
        started = time.perf_counter()
        # Both are on their way at once, and are done in this order.
        step = training.forward_backward(batch, "cross_entropy")
        update = training.optim_step(adam)
        loss = step.result().metrics["loss:sum"] / count_trained(batch)
        update.result()
        tokens = sum(datum.model_input.length for datum in batch)
        yield Step(number, loss, tokens / (time.perf_counter() - started))


def count_trained(batch: Sequence[tinker.Datum]) -> float:
    """How many tokens count in the loss."""
    return sum(sum(datum.loss_fn_inputs["weights"].tolist()) for datum in batch)


def complete(
    training: tinker.TrainingClient, tokenizer: PreTrainedTokenizerBase, examples: list[Example]
) -> list[str]:
    """The most likely completion of each prompt, with the weights as they are now."""
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


def count_right(examples: Sequence[Example], answers: Sequence[str]) -> int:
    pairs = zip(examples, answers, strict=True)
    return sum(example["completion"].strip() == answer.strip() for example, answer in pairs)


def keep_checkpoint(
    service: tinker.ServiceClient, training: tinker.TrainingClient, target: Path
) -> None:
    """Save the weights, find them in the list of checkpoints, and download their archive."""
    saved = training.save_weights_for_sampler("demo").result()
    rest = service.create_rest_client()
    for checkpoint in rest.list_user_checkpoints().result().checkpoints:
        console.print(f"Checkpoint: {checkpoint.tinker_path} ({checkpoint.size_bytes:,} bytes)")
    archive = rest.get_checkpoint_archive_url_from_tinker_path(saved.path).result()
    urllib.request.urlretrieve(archive.url, target)
    console.print(f"Its archive: {target} ({target.stat().st_size:,} bytes)")


def check_fall(steps: Sequence[Step]) -> int:
    """Say how far the loss fell; the exit status tells whether that is far enough."""
    fall = 1 - steps[-1].loss / steps[0].loss
    enough = fall >= EXPECTED_FALL
    verdict = "as expected" if enough else f"expected at least {EXPECTED_FALL:.0%}"
    console.print(f"The loss fell by {fall:.0%}: {verdict}.")
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main())
