"""Sequence numbers: assigned in order, taken back, reassigned."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import tinker_ext as tinker
from tests.waiting import comes_true
from tinker_ext.errors import APIConnectionError, BadRequestError
from tinker_ext.runtime.concurrency.loop import background_loop
from tinker_ext.runtime.submission.sequence import SequenceNumbers
from tinker_ext.testing import FakeServer, make_client
from tinker_ext.timeouts import Progress

REJECTED = BadRequestError("no", status_code=400)
LOST = APIConnectionError("lost")


class Server:
    """Records requests in the order of their arrival."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.tasks: set[asyncio.Task[Any]] = set()
        self.numbers = SequenceNumbers(self.tasks.add)

    def sender(self, error: Exception | None = None) -> Callable[[int], Awaitable[int]]:
        async def send(seq_id: int) -> int:
            await asyncio.sleep(0)
            self.seen.append(seq_id)
            if error is not None:
                raise error
            return seq_id

        return send


async def test_first_request_of_a_batch_is_sent_last() -> None:
    server = Server()
    result = await server.numbers.send_batch([server.sender() for _ in range(4)])
    assert result == [1, 2, 3, 4]
    assert server.seen == [2, 3, 4, 1]
    assert server.numbers.next == 5


async def test_rejected_request_frees_its_number_and_the_unsent_first_one() -> None:
    server = Server()
    sends = [server.sender(), server.sender(), server.sender(REJECTED), server.sender()]
    with pytest.raises(BadRequestError):
        await server.numbers.send_batch(sends)
    assert sorted(server.seen) == [2, 3, 4]
    # 2 and 4 were accepted and wait for the numbers before them.
    assert await server.numbers.send(server.sender()) == 1
    assert await server.numbers.send_batch([server.sender(), server.sender()]) == [3, 5]
    assert server.numbers.next == 6


async def test_batch_with_all_requests_rejected_uses_no_number() -> None:
    server = Server()
    with pytest.raises(BadRequestError):
        await server.numbers.send_batch([server.sender(REJECTED) for _ in range(3)])
    assert server.numbers.next == 1


async def test_request_with_connection_error_keeps_its_number() -> None:
    server = Server()
    with pytest.raises(APIConnectionError):
        await server.numbers.send_batch([server.sender(), server.sender(LOST)])
    assert await server.numbers.send(server.sender()) == 1
    assert await server.numbers.send(server.sender()) == 3


async def test_cancelled_caller_does_not_interrupt_sending() -> None:
    server = Server()
    running = {asyncio.create_task(server.numbers.send_batch([server.sender(), server.sender()]))}
    [waiting] = running
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.wait(server.tasks)
    assert server.seen == [2]
    # 1 was never sent.
    assert await server.numbers.send(server.sender()) == 1
    assert await server.numbers.send(server.sender()) == 3


class Sending:
    """A call on the client's loop that sends a request, which `proceed` ends."""

    def __init__(self, numbers: SequenceNumbers, *, sent: bool, error: Exception | None) -> None:
        self.sent = sent
        self.interrupted = False
        self._error = error
        self._numbers = numbers
        self._may_proceed = asyncio.Event()
        self.started = threading.Event()
        self.future = background_loop().submit(self._run(), progress=Progress())
        assert self.started.wait(10)

    async def _run(self) -> int:
        return await self._numbers.send(self._send, self)

    async def _send(self, seq_id: int) -> int:
        self.started.set()
        try:
            await self._may_proceed.wait()
        except asyncio.CancelledError:
            self.interrupted = True
            raise
        if self._error is not None:
            raise self._error
        return seq_id

    def proceed(self) -> None:
        background_loop().call_soon(self._may_proceed.set)


def test_cancelled_call_does_not_interrupt_a_request_that_was_sent() -> None:
    numbers = SequenceNumbers(lambda _: None)
    sending = Sending(numbers, sent=True, error=None)
    assert sending.future.cancel()
    assert comes_true(sending.future.cancelled)
    sending.proceed()
    assert background_loop().submit(numbers.send(Server().sender())).result(10) == 2
    assert not sending.interrupted


def test_rejection_of_a_cancelled_call_frees_its_number() -> None:
    numbers = SequenceNumbers(lambda _: None)
    sending = Sending(numbers, sent=True, error=REJECTED)
    sending.future.cancel()
    assert numbers.next == 2
    sending.proceed()
    assert comes_true(lambda: numbers.next == 1)


def test_call_cancelled_before_its_request_is_sent_uses_no_number() -> None:
    numbers = SequenceNumbers(lambda _: None)
    sending = Sending(numbers, sent=False, error=None)
    sending.future.cancel()
    assert comes_true(lambda: sending.interrupted)
    assert comes_true(lambda: numbers.next == 1)


async def test_rewind_discards_free_numbers() -> None:
    server = Server()
    with pytest.raises(BadRequestError):
        await server.numbers.send_batch([server.sender(), server.sender(REJECTED)])
    await server.numbers.send_batch([server.sender() for _ in range(3)])
    server.numbers.rewind(2, epoch=0)
    assert await server.numbers.send(server.sender()) == 2
    server.numbers.rewind(1, epoch=0)
    assert server.numbers.next == 3


@pytest.mark.parametrize(
    "fail",
    [
        lambda training: training.save_state("\ud800"),
        lambda training: training.save_state("a", ttl_seconds=10**30),
    ],
    ids=["text", "integer"],
)
def test_request_that_can_not_be_encoded_uses_no_number(
    fail: Callable[[tinker.TrainingClient], tinker.APIFuture[Any]],
) -> None:
    """Otherwise the server would wait for its number forever."""
    server = FakeServer()
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        with pytest.raises(tinker.InvalidInputError, match="can't be sent as JSON"):
            fail(training).result(10)
        training.optim_step(tinker.AdamParams()).result(10)
    assert [call.body["seq_id"] for call in server.calls("optim_step")] == [1]
