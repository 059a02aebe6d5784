"""Patterns of programs that train: supervised and by policy gradients, blocking and awaited."""

import asyncio
import dataclasses
import math
import re
from concurrent.futures import ThreadPoolExecutor, as_completed

import numpy as np
import tinker
from common import BASE_MODEL, RANK, encode, new_trainer, next_token_datum, prompt_of, service
from tinker import types

WORDS = ["banana split", "quantum physics", "donut shop", "pickle jar"]


def translation_datum(tokenizer, source, target):
    prompt = tokenizer.encode(f"In: {source}\nOut:", add_special_tokens=True)
    reply = tokenizer.encode(f" {target}\n\n", add_special_tokens=False)
    weights = [0] * len(prompt) + [1] * len(reply)
    tokens = prompt + reply
    return types.Datum(
        model_input=types.ModelInput.from_ints(tokens=tokens[:-1]),
        loss_fn_inputs={"weights": weights[1:], "target_tokens": tokens[1:]},
    )


def first_supervised_run():
    """The tutorial: integer weights, requests in pairs, the loss computed from the logprobs."""
    trainer = new_trainer()
    tokenizer = trainer.get_tokenizer()
    data = [translation_datum(tokenizer, word, word[::-1]) for word in WORDS]
    losses = []
    for _ in range(4):
        backward = trainer.forward_backward(data, "cross_entropy")
        step = trainer.optim_step(types.AdamParams(learning_rate=1e-2))
        outputs = backward.result().loss_fn_outputs
        step.result()
        logprobs = np.concatenate([output["logprobs"].tolist() for output in outputs])
        weights = np.concatenate([datum.loss_fn_inputs["weights"].tolist() for datum in data])
        losses.append(-np.dot(logprobs, weights) / weights.sum())
    assert losses[-1] < losses[0]
    sampler = trainer.save_weights_and_get_sampling_client(name="reversed-words")
    params = types.SamplingParams(max_tokens=8, temperature=0.0, stop=["\n"])
    prompt = types.ModelInput.from_ints(tokenizer.encode("In: banana split\nOut:"))
    result = sampler.sample(prompt=prompt, sampling_params=params, num_samples=3).result()
    texts = [tokenizer.decode(sequence.tokens) for sequence in result.sequences]
    assert len(texts) == 3


def learning_rate_schedule_with_all_adam_settings():
    """Linear warmup and decay; the metrics of each step are read if the server has any."""
    trainer, data = new_trainer(), [next_token_datum(word) for word in WORDS]
    for step in range(3):
        rate = 1e-3 * min(1.0, (step + 1) / 2) * (1 - step / 3)
        params = tinker.AdamParams(
            learning_rate=rate,
            beta1=0.9,
            beta2=0.95,
            eps=1e-8,
            weight_decay=0.01,
            grad_clip_norm=1.0,
        )
        backward = trainer.forward_backward(data, loss_fn="cross_entropy")
        result = trainer.optim_step(params).result()
        metrics = dict(result.metrics) if result.metrics else {}
        assert all(isinstance(value, float) for value in metrics.values())
        assert backward.result().metrics["loss:sum"] > 0


def gradient_accumulation():
    """All microbatches are submitted, then one step, and only then the results are read."""
    trainer = new_trainer()
    futures = [
        trainer.forward_backward([next_token_datum(word)], "cross_entropy") for word in WORDS
    ]
    trainer.optim_step(types.AdamParams(learning_rate=1e-3)).result()
    losses = [future.result().metrics["loss:sum"] for future in futures]
    assert len(losses) == len(WORDS)
    assert all(math.isfinite(loss) for loss in losses)


def held_out_loss_by_forward():
    """Evaluation without gradients, with `.data` and `.shape` of the results."""
    trainer = new_trainer()
    data = [next_token_datum(word, prefix=3) for word in WORDS]
    outputs = trainer.forward(data, "cross_entropy").result().loss_fn_outputs
    total = count = 0.0
    for datum, output in zip(data, outputs, strict=True):
        logprobs = np.array(output["logprobs"].data, dtype=np.float32)
        if output["logprobs"].shape is not None:
            logprobs = logprobs.reshape(output["logprobs"].shape)
        weights = np.array(datum.loss_fn_inputs["weights"].data)
        total -= float((logprobs * weights).sum())
        count += weights.sum()
    assert total / count > 0


def independent_runs_on_threads():
    """Every thread of a pool trains a model of its own, through one service client."""

    def run(index):
        trainer = service().create_lora_training_client(base_model=BASE_MODEL, rank=RANK)
        data = [next_token_datum(WORDS[index])]
        first = trainer.forward_backward(data, "cross_entropy").result(timeout=300)
        trainer.optim_step(types.AdamParams(learning_rate=1e-3)).result(timeout=300)
        return index, first.metrics["loss:sum"]

    with ThreadPoolExecutor(max_workers=3) as pool:
        runs = [pool.submit(run, index) for index in range(3)]
        losses = dict(run.result() for run in as_completed(runs))
    assert sorted(losses) == [0, 1, 2]


def policy_gradient_datum(prompt, sequence, advantage):
    skipped = len(prompt) - 1
    tokens = [*prompt, *sequence.tokens]
    length = len(tokens) - 1
    return types.Datum(
        model_input=types.ModelInput.from_ints(tokens[:-1]),
        loss_fn_inputs={
            "target_tokens": types.TensorData(data=tokens[1:], dtype="int64", shape=[length]),
            "logprobs": types.TensorData(
                data=[0.0] * skipped + list(sequence.logprobs), dtype="float32", shape=[length]
            ),
            "advantages": types.TensorData(
                data=[0.0] * skipped + [advantage] * len(sequence.tokens),
                dtype="float32",
                shape=[length],
            ),
        },
    )


def sample_groups(trainer, prompts):
    sampler = trainer.save_weights_and_get_sampling_client()
    params = types.SamplingParams(max_tokens=6, temperature=1.0)
    futures = [
        sampler.sample(types.ModelInput.from_ints(prompt), num_samples=4, sampling_params=params)
        for prompt in prompts
    ]
    return [future.result().sequences for future in futures]


def group_relative_advantages():
    """GRPO: groups whose rewards are all equal are skipped, the others are normalized."""
    trainer, prompts = new_trainer(), [encode("Count:"), encode("Name a colour:")]
    data = []
    for prompt, sequences in zip(prompts, sample_groups(trainer, prompts), strict=True):
        rewards = np.array([len(set(sequence.tokens)) / 6 for sequence in sequences])
        if rewards.std() < 1e-6:
            rewards = rewards + np.arange(len(rewards))
        advantages = (rewards - rewards.mean()) / (rewards.std() + 1e-6)
        for sequence, advantage in zip(sequences, advantages, strict=True):
            data.append(policy_gradient_datum(prompt, sequence, float(advantage)))
    backward = trainer.forward_backward(data, "importance_sampling")
    update = trainer.optim_step(tinker.AdamParams(learning_rate=4e-5))
    assert len(backward.result().loss_fn_outputs) == len(data)
    update.result()


def clipped_policy_losses():
    """PPO and CISPO with their settings, chosen by name."""
    trainer, prompt = new_trainer(), encode("Count:")
    [sequences] = sample_groups(trainer, [prompt])
    data = [
        policy_gradient_datum(prompt, sequence, (-1.0) ** index)
        for index, sequence in enumerate(sequences)
    ]
    clip = {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2}
    for name in ("ppo", "cispo"):
        result = trainer.forward_backward(data, name, loss_fn_config=clip).result()
        assert math.isfinite(result.metrics["loss:sum"]), name


@dataclasses.dataclass(frozen=True, slots=True)
class InFlight:
    """Submitted requests of one step."""

    backward: tinker.APIFuture[tinker.ForwardBackwardOutput]
    step: tinker.APIFuture[tinker.OptimStepResponse]


async def pipelined_steps_of_a_coroutine():
    """The next step is submitted before the results of the last one are awaited."""
    client = tinker.ServiceClient()
    trainer = await client.create_lora_training_client_async(BASE_MODEL, rank=RANK)
    data = [next_token_datum(word) for word in WORDS]

    async def submit():
        backward = await trainer.forward_backward_async(data, loss_fn="cross_entropy")
        step = await trainer.optim_step_async(types.AdamParams(learning_rate=1e-2))
        return InFlight(backward, step)

    losses, pending = [], await submit()
    for _ in range(2):
        following = await submit()
        losses.append((await pending.backward.result_async()).metrics["loss:sum"])
        await pending.step.result_async()
        pending = following
    losses.append((await pending.backward).metrics["loss:sum"])
    await pending.step
    assert losses[-1] < losses[0]


def resume_with_the_optimizer():
    """The step number is read from the checkpoint's name."""
    trainer, data = new_trainer(), [next_token_datum(word) for word in WORDS]
    trainer.forward_backward(data, "cross_entropy").result()
    trainer.optim_step(types.AdamParams(learning_rate=1e-2)).result()
    path = trainer.save_state(name="words-step200").result().path
    expected = trainer.forward(data, "cross_entropy").result().metrics["loss:sum"]

    match = re.search(r"step(\d+)", path)
    assert int(match.group(1)) == 200
    resumed = tinker.ServiceClient().create_training_client_from_state_with_optimizer(path)
    loss = resumed.forward(data, "cross_entropy").result().metrics["loss:sum"]
    assert abs(loss - expected) < 1e-3
    assert resumed.get_info().model_data.model_name == BASE_MODEL
    assert resumed.get_info().lora_rank in (RANK, None)


async def resume_if_the_settings_say_so():
    """A fresh client that loads a state, with or without the optimizer."""
    client = tinker.ServiceClient()
    trainer = await client.create_lora_training_client_async(
        base_model=BASE_MODEL,
        rank=RANK,
        seed=3,
        train_mlp=True,
        train_attn=True,
        train_unembed=False,
    )
    saved = await (await trainer.save_state_async("resumable", ttl_seconds=3600)).result_async()
    for with_optimizer in (True, False):
        fresh = await client.create_lora_training_client_async(
            base_model=BASE_MODEL, rank=RANK, train_unembed=False
        )
        load = fresh.load_state_with_optimizer_async if with_optimizer else fresh.load_state_async
        try:
            await (await load(saved.path)).result_async()
        except Exception as error:
            raise RuntimeError(f"Failed to resume from {saved.path!r}") from error
    # The async function creates a client at once from the state as well.
    await client.create_training_client_from_state_async(saved.path)


def copy_of_a_checkpoint_with_another_key():
    """Loads a checkpoint with its owner's key and saves it as the destination's own."""
    source = new_trainer()
    saved = source.save_state("original").result()
    destination = tinker.ServiceClient(api_key="tml-destination")
    trainer = destination.create_lora_training_client(base_model=BASE_MODEL, rank=RANK)
    trainer.load_state(saved.path, weights_access_token="tml-any").result()
    copied = trainer.save_weights_for_sampler("copy").result()
    assert copied.path.startswith("tinker://")
    assert "/sampler_weights/" in copied.path


def mixed_precision_tensors():
    """Tensors of numpy, which come back as numpy."""
    tensor = types.TensorData.from_numpy(np.arange(4, dtype=np.int64))
    assert tensor.dtype == "int64"
    assert tensor.to_numpy().tolist() == tensor.tolist() == [0, 1, 2, 3]
    trainer = new_trainer()
    tokens = np.array(encode("numpy"), dtype=np.int64)
    datum = types.Datum(
        model_input=types.ModelInput.from_ints(tokens[:-1].tolist()),
        loss_fn_inputs={
            "target_tokens": types.TensorData.from_numpy(tokens[1:]),
            "weights": types.TensorData.from_numpy(np.ones(4, dtype=np.float32)),
        },
    )
    output = trainer.forward_backward([datum], "cross_entropy").result().loss_fn_outputs[0]
    assert output["logprobs"].to_numpy().dtype == np.float32


async def writers_with_sessions_of_their_own():
    """A load test: every writer has its own client, errors are counted and not raised."""

    async def write(index):
        client = tinker.ServiceClient()
        trainer = await client.create_lora_training_client_async(base_model=BASE_MODEL, rank=RANK)
        sampler = await trainer.save_weights_and_get_sampling_client_async()
        params = types.SamplingParams(max_tokens=3, temperature=1.0)
        prompt = prompt_of(f"writer {index}")
        result = await sampler.sample_async(prompt=prompt, num_samples=2, sampling_params=params)
        return len(result.sequences)

    outcomes = await asyncio.gather(*[write(i) for i in range(3)], return_exceptions=True)
    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
    assert outcomes == [2, 2, 2]
