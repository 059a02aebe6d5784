"""Unloading a model: after all earlier operations, and ends its client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import tinker_ext as tinker
from tests.builders import DATUM
from tinker_ext.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def training(service: tinker.ServiceClient) -> tinker.TrainingClient:
    return service.create_lora_training_client("fake/model")


def loss(data: Any, logprobs: Any) -> Any:
    return 0.0, logprobs, {}


def test_unload_waits_for_the_results_of_earlier_calls(
    server: FakeServer, training: tinker.TrainingClient
) -> None:
    waiting = Reply(200, {"type": "try_again", "queue_state": "active"}, delay=0.05)
    server.respond("retrieve_future", waiting, waiting)
    step = training.forward_backward([DATUM], "cross_entropy")
    custom = training.forward_backward_custom([DATUM], loss, arrays="numpy")
    assert training.unload().result(10).model_id == training.model_id
    assert len(step.result(10).loss_fn_outputs) == len(custom.result(10).loss_fn_outputs) == 1
    [sent] = server.calls("unload_model")
    assert sent.body == {"model_id": training.model_id, "type": "unload_model"}
    polls = [at for at, call in enumerate(server.received) if call.operation == "retrieve_future"]
    assert server.received.index(sent) > polls[-2], "only its own result is polled after it"


@pytest.mark.parametrize(
    "call",
    [
        lambda it: it.forward([DATUM], "cross_entropy"),
        lambda it: it.forward_backward_custom([DATUM], loss, arrays="numpy"),
        lambda it: it.optim_step(tinker.AdamParams()),
        lambda it: it.save_state("a"),
        lambda it: it.save_weights_and_get_sampling_client(),
        lambda it: it.get_info(),
        lambda it: it.unload(),
    ],
)
def test_calls_after_unload_fail_at_once(
    server: FakeServer, training: tinker.TrainingClient, call: Callable[[Any], Any]
) -> None:
    unloaded = training.unload()
    with pytest.raises(tinker.ClientClosedError, match=f"{training.model_id} was unloaded"):
        call(training)
    unloaded.result(10)
    operations = {request.operation for request in server.received}
    assert operations.isdisjoint({"forward", "optim_step", "save_weights", "get_info"})


async def test_unload_async_returns_its_future(training: tinker.TrainingClient) -> None:
    assert (await (await training.unload_async())).model_id == training.model_id


def test_model_is_usable_after_a_failed_unload(
    server: FakeServer, training: tinker.TrainingClient
) -> None:
    server.respond("unload_model", Reply(404, {"detail": "Not Found"}))
    with pytest.raises(tinker.NotFoundError, match="close the ServiceClient") as caught:
        training.unload().result(10)
    assert caught.value.unsupported
    training.optim_step(tinker.AdamParams()).result(10)


def test_failed_call_does_not_prevent_unload(
    server: FakeServer, training: tinker.TrainingClient
) -> None:
    server.respond("forward", Reply(400, {"detail": "no"}))
    failed = training.forward([DATUM], "cross_entropy")
    training.unload().result(10)
    with pytest.raises(tinker.BadRequestError):
        failed.result(10)


def test_embedded_model_is_unloaded_and_resumed() -> None:
    with tinker.ServiceClient(base_url="embedded") as service:
        training = service.create_lora_training_client("embedded/tiny", rank=2)
        saved = training.save_state("a")
        assert training.unload().result(60).model_id == training.model_id
        resumed = service.create_training_client_from_state(saved.result(60).path)
        assert resumed.optim_step(tinker.AdamParams()).result(60) is not None
        with pytest.raises(tinker.ClientClosedError, match="was unloaded"):
            training.optim_step(tinker.AdamParams())
