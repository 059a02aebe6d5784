"""Training with the packaged base model learns."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scripts import make_demo_task
from tinker_ext.embedded.engine.adam import AdamSettings
from tinker_ext.embedded.engine.model import BaseModel
from tinker_ext.embedded.engine.text import encode
from tinker_ext.embedded.engine.trainer import LoraSettings, Trainer, TrainingDatum

TASK = files("tinker_ext.embedded").joinpath("data", "demo_task.jsonl")


def examples(split: str) -> list[dict[str, Any]]:
    lines = (json.loads(line) for line in TASK.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line["split"] == split]


def supervised(example: dict[str, Any]) -> TrainingDatum:
    """Next-token targets with weights on the completion only."""
    prompt, completion = encode(example["prompt"]), encode(example["completion"])
    tokens = np.concatenate([prompt, completion])
    weights = (np.arange(1, len(tokens)) >= len(prompt)).astype(np.float32)
    return TrainingDatum(tokens[:-1], {"target_tokens": tokens[1:], "weights": weights})


def mean_loss(metrics: dict[str, float]) -> float:
    return metrics["loss:sum"] / metrics["weights:sum"]


def test_demo_task_is_learned_in_a_few_steps(tiny: BaseModel) -> None:
    trainer = Trainer(tiny, LoraSettings(rank=8, seed=0))
    held_out = [supervised(example) for example in examples("held_out")[:16]]
    train = [supervised(example) for example in examples("train")]
    before = mean_loss(trainer.forward(held_out, "cross_entropy").metrics)
    for step in range(15):
        trainer.forward_backward(train[step * 8 : step * 8 + 8], "cross_entropy")
        trainer.optim_step(AdamSettings(learning_rate=1e-2))
    after = mean_loss(trainer.forward(held_out, "cross_entropy").metrics)
    assert after < 0.4 * before


def test_policy_losses_raise_the_probability_of_rewarded_tokens(tiny: BaseModel) -> None:
    trainer = Trainer(tiny, LoraSettings(rank=4, seed=0))
    tokens = encode("the old man")
    targets = np.append(tokens[1:], ord("!"))
    advantages = np.append(np.zeros(len(tokens) - 1), 1.0)
    logprobs = trainer.forward(
        [TrainingDatum(tokens, {"target_tokens": targets})], "cross_entropy"
    ).outputs[0]["logprobs"]
    inputs = {"target_tokens": targets, "logprobs": logprobs, "advantages": advantages}
    for loss in ("importance_sampling", "ppo", "cispo", "dro"):
        before = trainer.forward([TrainingDatum(tokens, inputs)], loss).outputs[0]["logprobs"]
        trainer.forward_backward([TrainingDatum(tokens, inputs)], loss)
        trainer.optim_step(AdamSettings(learning_rate=1e-3))
        after = trainer.forward([TrainingDatum(tokens, inputs)], loss).outputs[0]["logprobs"]
        assert after[-1] > before[-1]


def test_packaged_demo_task_matches_its_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["make_demo_task.py", str(tmp_path / "task.jsonl")])
    make_demo_task.main()
    assert (tmp_path / "task.jsonl").read_bytes() == TASK.read_bytes()


def test_held_out_sentences_share_only_function_words_with_training() -> None:
    def words(split: str) -> set[str]:
        return {word for e in examples(split) for word in e["prompt"].lower().split()}

    shared = words("train") & words("held_out")
    assert shared <= set(" ".join(make_demo_task.TEMPLATES).split()) | {"an", "plain:", "telegram:"}
