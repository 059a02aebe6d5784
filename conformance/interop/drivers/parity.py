"""The program `parity`: rarely used inputs, which two clients must encode identically.

It sends CSR matrices, audio chunks and custom losses, and needs torch. With DRIVER_LATER=yes it
also uses the additions of release 0.38.0.
"""

from __future__ import annotations

import math
import operator
import os
from typing import Any

import numpy as np
import torch
from client import ABSENT, resolve, tinker, types

LATER = os.environ.get("DRIVER_LATER") == "yes"
# Type 2, two dimensions, 3 rows of 2; the second chunk is one value in 300 rows of 80.
AUDIO = (bytes([2, 2, 3, 2, *range(6)]), bytes([254, 0, 2, 0xAC, 0x02, 80, 7]))


def open_service(state: Any) -> Any:
    state.service = tinker.ServiceClient(user_metadata={"purpose": "interop"})
    state.training = resolve(state.service.create_lora_training_client(base_model="org/model"))


def eye(rows: int, columns: int, value: float = 1.0) -> Any:
    """A torch matrix with `value` on its diagonal."""
    return torch.eye(rows, columns) * value


def datum(*chunks: Any, **inputs: Any) -> Any:
    prompt = types.ModelInput.from_ints([1, 2, 3])
    for chunk in chunks:
        prompt = prompt.append(chunk)
    return types.Datum(model_input=prompt, loss_fn_inputs=inputs)


def train_on_rows(state: Any) -> Any:
    """Every way to CSR tensors: chosen by the SDK, requested, and given as index arrays."""
    rows = types.TensorData(
        data=[5, 6, 7],
        dtype="int64",
        shape=[3, 9],
        sparse_crow_indices=[0, 2, 2, 3],
        sparse_col_indices=[0, 8, 4],
    )
    data = [
        datum(target_tokens=rows, weights=eye(3, 9, 0.5)),
        datum(target_tokens=eye(3, 9, 7).long(), weights=torch.ones(3, 9)),
        datum(target_tokens=torch.zeros(3, 9).long(), weights=torch.zeros(3, 2)),
        datum(target_tokens=eye(3, 4).long(), advantages=eye(3, 9)),
        datum(target_tokens=torch.tensor([1, 2, 3]), weights=torch.tensor([0.0, 0.0, 1.0])),
        datum(target_tokens=np.eye(3, 9, dtype=np.int64), weights=[[0.0, 1.0]] * 3),
        datum(target_tokens=types.TensorData.from_torch_sparse(eye(3, 9, 4).long())),
        datum(target_tokens=types.TensorData.from_torch(eye(3, 9, 4).bfloat16())),
    ]
    resolve(state.training.forward_backward(data, "importance_sampling"))
    resolve(state.training.forward(data[:1], "importance_sampling"))


def train_on_audio(state: Any) -> Any:
    chunks = [types.DmelChunk(dmel=data) for data in AUDIO]
    resolve(state.training.forward_backward([datum(*chunks, target_tokens=[1] * 3)], "ppo"))
    return [chunk.length for chunk in chunks]


def train_on_padded_rows(state: Any) -> Any:
    if not LATER:
        return ABSENT
    ids = torch.full((3, 9), -1)
    ids[0, 3] = ids[2, 0] = 4
    tensor = types.TensorData.from_torch_sparse(ids, pad_value=-1)
    resolve(state.training.forward_backward([datum(target_tokens=tensor)], "dro"))
    return [tensor.tolist(-1), tensor.to_torch(pad_value=-1).tolist(), tensor.to_numpy().tolist()]


def sample(state: Any) -> Any:
    """An audio prompt, and a CSR tensor of token ids to score."""
    sampler = resolve(state.service.create_sampling_client(base_model="org/model"))
    params = types.SamplingParams(max_tokens=1)
    audio = types.ModelInput(chunks=[types.DmelChunk(dmel=data) for data in AUDIO])
    resolve(sampler.sample(audio, 1, params))
    if not LATER:
        return ABSENT
    ids = torch.full((2, 9), -1)
    ids[1, 4] = 7
    options = {"target_prompt_logprobs": types.TensorData.from_torch_sparse(ids, pad_value=-1)}
    response = resolve(sampler.sample(types.ModelInput.from_ints([1, 2, 3]), 1, params, **options))
    return response.target_prompt_logprobs.tolist()


def weighted(logprobs: Any, weights: Any) -> Any:
    loss = -(logprobs * weights).sum()
    return loss, {"custom/weighted:sum": loss, "custom/mean:mean": logprobs.mean()}


def many_kinds_of_arguments(logprobs: Any, advantages: Any, limit: Any) -> Any:
    ratio = torch.exp(logprobs[..., :-1] - advantages[..., :-1]).clamp(min=0.5, max=math.inf)
    wide = torch.stack([ratio, ratio * 2.0], dim=0).to(torch.float32)
    shaped = wide.reshape((2, -1)).sum(dim=(0, 1))
    zeros = torch.zeros_like(shaped, dtype=torch.float32, layout=torch.strided)
    kept = torch.where(shaped > 0, shaped, zeros).to(torch.device("cpu"))
    loss = torch.nn.functional.relu(kept) * math.sqrt(2.0) + abs(limit) + logprobs[None, 0].sum()
    return [loss, {"custom/a/b.c-d_1:sum": loss.detach(), "custom/x:mean": ratio.T.mean()}]


def matrices(logprobs: Any) -> Any:
    loss = operator.neg(logprobs.contiguous(memory_format=torch.contiguous_format).sum())
    return loss, {}


LOSSES: tuple[tuple[Any, dict[str, int]], ...] = (
    (weighted, {"logprobs": 1, "weights": 1}),
    (many_kinds_of_arguments, {"logprobs": 1, "advantages": 1, "limit": 0}),
    (matrices, {"logprobs": 2}),
)


def create_losses(state: Any) -> Any:
    if not LATER:
        return ABSENT
    create = state.service.create_custom_loss
    handles = [resolve(create(fn, ranks)) for fn, ranks in LOSSES]
    state.handle = handles[0]
    return [
        [loss.name, list(loss.input_names), [item.rank for item in loss.inputs], loss.loss_id]
        for loss in handles
    ]


def run_a_loss(state: Any) -> Any:
    if not LATER:
        return ABSENT
    data = [datum(target_tokens=[1, 2, 3], weights=[0.5, weight, 0.0]) for weight in (1.0, 3.0)]
    output = resolve(state.training.forward_backward_custom(data, state.handle))
    return dict(sorted(output.metrics.items()))


def _branching(logprobs: Any) -> Any:
    return (logprobs.sum() if logprobs.sum() > 0 else -logprobs.sum()), {}


def _closing_over(logprobs: Any) -> Any:
    return (logprobs * CONSTANT).sum(), {}


CONSTANT = torch.ones(3)
MODULE = torch.nn.Softmax(dim=0)
REFUSED: dict[str, Any] = {
    "branching": _branching,
    "a tensor from outside": _closing_over,
    "a module": lambda logprobs: (MODULE(logprobs).sum(), {}),
    "backward": lambda logprobs: (logprobs.sum().backward(), {}),
    "item": lambda logprobs: (logprobs.sum(), {"custom/a:sum": logprobs.sum().item()}),
    "an unknown method": lambda logprobs: (logprobs.sumsum(), {}),
    "numpy": lambda logprobs: (np.sum(logprobs), {}),
    "another library": lambda logprobs: (print(logprobs), {}),
    "no metrics": lambda logprobs: logprobs.sum(),
    "a number for a loss": lambda logprobs: (1.0, {}),
    "a list of metrics": lambda logprobs: (logprobs.sum(), []),
    "a metric's name": lambda logprobs: (logprobs.sum(), {"Mine": logprobs.sum()}),
    "a metric's reduction": lambda logprobs: (logprobs.sum(), {"custom/a:max": logprobs.sum()}),
    "a number for a metric": lambda logprobs: (logprobs.sum(), {"custom/a:sum": 1.0}),
    "another first parameter": lambda lp: (lp.sum(), {}),
    "no parameter": lambda: (1.0, {}),
    "a default": lambda logprobs, weights=None: (logprobs.sum(), {}),
    "keywords": lambda logprobs, *, weights: (logprobs.sum(), {}),
    "any number": lambda logprobs, *rest: (logprobs.sum(), {}),
    "large letters": lambda logprobs, Weights: (logprobs.sum(), {}),  # noqa: N803  # the fault
    "a scalar of logprobs": lambda logprobs: (logprobs.sum(), {}),
}


def refuse_losses(state: Any) -> Any:
    """Losses that the client rejects before sending a request."""
    if not LATER:
        return ABSENT
    return {name: _refused(state.service, name, fn) for name, fn in REFUSED.items()}


def _refused(service: Any, name: str, fn: Any) -> bool:
    parameters = fn.__code__.co_varnames[: fn.__code__.co_argcount + fn.__code__.co_kwonlyargcount]
    ranks = dict.fromkeys(parameters, 0 if name == "a scalar of logprobs" else 1)
    if fn.__code__.co_flags & 4:  # *rest
        ranks["rest"] = 1
    try:
        resolve(service.create_custom_loss(fn, ranks))
    except ValueError:
        return True
    return False


def refuse_data(state: Any) -> Any:
    """Data that does not fit the loss, which the client rejects before sending a request."""
    if not LATER:
        return ABSENT
    wrong = [
        datum(target_tokens=[1, 2, 3]),
        datum(weights=[0.0]),
        datum(target_tokens=[1, 2, 3], weights=[[1.0, 2.0]] * 3),
        datum(target_tokens=[[1], [2], [3]], weights=[1.0] * 3),
    ]
    return [_fails(state, item) for item in wrong]


def _fails(state: Any, datum: Any) -> bool:
    try:
        state.training.forward_backward_custom([datum], state.handle)
    except ValueError:
        return True
    return False


PROGRAM: dict[str, Any] = {
    "steps": [
        *(open_service, train_on_rows, train_on_audio, train_on_padded_rows, sample),
        *(create_losses, run_a_loss, refuse_losses, refuse_data),
    ]
}
