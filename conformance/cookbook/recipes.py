"""Small runs of tinker-cookbook's training loops: `recipes.py RECIPE FOLDER`.

Runs in the environment of the cookbook, with whichever package `import tinker` means there. The
model is `embedded/tiny` of the server at TINKER_BASE_URL. Prints one line of JSON: the loss or the
reward of each step.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import chz
import tinker
from tinker_cookbook import renderers, tokenizer_utils
from tinker_cookbook.completers import TinkerMessageCompleter, TinkerTokenCompleter
from tinker_cookbook.distillation import train_on_policy
from tinker_cookbook.distillation.datasets import DistillationDatasetConfig, TeacherConfig
from tinker_cookbook.preference import train_dpo
from tinker_cookbook.rl import train as rl_train
from tinker_cookbook.rl.problem_env import ProblemEnv, ProblemGroupBuilder
from tinker_cookbook.rl.types import RLDataset, RLDatasetBuilder
from tinker_cookbook.supervised import train as sl_train
from tinker_cookbook.supervised.common import datum_from_model_input_weights
from tinker_cookbook.supervised.types import (
    ChatDatasetBuilder,
    ChatDatasetBuilderCommonConfig,
    SupervisedDataset,
)

from tinker_ext.tokenizers import get_tokenizer

MODEL = "embedded/tiny"
RENDERER = "role_colon"
RANK = 8
STEPS = 3
BATCH = 4
MAX_TOKENS = 8
LEARNING_RATE = 1e-2

# Pairs of question and reply.
PROBLEMS = [(f"Which number follows {number}?", str(number + 1)) for number in range(1, 25)]

tokenizer_utils.register_tokenizer(MODEL, lambda: get_tokenizer(MODEL))


def new_renderer():
    return renderers.get_renderer(RENDERER, get_tokenizer(MODEL))


class Batches(SupervisedDataset):
    """Batches of conversations; each conversation becomes one datum."""

    def __init__(self, conversations, batch_size):
        self._data = [to_datum(conversation) for conversation in conversations]
        self._batch_size = batch_size

    def get_batch(self, index):
        start = index * self._batch_size
        return self._data[start : start + self._batch_size]

    def __len__(self):
        return len(self._data) // self._batch_size

    def set_epoch(self, seed=0):
        pass


def to_datum(conversation):
    model_input, weights = new_renderer().build_supervised_example(conversation)
    return datum_from_model_input_weights(model_input, weights, 128)


def conversation(question, reply):
    return [{"role": "user", "content": question}, {"role": "assistant", "content": reply}]


@chz.chz
class Conversations(ChatDatasetBuilder):
    """Questions with their replies."""

    def __call__(self):
        return Batches([conversation(*problem) for problem in PROBLEMS], BATCH), None


@chz.chz
class Preferences(ChatDatasetBuilder):
    """Pairs of a right and a wrong reply."""

    def __call__(self):
        pairs = [
            conversation(question, text)
            for question, reply in PROBLEMS
            for text in (reply, "I don't know")
        ]
        return Batches(pairs, 2 * BATCH), None


class Addition(ProblemEnv):
    """Rewards a response for its different characters, which an untrained model varies."""

    def __init__(self, renderer, question, reply):
        super().__init__(renderer, format_coef=0.0)
        self._question, self._reply = question, reply

    def get_question(self):
        return self._question

    def check_answer(self, sample_str):
        return len(set(sample_str)) / MAX_TOKENS

    def check_format(self, sample_str):
        return True

    def get_reference_answer(self):
        return self._reply


class Problems(RLDataset):
    """Groups of four attempts at each question."""

    def __init__(self, groups_per_batch):
        self._groups_per_batch = groups_per_batch

    def get_batch(self, index):
        renderer, start = new_renderer(), index * self._groups_per_batch
        problems = PROBLEMS[start : start + self._groups_per_batch]
        return [
            ProblemGroupBuilder(partial(Addition, renderer, question, reply), num_envs=4)
            for question, reply in problems
        ]

    def __len__(self):
        return len(PROBLEMS) // self._groups_per_batch


@chz.chz
class ProblemsBuilder(RLDatasetBuilder):
    """Creates `Problems`."""

    groups_per_batch: int = 2

    async def __call__(self):
        return Problems(self.groups_per_batch), None


def common_config():
    return ChatDatasetBuilderCommonConfig(
        model_name_for_tokenizer=MODEL, renderer_name=RENDERER, max_length=128, batch_size=BATCH
    )


def configure(config, folder, **settings):
    """A config of the cookbook with the settings that this version of it has."""
    common = {
        "log_path": str(folder),
        "model_name": MODEL,
        "recipe_name": "conformance",
        "renderer_name": RENDERER,
        "learning_rate": LEARNING_RATE,
        "lora_rank": RANK,
        "max_steps": STEPS,
        "save_every": 0,
        "eval_every": 0,
    }
    known = inspect.signature(config).parameters
    return config(**{name: value for name, value in (common | settings).items() if name in known})


def run(main, config):
    """Call a training loop, which is a coroutine function in most versions."""
    outcome = main(config)
    if inspect.isawaitable(outcome):
        asyncio.run(outcome)


def records(file):
    """The complete lines of a log; none if it does not exist."""
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def metrics(folder, *names):
    """The values of the first of these metrics in each step of a log."""
    steps = records(folder / "metrics.jsonl")
    name = next((name for name in names if any(name in step for step in steps)), None)
    if name is None:
        raise KeyError(f"none of {names} in {sorted(steps[-1])}")
    return [step[name] for step in steps if name in step]


def supervised(folder):
    builder = Conversations(common_config=common_config())
    run(sl_train.main, configure(sl_train.Config, folder, dataset_builder=builder))
    return metrics(folder, "train_mean_nll")


def resume(folder):
    """Train two steps of the first epoch, then continue with two steps of the second one."""
    builder = Conversations(common_config=common_config())
    second_epoch = len(PROBLEMS) // BATCH
    for settings in ({"max_steps": 2}, {"max_steps": second_epoch + 2, "num_epochs": 2}):
        config = configure(sl_train.Config, folder, dataset_builder=builder, **settings)
        run(sl_train.main, config)
    return metrics(folder, "train_mean_nll")


def train_until_killed(folder):
    """Train with a checkpoint after each step, for longer than any test waits."""
    builder = Conversations(common_config=common_config())
    config = configure(
        sl_train.Config,
        folder,
        dataset_builder=builder,
        num_epochs=1000,
        max_steps=None,
        save_every=1,
    )
    run(sl_train.main, config)


def resume_killed(folder):
    """Kill a process that trains, and continue with two steps from its last checkpoint."""
    checkpoints = folder / "checkpoints.jsonl"
    command = [sys.executable, __file__, train_until_killed.__name__, str(folder)]
    with subprocess.Popen(command) as process:
        while len(records(checkpoints)) < 3 and process.poll() is None:
            time.sleep(0.1)
        process.kill()
    saved = [record for record in records(checkpoints) if "state_path" in record][-1]
    step = (saved.get("epoch") or 0) * (len(PROBLEMS) // BATCH) + saved["batch"]
    builder = Conversations(common_config=common_config())
    config = configure(
        sl_train.Config, folder, dataset_builder=builder, num_epochs=1000, max_steps=step + 2
    )
    run(sl_train.main, config)
    steps = [record["step"] for record in records(folder / "metrics.jsonl") if "step" in record]
    if steps.count(0) != 1 or steps[-1] != step + 1:
        raise RuntimeError(f"steps {steps} do not continue from the checkpoint of step {step}")
    return metrics(folder, "train_mean_nll")


def dpo(folder):
    builder = Preferences(common_config=common_config())
    run(
        train_dpo.main,
        configure(train_dpo.Config, folder, dataset_builder=builder, learning_rate=1e-3),
    )
    return metrics(folder, "dpo_loss")


def rl(folder, **settings):
    config = configure(
        rl_train.Config,
        folder,
        dataset_builder=ProblemsBuilder(),
        max_tokens=MAX_TOKENS,
        **settings,
    )
    run(rl_train.main, config)
    return metrics(folder, "env/all/reward/total")


def rl_sync(folder):
    return rl(folder)


def rl_stable(folder):
    """The loss that the cookbook's RL recipes use by default."""
    return rl(folder, loss_fn="stable_reinforce")


def rl_async(folder):
    known = inspect.signature(rl_train.AsyncConfig).parameters
    loss = {"loss_fn": "importance_sampling"} if "loss_fn" in known else {}
    async_config = rl_train.AsyncConfig(max_steps_off_policy=1, groups_per_batch=2, **loss)
    return rl(folder, async_config=async_config)


def rl_stream(folder):
    stream = rl_train.StreamMinibatchConfig(groups_per_batch=2, num_minibatches=2)
    return rl(folder, stream_minibatch_config=stream)


def distillation(folder):
    """The teacher is a checkpoint that the supervised loop has trained."""
    supervised(folder / "teacher")
    teacher = records(folder / "teacher" / "checkpoints.jsonl")[-1]["sampler_path"]
    dataset = DistillationDatasetConfig(
        dataset_builder=ProblemsBuilder(),
        teacher_config=TeacherConfig(base_model=MODEL, load_checkpoint_path=teacher),
        groups_per_batch=2,
    )
    config = configure(
        train_on_policy.Config, folder, dataset_configs=[dataset], max_tokens=MAX_TOKENS
    )
    run(train_on_policy.main, config)
    return metrics(folder, "teacher_kl", "kl/teacher_kl", "kl_sample_train_v1")


def completers(folder):
    """The logprobs that both completers' samples have."""

    async def complete():
        service = tinker.ServiceClient()
        sampler = await service.create_sampling_client_async(base_model=MODEL)
        renderer = new_renderer()
        prompt = renderer.build_generation_prompt([{"role": "user", "content": PROBLEMS[0][0]}])
        tokens = await TinkerTokenCompleter(sampler, max_tokens=MAX_TOKENS)(
            prompt, renderer.get_stop_sequences()
        )
        message = await TinkerMessageCompleter(sampler, renderer, max_tokens=MAX_TOKENS)(
            [{"role": "user", "content": PROBLEMS[0][0]}]
        )
        assert message["role"] == "assistant"
        return tokens.maybe_logprobs

    return asyncio.run(complete())


RECIPES = {
    recipe.__name__: recipe
    for recipe in (
        supervised,
        resume,
        resume_killed,
        train_until_killed,
        dpo,
        rl_sync,
        rl_stable,
        rl_async,
        rl_stream,
        distillation,
        completers,
    )
}


def main():
    name, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    values = RECIPES[name](folder)
    print(json.dumps({"recipe": name, "values": values}), flush=True)


if __name__ == "__main__":
    main()
