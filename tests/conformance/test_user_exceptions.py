"""Whatever the user's own code raises ends neither the event loop nor any other client's calls.

Each exception meets each place in which the client calls the user's code: over real sockets, with
either transport. Afterwards the same client, the same model and another client go on.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from typing import TYPE_CHECKING, Any

import pytest

import tinker_ext as tinker
from tests.waiting import comes_true
from tinker_ext.runtime.concurrency.loop import background_loop
from tinker_ext.testing import FaultServer, Reply, make_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROMPT = tinker.ModelInput.from_ints([1, 2, 3])
PARAMS = tinker.SamplingParams(max_tokens=4)
PAUSED = {"type": "try_again", "request_id": "x", "queue_state": "paused_capacity"}
DATUM = tinker.Datum(
    model_input=tinker.ModelInput.from_ints([1, 2]),
    loss_fn_inputs={"target_tokens": [1, 2], "weights": [1.0, 1.0]},
)


class OwnError(BaseException):
    """What a program derives from BaseException itself."""


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
# What distinguishes where the loop itself calls the user's code.
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
    with FaultServer() as started:
        yield started


class Raiser:
    """Raises its error in the place of a loss, a callback, and either observer."""

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


def assert_all_goes_on(server: FaultServer, transport: str, service: tinker.ServiceClient) -> None:
    assert sample(service) == [1, 2, 3]
    with make_client(base_url=server.url, http_transport=transport) as other:
        assert sample(other) == [1, 2, 3]


def raised_by(wait: Callable[[], object]) -> BaseException | None:
    """What the wait raises, of any kind."""
    try:
        wait()
    except BaseException as error:
        return error
    return None


@each_error
def test_error_of_a_loss_reaches_the_waiting_caller(
    server: FaultServer, http_transport: str, error: BaseException
) -> None:
    with make_client(base_url=server.url, http_transport=http_transport) as service:
        training = service.create_lora_training_client("fake/model")
        future = training.forward_backward_custom([DATUM], Raiser(error), arrays="numpy")
        update = training.optim_step(tinker.AdamParams())
        assert raised_by(lambda: future.result(20)) is error
        update.result(20)
        assert_all_goes_on(server, http_transport, service)
    assert [call.body["seq_id"] for call in server.calls("optim_step")] == [2]


@each_error
def test_error_of_a_loss_run_by_a_worker_thread_reaches_the_future(
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
        assert_all_goes_on(server, http_transport, service)


async def test_error_of_a_loss_reaches_an_awaiting_task(
    server: FaultServer, http_transport: str
) -> None:
    """`StopIteration` can't leave a coroutine: Python itself makes a RuntimeError of it."""
    with make_client(base_url=server.url, http_transport=http_transport) as service:
        training = await service.create_lora_training_client_async("fake/model")
        stopped = await training.forward_backward_custom_async(
            [DATUM], Raiser(StopIteration()), arrays="numpy"
        )
        with pytest.raises(RuntimeError, match="StopIteration"):
            await stopped
        own = OwnError()
        future = await training.forward_backward_custom_async([DATUM], Raiser(own), arrays="numpy")
        with pytest.raises(OwnError) as caught:
            await future
        assert caught.value is own
        await training.optim_step(tinker.AdamParams())


@each_error_on_the_loop
def test_error_of_a_callback_keeps_no_other_callback_and_no_result_back(
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
        assert_all_goes_on(server, http_transport, service)


@each_error_on_the_loop
def test_error_of_a_mapping_is_the_new_futures_alone(
    server: FaultServer, http_transport: str, error: BaseException
) -> None:
    with make_client(base_url=server.url, http_transport=http_transport) as service:
        future = service.create_sampling_client(base_model="fake/model").sample(PROMPT, 1, PARAMS)
        assert raised_by(lambda: future.map(Raiser(error)).result(20)) is error
        assert raised_by(lambda: future.map(Raiser(error)).future().result(20)) is error
        assert future.result(20).sequences[0].tokens == [1, 2, 3]
        assert_all_goes_on(server, http_transport, service)


@each_error_on_the_loop
def test_error_of_a_queue_state_observer_is_logged(
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
        assert_all_goes_on(server, http_transport, service)
    assert "the queue state observer failed" in caplog.text


@each_error_on_the_loop
def test_error_of_a_session_observer_is_logged(
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
def test_exit_raised_on_the_loop_itself_leaves_it_running(error: BaseException) -> None:
    """As by a log handler, or a span processor, which can be called from anywhere."""
    loop, after = background_loop(), threading.Event()
    raiser = Raiser(error)
    loop.call_soon(raiser)
    loop.call_soon(after.set)
    assert raiser.called.wait(20)
    assert after.wait(20)
    assert background_loop() is loop
