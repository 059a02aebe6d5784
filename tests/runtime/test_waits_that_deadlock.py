"""A user's function that waits for a result that waits for the function raises an error."""

from __future__ import annotations

import asyncio
import concurrent.futures
import queue
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import tinker_ext as tinker
from tests.builders import DATUM, PARAMS, PROMPT
from tests.waiting import comes_true
from tinker_ext.runtime.concurrency.caller_executor import CallerExecutor
from tinker_ext.runtime.concurrency.futures import APIFuture
from tinker_ext.runtime.concurrency.loop import background_loop
from tinker_ext.runtime.concurrency.user_code import CarriedError
from tinker_ext.testing import FakeServer, make_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LATER = "a custom loss waits for its own result, or for a later operation"
OWN_MAP = "the function passed to map\\(\\) waits for the result of its own future"


@pytest.fixture
def service() -> Iterator[tinker.ServiceClient]:
    with make_client(FakeServer()) as service:
        yield service


@pytest.fixture
def training(service: tinker.ServiceClient) -> tinker.TrainingClient:
    return service.create_lora_training_client("fake/model")


def run_loss(training: tinker.TrainingClient, during: Callable[[], object]) -> APIFuture[Any]:
    """Start a custom loss whose function calls `during`."""

    def loss_fn(data: object, logprobs: list[np.ndarray]) -> Any:
        during()
        return 1.0, [np.zeros_like(values) for values in logprobs], {}

    return training.forward_backward_custom([DATUM], loss_fn, arrays="numpy")


WAITS: dict[str, Callable[[APIFuture[Any]], object]] = {
    "result": lambda future: future.result(20),
    "result_async": lambda future: asyncio.run(future.result_async(20)),
    "exception": lambda future: future.exception(20),
    "map": lambda future: future.map(str).result(20),
    "future": lambda future: future.future().result(20),
    "exception of future": lambda future: future.future().exception(20),
    "wait": lambda future: concurrent.futures.wait([future], 20),
    "as_completed": lambda future: list(concurrent.futures.as_completed([future], 20)),
}


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS.keys())
def test_loss_that_waits_for_a_later_operation_raises(
    training: tinker.TrainingClient, wait: Callable[[APIFuture[Any]], object]
) -> None:
    future = run_loss(training, lambda: wait(update))
    update = training.optim_step(tinker.AdamParams())
    with pytest.raises(tinker.TinkerError, match=LATER):
        future.result(20)
    assert update.result(20) is not None


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS.keys())
def test_loss_that_waits_for_itself_raises(
    training: tinker.TrainingClient, wait: Callable[[APIFuture[Any]], object]
) -> None:
    future: APIFuture[Any] = run_loss(training, lambda: wait(future))
    with pytest.raises(tinker.TinkerError, match=LATER):
        future.result(20)
    assert training.optim_step(tinker.AdamParams()).result(20) is not None


@pytest.mark.parametrize(
    "call",
    [
        lambda training: training.forward([DATUM], "cross_entropy").result(20),
        lambda training: training.save_state("a").result(20),
        lambda training: training.unload().result(20),
    ],
    ids=["forward", "save_state", "unload"],
)
def test_loss_that_calls_its_own_model_and_waits_raises(
    training: tinker.TrainingClient, call: Callable[[tinker.TrainingClient], object]
) -> None:
    with pytest.raises(tinker.TinkerError, match=LATER):
        run_loss(training, lambda: call(training)).result(20)


def test_loss_in_a_worker_thread_that_waits_for_a_later_operation_raises(
    training: tinker.TrainingClient,
) -> None:
    future = run_loss(training, lambda: update.result(20))
    update = training.optim_step(tinker.AdamParams())
    concurrent.futures.wait([future], 20)
    with pytest.raises(tinker.TinkerError, match=LATER):
        future.result(20)


def test_loss_may_wait_for_earlier_operations_other_models_and_samples(
    service: tinker.ServiceClient, training: tinker.TrainingClient
) -> None:
    other = service.create_lora_training_client("fake/model")
    sampler = service.create_sampling_client(base_model="fake/model")
    earlier = training.forward([DATUM], "cross_entropy")

    def during() -> None:
        earlier.result(20)
        run_loss(other, lambda: None).result(20)
        sampler.sample(PROMPT, 1, PARAMS).result(20)

    assert run_loss(training, during).result(20).metrics["loss:sum"] == 1.0


def test_map_that_waits_for_its_own_future_raises(training: tinker.TrainingClient) -> None:
    mapped: APIFuture[Any] = training.forward([DATUM], "cross_entropy").map(
        lambda _: mapped.result(20)
    )
    with pytest.raises(tinker.TinkerError, match=OWN_MAP):
        mapped.result(20)


def test_maps_that_wait_for_each_other_raise(training: tinker.TrainingClient) -> None:
    future = training.forward([DATUM], "cross_entropy")
    first: APIFuture[Any] = future.map(lambda _: second.result(20))
    second: APIFuture[Any] = future.map(lambda _: first.result(20))
    with pytest.raises(tinker.TinkerError, match=OWN_MAP):
        first.result(20)


def test_map_may_wait_for_the_original_and_for_other_futures(
    training: tinker.TrainingClient,
) -> None:
    future = training.forward([DATUM], "cross_entropy")
    update = training.optim_step(tinker.AdamParams())
    mapped = future.map(lambda output: (output is future.result(20), update.result(20)))
    assert mapped.result(20)[0]
    assert future.map(lambda _: None).result(20) is None


@pytest.mark.parametrize("name", sorted(WAITS.keys() - {"result_async"}))
def test_done_callback_that_waits_for_a_pending_future_raises(name: str) -> None:
    """On the thread of an event loop, `asyncio.run` can't be called at all."""
    released = asyncio.Event()
    future = APIFuture(background_loop().submit(released.wait()), bool)
    pending = APIFuture(background_loop().submit(asyncio.Event().wait()), bool)
    errors: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def callback(_: object) -> None:
        try:
            WAITS[name](pending)
        except BaseException as error:
            errors.put(error)
        else:
            errors.put(None)

    future.add_done_callback(callback)
    background_loop().call_soon(released.set)
    assert "event loop" in str(errors.get(timeout=20))
    pending.cancel()


async def test_custom_loss_that_does_not_return_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Before a thread runs it, and while it runs."""
    executor = CallerExecutor(report_interval=0.01)
    released = threading.Event()

    def job() -> None:
        while "has been running for" not in caplog.text:
            assert not released.wait(0.01)

    running = asyncio.ensure_future(executor.run(job, 1))
    assert await asyncio.to_thread(comes_true, lambda: "waited for a thread" in caplog.text)
    await asyncio.to_thread(executor.run_one)
    await running
    assert "later operations of its model wait for it" in caplog.text


async def test_cancelled_job_is_not_run() -> None:
    executor, calls = CallerExecutor(), list[int]()
    running = asyncio.ensure_future(executor.run(lambda: calls.append(1), 1))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    executor.run_one()
    assert not calls


async def test_job_that_raises_stop_iteration_carries_it() -> None:
    executor = CallerExecutor()

    def job() -> None:
        raise StopIteration

    running = asyncio.ensure_future(executor.run(job, 1))
    await asyncio.sleep(0)
    executor.run_one()
    with pytest.raises(CarriedError):
        await running
