"""Exceptions of user code don't stop the event loop or the calls of other clients.

Each exception is raised in each place where the client calls user code, over real sockets and with
both transports. Afterwards the same client, the same model and another client still work.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

import tinker_ext as tinker
from tests.builders import DATUM, PARAMS, PROMPT
from tests.waiting import comes_true
from tinker_ext.runtime.concurrency.loop import background_loop
from tinker_ext.testing import FaultServer, Reply, make_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAUSED = {"type": "try_again", "request_id": "x", "queue_state": "paused_capacity"}


class OwnError(BaseException):
    """An exception that a program derives from BaseException."""


EXCEPTIONS = [
    ValueError("mine"),
    SystemExit(3),
    KeyboardInterrupt(),
    StopIteration(),
    StopAsyncIteration(),
    GeneratorExit(),
    MemoryError(),
    TimeoutError(),
    asyncio.CancelledError(),
    concurrent.futures.CancelledError(),
    concurrent.futures.InvalidStateError(),
    BaseExceptionGroup("mine", [KeyboardInterrupt()]),
    OwnError(),
]
# The exceptions that the loop handles differently when it calls user code itself.
ON_THE_LOOP = [
    ValueError("mine"),
    SystemExit(3),
    KeyboardInterrupt(),
    asyncio.CancelledError(),
    OwnError(),
]

each_error = pytest.mark.parametrize("error", EXCEPTIONS, ids=lambda error: type(error).__name__)
each_error_on_the_loop = pytest.mark.parametrize(
    "error", ON_THE_LOOP, ids=lambda error: type(error).__name__
)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as fault_server:
        yield fault_server


class Raiser:
    """A loss, a callback and an observer that raises an error."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.called = threading.Event()

    def __call__(self, *args: object) -> Any:
        self.called.set()
        raise self.error

    on_queue_state_change = on_session_lost = __call__


def sample(service: tinker.ServiceClient) -> list[int]:
    sampler = service.create_sampling_client(base_model="fake/model")
    return list(sampler.sample(PROMPT, 1, PARAMS).result(20).sequences[0].tokens)


def assert_clients_still_work(
    server: FaultServer, transport: str, service: tinker.ServiceClient
) -> None:
    assert sample(service) == [1, 2, 3]
    with make_client(base_url=server.url, http_transport=transport) as other:
        assert sample(other) == [1, 2, 3]


def raised_by(wait: Callable[[], object]) -> BaseException | None:
    """The exception that the wait raises, or None."""
    try:
        wait()
    except BaseException as error:
        return error
    return None


@each_error
def test_loss_error_is_raised_by_result(
    server: FaultServer,
    http_transport: str,
    error: BaseException,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with make_client(base_url=server.url, http_transport=http_transport) as service:
        training = service.create_lora_training_client("fake/model")
        future = training.forward_backward_custom([DATUM], Raiser(error), arrays="numpy")
        update = training.optim_step(tinker.AdamParams())
        assert raised_by(partial(future.result, 20)) is error
        update.result(20)
        assert_clients_still_work(server, http_transport, service)
    assert [call.body["seq_id"] for call in server.calls("optim_step")] == [2]
    del future
    gc.collect()
    assert "never retrieved" not in caplog.text


@each_error
def test_loss_error_in_worker_thread_is_set_on_the_future(
    server: FaultServer, http_transport: str, error: BaseException
) -> None:
    with make_client(base_url=server.url, http_transport=http_transport) as service:
        training = service.create_lora_training_client("fake/model")
        futures = [
            training.forward_backward_custom([DATUM], Raiser(error), arrays="numpy")
            for _ in range(2)
        ]
        assert comes_true(lambda: all(future.done() for future in futures))
        assert [raised_by(future.result) for future in futures] == [error, error]
        training.optim_step(tinker.AdamParams()).result(20)
        assert_clients_still_work(server, http_transport, service)


async def test_loss_error_is_raised_in_awaiting_task(
    server: FaultServer, http_transport: str
) -> None:
    """Python converts a `StopIteration` that leaves a coroutine to a RuntimeError."""
    with make_client(base_url=server.url, http_transport=http_transport) as service:
        training = await service.create_lora_training_client_async("fake/model")
        stopping = await training.forward_backward_custom_async(
            [DATUM], Raiser(StopIteration()), arrays="numpy"
        )
        with pytest.raises(RuntimeError, match="StopIteration"):
            await stopping
        own = OwnError()
        future = await training.forward_backward_custom_async([DATUM], Raiser(own), arrays="numpy")
        with pytest.raises(OwnError) as caught:
            await future
        assert caught.value is own
        await training.optim_step(tinker.AdamParams())


@each_error_on_the_loop
def test_callback_error_does_not_affect_other_callbacks_or_the_result(
    server: FaultServer, http_transport: str, error: BaseException
) -> None:
    with make_client(base_url=server.url, http_transport=http_transport) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        server.respond("retrieve_future", Reply(200, PAUSED, delay=0.1))
        future = sampler.sample(PROMPT, 1, PARAMS)
        raisers, later = [Raiser(error), Raiser(error)], threading.Event()
        future.add_done_callback(raisers[0])
        future.future().add_done_callback(raisers[1])
        future.add_done_callback(lambda _: later.set())
        assert future.result(20).sequences[0].tokens == [1, 2, 3]
        assert later.wait(20)
        assert all(raiser.called.wait(20) for raiser in raisers)
        assert_clients_still_work(server, http_transport, service)


@each_error_on_the_loop
def test_map_error_is_raised_by_the_mapped_future_only(
    server: FaultServer, http_transport: str, error: BaseException
) -> None:
    with make_client(base_url=server.url, http_transport=http_transport) as service:
        future = service.create_sampling_client(base_model="fake/model").sample(PROMPT, 1, PARAMS)
        assert raised_by(lambda: future.map(Raiser(error)).result(20)) is error
        assert raised_by(lambda: future.map(Raiser(error)).future().result(20)) is error
        assert future.result(20).sequences[0].tokens == [1, 2, 3]
        assert_clients_still_work(server, http_transport, service)


@each_error_on_the_loop
def test_queue_state_observer_error_is_logged(
    server: FaultServer,
    http_transport: str,
    error: BaseException,
    caplog: pytest.LogCaptureFixture,
) -> None:
    observer = Raiser(error)
    server.respond("retrieve_future", Reply(200, PAUSED))
    with make_client(
        base_url=server.url, http_transport=http_transport, queue_state_observer=observer
    ) as service:
        assert sample(service) == [1, 2, 3]
        assert observer.called.is_set()
        assert_clients_still_work(server, http_transport, service)
    assert "the queue state observer failed" in caplog.text


@each_error_on_the_loop
def test_session_observer_error_is_logged(
    server: FaultServer,
    http_transport: str,
    error: BaseException,
    caplog: pytest.LogCaptureFixture,
) -> None:
    observer = Raiser(error)
    with make_client(
        base_url=server.url,
        http_transport=http_transport,
        session_observer=observer,
        heartbeat_interval=0.05,
    ) as service:
        sample(service)
        server.respond("session_heartbeat", Reply(410, {"detail": "gone"}))
        assert observer.called.wait(20)
        with pytest.raises(tinker.SessionLostError):
            sample(service)
    with make_client(base_url=server.url, http_transport=http_transport) as other:
        assert sample(other) == [1, 2, 3]
    assert "the session observer failed" in caplog.text


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()], ids=["exit", "interrupt"])
def test_system_exit_on_the_event_loop_leaves_it_running(error: BaseException) -> None:
    """For example by a log handler or a span processor, which can be called on the loop."""
    loop, after = background_loop(), threading.Event()
    raiser = Raiser(error)
    loop.call_soon(raiser)
    loop.call_soon(after.set)
    assert raiser.called.wait(20)
    assert after.wait(20)
    assert background_loop() is loop
