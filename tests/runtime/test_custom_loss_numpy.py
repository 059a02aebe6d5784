"""Custom losses in numpy: invalid values that the user's function returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import tinker_ext as tinker
from tests.builders import DATUM
from tinker_ext.testing import FakeServer, make_client

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def training(server: FakeServer) -> Iterator[tinker.TrainingClient]:
    with make_client(server) as service:
        yield service.create_lora_training_client("fake/model")


def run(training: tinker.TrainingClient, loss: Any, gradients: Any) -> float:
    def loss_fn(data: object, logprobs: object) -> Any:
        return loss, gradients, {}

    output = training.forward_backward_custom([DATUM], loss_fn, arrays="numpy").result(30)
    return output.metrics["loss:sum"]


@pytest.mark.parametrize(
    "loss",
    ["x", "1.5", b"1", None, [1.0], np.zeros(2), 10**400, 1j, np.complex128(1), np.array("x")],
    ids=repr,
)
def test_invalid_loss_value_raises_and_is_not_sent(
    training: tinker.TrainingClient, server: FakeServer, loss: object
) -> None:
    with pytest.raises(tinker.InvalidInputError, match="loss_fn, loss: expected a real number"):
        run(training, loss, [np.zeros(2)])
    assert not server.calls("forward_backward")


@pytest.mark.parametrize(
    "gradient",
    [
        "x",
        ["1", "2"],
        [10**400, 1],
        [1j, 1],
        np.zeros(2, complex),
        [[1], [1, 2]],
    ],
    ids=repr,
)
def test_invalid_gradient_raises_and_is_not_sent(
    training: tinker.TrainingClient, server: FakeServer, gradient: object
) -> None:
    with pytest.raises(
        tinker.InvalidInputError, match=r"loss_fn, gradient of data\[0\]: expected an array of real"
    ):
        run(training, 0.0, [gradient])
    assert not server.calls("forward_backward")


async def async_loss(data: object, logprobs: object) -> Any:
    return 0.0, [np.zeros(2)], {}


class AsyncLoss:
    async def __call__(self, data: object, logprobs: object) -> Any:
        return 0.0, [np.zeros(2)], {}


@pytest.mark.parametrize("loss", [async_loss, AsyncLoss()], ids=["function", "object"])
def test_coroutine_function_raises_before_anything_is_sent(
    training: tinker.TrainingClient, server: FakeServer, loss: Any
) -> None:
    with pytest.raises(tinker.InvalidInputError, match="got a coroutine function"):
        training.forward_backward_custom([DATUM], loss, arrays="numpy")
    assert not server.calls("forward")


@pytest.mark.parametrize("gradients", [None, 1.5, np.array(1.0)], ids=repr)
def test_gradients_that_are_no_list_raise(
    training: tinker.TrainingClient, gradients: object
) -> None:
    with pytest.raises(tinker.InvalidInputError, match="loss_fn, gradients: expected a list"):
        run(training, 0.0, gradients)


@pytest.mark.parametrize("value", [1e300, float("nan"), None])
def test_gradient_that_is_not_finite_in_float32_raises(
    training: tinker.TrainingClient, value: float | None
) -> None:
    with pytest.raises(tinker.InvalidInputError, match="expected finite values, got"):
        run(training, 0.0, [[value, 0.0]])


@pytest.mark.parametrize("loss", [2, 2.0, np.float32(2), np.array(2.0), np.int64(2)], ids=repr)
def test_real_numbers_are_accepted_as_loss(training: tinker.TrainingClient, loss: object) -> None:
    assert run(training, loss, [[1, 0.5]]) == 2.0
