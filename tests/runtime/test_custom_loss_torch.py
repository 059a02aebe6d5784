"""Custom losses in torch, with the official signature. Needs torch: run `make test-torch`."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import tinker_ext as tinker
from tinker_ext.testing import FakeServer, make_client

torch = pytest.importorskip("torch", reason="torch is not a dependency; `make test-torch` has it")


def datum(tokens: int) -> tinker.Datum:
    ids = list(range(tokens))
    return tinker.Datum(
        model_input=tinker.ModelInput.from_ints(ids), loss_fn_inputs={"target_tokens": ids}
    )


def test_gradients_of_a_torch_loss_become_weights() -> None:
    server = FakeServer()
    threads: list[threading.Thread] = []

    def loss(data: list[tinker.Datum], logprobs: list[Any]) -> tuple[Any, dict[str, float]]:
        threads.append(threading.current_thread())
        assert [logprob.shape for logprob in logprobs] == [(3,), (5,)]
        value = sum((logprob**2).sum() for logprob in logprobs)
        return value, {"mine": 2.0}

    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        output = training.forward_backward_custom([datum(3), datum(5)], loss).result(30)
    # d(x^2)/dx at x = -1 is -2; the surrogate's weights are its negative.
    sent = server.calls("forward_backward")[0].body["forward_backward_input"]["data"]
    assert [item["loss_fn_inputs"]["weights"]["data"] for item in sent] == [[2.0] * 3, [2.0] * 5]
    assert output.metrics["loss:sum"] == 8.0
    assert output.metrics["mine"] == 2.0
    assert threads == [threading.current_thread()]


def test_loss_without_autograd_graph_is_rejected() -> None:
    with make_client(FakeServer()) as service:
        training = service.create_lora_training_client("fake/model")
        future = training.forward_backward_custom(
            [datum(2)], lambda data, logprobs: (torch.tensor(1.0), {})
        )
        with pytest.raises(tinker.InvalidInputError, match="real scalar tensor computed from"):
            future.result(30)
        future = training.forward_backward_custom(
            [datum(2), datum(2)], lambda data, logprobs: (logprobs[0].sum(), {})
        )
        with pytest.raises(tinker.InvalidInputError, match="datum 1"):
            future.result(30)


def test_tensors_are_accepted_as_inputs() -> None:
    server = FakeServer()
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        datum = tinker.Datum(
            model_input=tinker.ModelInput.from_ints(torch.tensor([1, 2])),
            loss_fn_inputs={
                "target_tokens": torch.tensor([1, 2]),
                "weights": torch.tensor([0.5, 1.0], dtype=torch.bfloat16),
            },
        )
        output = training.forward_backward([datum], "cross_entropy").result(30)
    inputs = server.calls("forward_backward")[0].body["forward_backward_input"]["data"][0]
    assert inputs["loss_fn_inputs"]["weights"] == {
        "data": [0.5, 1.0],
        "dtype": "float32",
        "shape": [2],
    }
    assert torch.equal(output.loss_fn_outputs[0]["logprobs"].to_torch(), torch.full((2,), -1.0))
    assert isinstance(output.loss_fn_outputs[0]["logprobs"].to_numpy(), np.ndarray)
