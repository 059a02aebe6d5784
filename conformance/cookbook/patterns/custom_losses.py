"""Patterns with losses of the program's own, which need torch."""

import math

import tinker
import torch
from common import new_trainer, next_token_datum
from tinker import types

PAIRS = [("yes, of course", "no idea"), ("a long reply", "short")]


def preference_loss():
    """DPO: pairs of datums, with the logprobs of the untrained model as reference."""
    trainer = new_trainer()
    data = [next_token_datum(text) for pair in PAIRS for text in pair]
    reference = [
        output["logprobs"].to_torch().sum()
        for output in trainer.forward(data, "cross_entropy").result().loss_fn_outputs
    ]

    def loss_fn(data, logprobs):
        margins = torch.stack([values.sum() - reference[i] for i, values in enumerate(logprobs)])
        loss = -torch.nn.functional.logsigmoid(0.1 * (margins[0::2] - margins[1::2])).mean()
        return loss, {"dpo_loss": loss.item()}

    losses = []
    for _ in range(3):
        result = trainer.forward_backward_custom(data, loss_fn).result()
        trainer.optim_step(tinker.AdamParams(learning_rate=1e-2)).result()
        losses.append(result.metrics["dpo_loss"])
    assert abs(losses[0] - math.log(2)) < 0.02
    assert losses[-1] < losses[0]


async def reinforce_with_sequence_weights():
    """REINFORCE over whole sequences, awaited twice: for the submission and for the result."""
    trainer = new_trainer()
    data = [next_token_datum(text) for pair in PAIRS for text in pair]
    advantages = torch.tensor([1.0, -1.0, 0.5, -0.5])

    def loss_fn(data, logprobs):
        scores = [
            torch.dot(values.float(), torch.tensor(datum.loss_fn_inputs["weights"].data))
            for datum, values in zip(data, logprobs, strict=True)
        ]
        loss = -(advantages * torch.stack(scores)).mean()
        return loss, {"reinforce_loss": loss.item(), "mean_advantage": advantages.mean().item()}

    future = await trainer.forward_backward_custom_async(data, loss_fn)
    result = await future
    assert math.isfinite(result.metrics["reinforce_loss"])
    await (await trainer.optim_step_async(types.AdamParams(learning_rate=1e-3)))


def torch_tensors():
    """Tensors that go to the server from torch and come back as torch."""
    trainer = new_trainer()
    tokens = torch.tensor(list(b"torch tensors"))
    datum = types.Datum(
        model_input=types.ModelInput.from_ints(tokens[:-1].tolist()),
        loss_fn_inputs={
            "target_tokens": types.TensorData.from_torch(tokens[1:]),
            "weights": types.TensorData.from_torch(torch.ones(len(tokens) - 1)),
        },
    )
    mask = datum.loss_fn_inputs["weights"].to_torch().float()
    output = trainer.forward([datum], "cross_entropy").result().loss_fn_outputs[0]
    loss = -(output["logprobs"].to_torch() * mask).sum() / mask.sum()
    assert loss.item() > 0
