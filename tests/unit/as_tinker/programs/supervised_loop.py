"""The calls of a public fine-tuning script: train, log with numpy, checkpoint, resume, sample."""

import json
import os
import sys

import numpy as np
import tinker
from tinker import types
from tinker._exceptions import APIStatusError
from tinker.lib.public_interfaces.service_client import RetryConfig
from tinker.types.tensor_data import TensorData

BASE_MODEL = "embedded/tiny"
EXAMPLES = [("one", "two"), ("two", "three"), ("three", "four"), ("four", "five")]


def encode(tokenizer, question, reply):
    prompt = tokenizer.encode(f"Q: {question} A:", add_special_tokens=False)
    completion = tokenizer.encode(f" {reply}\n", add_special_tokens=False)
    tokens = prompt + completion
    mask = [False] * (len(prompt) - 1) + [True] * len(completion)
    return types.Datum(
        model_input=types.ModelInput.from_ints(tokens[:-1]),
        loss_fn_inputs={
            "target_tokens": TensorData(data=tokens[1:], dtype="int64", shape=[len(tokens) - 1]),
            "weights": mask,
        },
    )


def mean_loss(output, data):
    logprobs = np.concatenate([item["logprobs"].tolist() for item in output.loss_fn_outputs])
    weights = np.concatenate([datum.loss_fn_inputs["weights"].tolist() for datum in data])
    return float(-np.dot(logprobs, weights) / weights.sum())


def train(training_client, data, steps):
    losses = []
    for _ in range(steps):
        forward_backward = training_client.forward_backward(data, loss_fn="cross_entropy")
        update = training_client.optim_step(
            types.AdamParams(learning_rate="1e-2", beta1=0.9, beta2=0.95, eps=1e-8)
        )
        losses.append(mean_loss(forward_backward.result(), data))
        update.result()
    return losses


def main():
    print("config", json.dumps(types.LoraConfig(rank=8).model_dump()), file=sys.stderr)
    service_client = tinker.ServiceClient(
        base_url=os.environ["TINKER_BASE_URL"], user_metadata={"run": sys.argv[1]}
    )
    training_client = service_client.create_lora_training_client(base_model=BASE_MODEL, rank=8)
    tokenizer = training_client.get_tokenizer()
    data = [encode(tokenizer, question, reply) for question, reply in EXAMPLES]
    losses = train(training_client, data, 3)

    path = training_client.save_state(name="0003").result().path
    training_client.load_state(path).result()
    losses += train(training_client, data, 2)

    resumed = service_client.create_training_client_from_state(path)
    assert resumed.get_info().model_data.model_name == BASE_MODEL
    try:
        resumed.load_state(f"{path}-missing").result()
    except APIStatusError as error:
        status = error.response.status_code
    except tinker.RequestFailedError as error:
        status = str(error.category)

    sampling_client = training_client.save_weights_and_get_sampling_client()
    sampler_path = training_client.save_weights_for_sampler(name="final").result().path
    named = service_client.create_sampling_client(
        model_path=sampler_path, retry_config=RetryConfig(max_connections=4, progress_timeout=60)
    )
    params = types.SamplingParams(max_tokens=6.0, temperature=0.0, stop=["\n"])
    prompt = types.ModelInput.from_ints(tokenizer.encode("Q: one A:", add_special_tokens=False))
    texts = [
        tokenizer.decode(client.sample(prompt, 1, params).result().sequences[0].tokens)
        for client in (sampling_client, named)
    ]
    session = training_client.holder.get_session_id()
    training_client.holder.close()
    report = {"losses": losses, "texts": texts, "status": status, "session": bool(session)}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
