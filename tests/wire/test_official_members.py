"""Members that are internal in the official SDK and that programs use."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import tinker_ext as tinker
from tests.builders import PARAMS, PROMPT
from tinker_ext.clients.client_base import CONSOLE_URL, ClientConnectionPoolType, page_url
from tinker_ext.testing import make_client

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinker_ext.testing import FakeServer

CLIENTS: dict[str, Callable[[tinker.ServiceClient], Any]] = {
    "service": lambda service: service,
    "training": lambda service: service.create_lora_training_client("fake/model"),
    "sampling": lambda service: service.create_sampling_client(base_model="fake/model"),
    "rest": lambda service: service.create_rest_client(),
    "admin": lambda service: service.create_admin_client(),
}


@pytest.mark.parametrize("make", CLIENTS.values(), ids=CLIENTS)
def test_every_client_has_a_holder_of_the_same_session(
    service: tinker.ServiceClient, make: Callable[[tinker.ServiceClient], Any]
) -> None:
    client = make(service)
    assert client.holder.get_session_id() == service.holder.get_session_id()
    assert client.get_telemetry() is None
    assert client.holder.get_telemetry() is None


def test_coroutine_runs_on_the_loop_of_the_client(service: tinker.ServiceClient) -> None:
    async def running_loop() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    future = service.holder.run_coroutine_threadsafe(running_loop())
    assert future.result(10) is service.holder.get_loop()


async def test_coroutine_of_the_holder_can_be_awaited(service: tinker.ServiceClient) -> None:
    async def value() -> int:
        return 7

    assert await service.holder.run_coroutine_threadsafe(value()) == 7


def test_execute_with_retries_calls_again(service: tinker.ServiceClient) -> None:
    attempts = []

    async def send(number: int) -> int:
        attempts.append(number)
        if len(attempts) < 2:
            raise tinker.InternalServerError("busy", status_code=503)
        return number

    holder = service.holder
    assert holder.run_coroutine_threadsafe(holder.execute_with_retries(send, 3)).result(10) == 3
    assert attempts == [3, 3]


def test_client_of_the_holder_raises_with_the_alternative(service: tinker.ServiceClient) -> None:
    with pytest.raises(NotImplementedError, match="generated bindings"):
        service.holder.aclient(ClientConnectionPoolType.TRAIN)


def test_sampling_client_is_created_from_a_holder(
    service: tinker.ServiceClient, server: FakeServer
) -> None:
    training = CLIENTS["training"](service)
    sampler = tinker.SamplingClient.create(training.holder, base_model="fake/model").result(10)
    assert sampler.sample(PROMPT, 1, PARAMS).result(10).sequences
    assert len(server.calls("create_session")) == 1


def test_sampling_client_joins_a_session(service: tinker.ServiceClient, server: FakeServer) -> None:
    first = service.create_sampling_client(base_model="fake/model")
    second = tinker.SamplingClient.create(
        service.holder, sampling_session_id=first.sampling_session_id
    ).result(10)
    assert second.sample(PROMPT, 1, PARAMS).result(10).sequences
    assert len(server.calls("create_sampling_session")) == 1
    assert server.calls("asample")[0].body["sampling_session_id"] == first.sampling_session_id


def test_close_of_the_holder_ends_the_session(server: FakeServer) -> None:
    with make_client(server) as service:
        training = CLIENTS["training"](service)
        training.holder.close()
        with pytest.raises(tinker.ClientClosedError):
            training.save_state("late")


def test_guaranteed_model_id_is_the_model_id(service: tinker.ServiceClient) -> None:
    training = CLIENTS["training"](service)
    assert training._guaranteed_model_id() == training.model_id


def test_console_url_is_the_record_on_other_servers(service: tinker.ServiceClient) -> None:
    assert service.get_console_url() == "http://fake.invalid/api/v1/sessions"
    training = CLIENTS["training"](service)
    run = f"http://fake.invalid/api/v1/training_runs/{training.model_id}"
    assert training.get_console_url() == run
    session = f"http://fake.invalid/api/v1/sessions/{service.holder.get_session_id()}"
    assert service.get_console_url() == session


def test_console_url_of_the_hosted_service() -> None:
    with tinker.ServiceClient(api_key="tml-unused") as service:
        assert page_url(service._core, "sessions") == f"{CONSOLE_URL}/sessions"
        assert service.get_console_url() == f"{CONSOLE_URL}/sessions"
