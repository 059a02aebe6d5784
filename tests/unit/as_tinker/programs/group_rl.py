"""The calls of a public reinforcement learning script: groups of samples, advantages, updates."""

import asyncio
import dataclasses
import json
import os

import numpy as np
import pydantic
import tinker
from tinker import types
from tinker.lib.public_interfaces.api_future import AwaitableConcurrentFuture
from tinker.lib.retry_handler import RetryConfig
from tinker.types.loss_fn_type import LossFnType

BASE_MODEL = "embedded/tiny"


class Settings(pydantic.BaseModel):
    """The script's configuration, with the SDK's types as fields."""

    loss_fn: LossFnType = "importance_sampling"
    sampling: types.SamplingParams = types.SamplingParams(max_tokens=6, temperature=1.0)
    optimizer: types.AdamParams = types.AdamParams(learning_rate=5e-3)
    group_size: int = 4


@dataclasses.dataclass(frozen=True)
class Rollout:
    prompt: types.ModelInput
    sequence: types.SampledSequence
    reward: float


async def sample_group(client, prompt, settings, limit):
    async with limit:
        response = await client.sample_async(
            prompt=prompt, num_samples=settings.group_size, sampling_params=settings.sampling
        )
    return [
        Rollout(prompt, sequence, len(set(sequence.tokens)) / settings.sampling.max_tokens)
        for sequence in response.sequences
    ]


def to_datum(rollout, advantage):
    prompt = rollout.prompt.to_ints()
    tokens = np.concatenate([prompt, rollout.sequence.tokens_np])
    skipped = np.zeros(len(prompt) - 1, np.float32)
    count = len(rollout.sequence.tokens)
    datum = types.Datum(
        model_input=types.ModelInput.from_ints(tokens[:-1].tolist()),
        loss_fn_inputs={
            "target_tokens": types.TensorData.from_numpy(tokens[1:].astype(np.int64)),
            "logprobs": types.TensorData.from_numpy(
                np.concatenate([skipped, rollout.sequence.logprobs_np])
            ),
            "advantages": types.TensorData.from_numpy(
                np.concatenate([skipped, np.full(count, advantage, np.float32)])
            ),
        },
    )
    return dataclasses.replace(datum, loss_fn_inputs=dict(datum.loss_fn_inputs))


async def step(training_client, settings, prompts):
    client = await training_client.save_weights_and_get_sampling_client_async(
        retry_config=RetryConfig(enable_retry_logic=True, progress_timeout=120)
    )
    limit = asyncio.Semaphore(2)
    groups = await asyncio.gather(
        *(sample_group(client, prompt, settings, limit) for prompt in prompts)
    )
    data = []
    for group in groups:
        mean = np.mean([rollout.reward for rollout in group])
        data += [to_datum(rollout, rollout.reward - mean) for rollout in group]
    forward_backward = await training_client.forward_backward_async(data, settings.loss_fn)
    update = await training_client.optim_step_async(settings.optimizer)
    output = await forward_backward
    await update.result_async()
    assert len(output.loss_fn_outputs) == len(data)
    rewards = [rollout.reward for group in groups for rollout in group]
    return float(np.mean(rewards)), output.metrics["loss:sum"]


async def main():
    settings = Settings.model_validate({"optimizer": {"learning_rate": 1e-2}})
    settings.sampling = settings.sampling.model_copy(update={"seed": 3})
    service_client = tinker.ServiceClient(base_url=os.environ["TINKER_BASE_URL"])
    training_client = await service_client.create_lora_training_client_async(
        base_model=BASE_MODEL, rank=4
    )
    tokenizer = training_client.get_tokenizer()
    prompts = [
        types.ModelInput.from_ints(tokenizer.encode(text, add_special_tokens=False))
        for text in ("Count to three:", "Name a colour:")
    ]
    # Work of the script's own in the form of the SDK's futures.
    loop = asyncio.get_running_loop()
    saved = AwaitableConcurrentFuture(
        training_client.holder.run_coroutine_threadsafe(asyncio.sleep(0, "ready")).future()
    )
    steps = [await step(training_client, settings, prompts) for _ in range(2)]
    report = {
        "rewards": [reward for reward, _ in steps],
        "losses": [loss for _, loss in steps],
        "future": await saved,
        "loop": loop is not training_client.holder.get_loop(),
        "schema": sorted(Settings.model_json_schema()["properties"]),
        "dump": settings.model_dump(mode="json")["optimizer"]["learning_rate"],
    }
    print(json.dumps(report))


if __name__ == "__main__":
    asyncio.run(main())
