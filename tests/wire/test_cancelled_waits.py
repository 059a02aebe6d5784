"""Cancelled waits: a sample without another waiter is cancelled, training continues."""

from __future__ import annotations

import asyncio
import concurrent.futures
import random
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import attrs
import pytest

import tinker_ext as tinker
from tests.builders import PARAMS, PROMPT, announce
from tests.waiting import comes_true, tasks
from tinker_ext.testing import FaultServer, Reply, make_client

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator

    Sampler = tinker.SamplingClient

WAITING = Reply(200, {"type": "try_again", "request_id": "x", "queue_state": "active"}, delay=0.05)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """A server that never completes a sample, and accepts cancellations."""
    with FaultServer() as running:
        announce(running, dynamic={"sample_cancel_enabled": True})
        running.respond_always("retrieve_future", WAITING)
        yield running


@pytest.fixture
def service(server: FaultServer, http_transport: str) -> Iterator[tinker.ServiceClient]:
    """A client that allows one sample in flight."""
    client = make_client(
        base_url=server.url, http_transport=http_transport, max_samples_in_flight=1
    )
    yield client
    client.close(timeout=0)


def sample(sampler: Sampler) -> tinker.APIFuture[tinker.SampleResponse]:
    return sampler.sample(PROMPT, 1, PARAMS)


async def awaited(future: Awaitable[Any]) -> Any:
    return await future


async def gathered(sampler: Sampler) -> Any:
    return await asyncio.gather(sample(sampler))


WAITS: dict[str, Callable[[Sampler], Coroutine[Any, Any, Any]]] = {
    "await sample": lambda sampler: awaited(sample(sampler)),
    "sample_async": lambda sampler: sampler.sample_async(PROMPT, 1, PARAMS),
    "coroutine": lambda sampler: sample(sampler).coroutine(),
    "await compute_logprobs": lambda sampler: awaited(sampler.compute_logprobs(PROMPT)),
    "compute_logprobs_async": lambda sampler: sampler.compute_logprobs_async(PROMPT),
    "map": lambda sampler: awaited(sample(sampler).map(lambda response: response.sequences)),
    "gather": gathered,
    "ensure_future": lambda sampler: awaited(asyncio.ensure_future(sample(sampler))),
}


async def by_wait_for(wait: Coroutine[Any, Any, Any], ready: Awaitable[None]) -> None:
    task = asyncio.create_task(wait)
    await ready
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(task, 0.05)


async def by_timeout(wait: Coroutine[Any, Any, Any], ready: Awaitable[None]) -> None:
    async def expire(limit: asyncio.Timeout) -> None:
        await ready
        limit.reschedule(asyncio.get_running_loop().time())

    async def run() -> None:
        async with asyncio.timeout(None) as limit, asyncio.TaskGroup() as group:
            group.create_task(expire(limit))
            await wait

    with pytest.raises(TimeoutError):
        await run()


async def by_cancel(wait: Coroutine[Any, Any, Any], ready: Awaitable[None]) -> None:
    task = asyncio.create_task(wait)
    await ready
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def by_task_group(wait: Coroutine[Any, Any, Any], ready: Awaitable[None]) -> None:
    async def fail() -> None:
        await ready
        raise LookupError

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(wait)
            group.create_task(fail())

    with pytest.raises(ExceptionGroup):
        await run()


ENDS = (by_wait_for, by_timeout, by_cancel, by_task_group)


async def until(condition: Callable[[], bool]) -> None:
    assert await asyncio.to_thread(comes_true, condition)


def more_calls(server: FaultServer, operation: str) -> Callable[[], bool]:
    """Whether the server has received further requests of an operation since this call."""
    before = len(server.calls(operation))
    return lambda: len(server.calls(operation)) > before


def cancelled(server: FaultServer) -> list[str]:
    return sorted(call.body["request_id"] for call in server.calls("cancel_future"))


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
async def test_cancelled_only_wait_cancels_the_sample_and_frees_its_slot(
    server: FaultServer, service: tinker.ServiceClient, wait: Callable[[Sampler], Any]
) -> None:
    sampler = await service.create_sampling_client_async(base_model="fake/model")
    before = await asyncio.to_thread(tasks)
    for end in ENDS:
        polled = until(more_calls(server, "retrieve_future"))
        cancel_sent = until(more_calls(server, "cancel_future"))
        await end(wait(sampler), polled)
        polled.close()
        await cancel_sent
    assert len(server.calls("asample")) == len(ENDS), "the only slot was free for each sample"
    assert cancelled(server) == sorted(server.results)
    assert service._core.limits.samples.used == 0
    await until(lambda: not tasks() - before)
    polls = len(server.calls("retrieve_future"))
    await asyncio.sleep(0.2)
    assert len(server.calls("retrieve_future")) == polls


async def test_connections_are_usable_after_cancellations_at_random_times(
    server: FaultServer, service: tinker.ServiceClient
) -> None:
    server.respond_always("retrieve_future", attrs.evolve(WAITING, delay=0.0))
    sampler = await service.create_sampling_client_async(base_model="fake/model")
    moments = random.Random(1)
    for _ in range(100):
        with suppress(TimeoutError):
            await asyncio.wait_for(sample(sampler), moments.uniform(0.001, 0.04))
    server.respond_by_default()
    assert (await asyncio.wait_for(sample(sampler), 30)).sequences


async def test_cancelled_sample_that_waits_for_a_slot_is_never_sent(
    server: FaultServer, service: tinker.ServiceClient
) -> None:
    sampler = await service.create_sampling_client_async(base_model="fake/model")
    first = sample(sampler)
    await until(lambda: len(server.calls("asample")) == 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sampler.sample_async(PROMPT, 1, PARAMS), 0.1)
    first.cancel()
    await until(lambda: service._core.limits.samples.used == 0)
    assert len(server.calls("asample")) == 1


async def in_asyncio_wait(future: Any) -> None:  # Its type accepts only asyncio futures.
    await asyncio.wait([future])


async def in_as_completed(future: tinker.APIFuture[Any]) -> None:
    await asyncio.to_thread(lambda: list(concurrent.futures.as_completed([future])))


SECOND_WAITERS: dict[str, Callable[[tinker.APIFuture[Any]], Awaitable[Any]]] = {
    "await": awaited,
    "mapped": lambda future: awaited(future.map(str)),
    "result_async": lambda future: future.result_async(timeout=60),
    "result in a thread": lambda future: asyncio.to_thread(future.result, 60),
    "asyncio.wait": in_asyncio_wait,
    "concurrent.futures.as_completed": in_as_completed,
    "standard future": lambda future: asyncio.wrap_future(future.future()),
}


@pytest.mark.parametrize("second", SECOND_WAITERS.values(), ids=SECOND_WAITERS)
async def test_second_waiter_keeps_the_sample_running(
    server: FaultServer, service: tinker.ServiceClient, second: Callable[[Any], Awaitable[Any]]
) -> None:
    sampler = await service.create_sampling_client_async(base_model="fake/model")
    future = sample(sampler)
    other = asyncio.ensure_future(awaited(second(future)))
    await until(lambda: len(future._outcome.waiters) == 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(future, 0.1)
    assert not future.done()
    server.respond_by_default()
    await other
    assert future.result(0).sequences
    assert cancelled(server) == []


async def test_cancelled_last_of_two_waits_cancels_the_sample(
    server: FaultServer, service: tinker.ServiceClient
) -> None:
    sampler = await service.create_sampling_client_async(base_model="fake/model")
    future = sample(sampler)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await asyncio.gather(future, future.coroutine())
    assert future.cancelled()


async def test_expired_result_and_result_async_do_not_cancel_the_sample(
    server: FaultServer, service: tinker.ServiceClient
) -> None:
    sampler = await service.create_sampling_client_async(base_model="fake/model")
    future = sample(sampler)
    with pytest.raises(tinker.DeadlineExceededError):
        await future.result_async(0.05)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(future.result_async(), 0.05)
    with pytest.raises(tinker.DeadlineExceededError):
        await asyncio.to_thread(future.result, 0.05)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(future), 0.05)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(in_asyncio_wait(future), 0.05)
    assert not future.done()
    assert cancelled(server) == []


async def test_cancelled_wait_for_training_does_not_cancel_the_step(
    server: FaultServer, service: tinker.ServiceClient
) -> None:
    server.respond_by_default()
    training = await service.create_lora_training_client_async("fake/model")
    server.respond_always("retrieve_future", WAITING)
    step = training.optim_step(tinker.AdamParams())
    for wait in (step, training.optim_step(tinker.AdamParams()), step.coroutine()):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(wait, 0.1)
    assert not step.done()
    server.respond_by_default()
    await step
    await until(lambda: len(server.calls("optim_step")) == 2)


def test_closed_event_loop_cancels_the_samples_it_awaited(
    server: FaultServer, service: tinker.ServiceClient
) -> None:
    sampler = service.create_sampling_client(base_model="fake/model")

    async def main() -> None:
        waiting = asyncio.create_task(sampler.sample_async(PROMPT, 1, PARAMS))
        await until(lambda: bool(server.calls("retrieve_future")))
        assert not waiting.done()

    asyncio.run(main())
    assert comes_true(lambda: cancelled(server) == sorted(server.results))


async def test_coroutine_cancelled_before_its_first_step_cancels_the_sample(
    service: tinker.ServiceClient,
) -> None:
    sampler = await service.create_sampling_client_async(base_model="fake/model")
    future = sample(sampler)
    task = asyncio.create_task(future.coroutine())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(future.cancelled)
    await until(lambda: service._core.limits.samples.used == 0)


async def test_coroutine_closed_before_its_first_step_cancels_the_sample(
    service: tinker.ServiceClient,
) -> None:
    sampler = await service.create_sampling_client_async(base_model="fake/model")
    future = sample(sampler)
    future.coroutine().close()
    await until(future.cancelled)
