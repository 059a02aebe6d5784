"""Numbers of requests: given in order, taken back, given again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tinker_ext.errors import APIConnectionError, BadRequestError
from tinker_ext.runtime.submission.sequence import SequenceNumbers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

REFUSED = BadRequestError("no", status_code=400)
LOST = APIConnectionError("lost")


class Server:
    """Takes requests in, in the order they come."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.kept: set[asyncio.Task[Any]] = set()
        self.numbers = SequenceNumbers(self.kept.add)

    def answers(self, error: Exception | None = None) -> Callable[[int], Awaitable[int]]:
        async def send(seq_id: int) -> int:
            await asyncio.sleep(0)
            self.seen.append(seq_id)
            if error is not None:
                raise error
            return seq_id

        return send


async def test_the_first_of_a_batch_is_sent_last() -> None:
    server = Server()
    result = await server.numbers.send_batch([server.answers() for _ in range(4)])
    assert result == [1, 2, 3, 4]
    assert server.seen == [2, 3, 4, 1]
    assert server.numbers.next == 5


async def test_a_refusal_frees_its_number_and_that_of_the_first_which_is_not_sent() -> None:
    server = Server()
    sends = [server.answers(), server.answers(), server.answers(REFUSED), server.answers()]
    with pytest.raises(BadRequestError):
        await server.numbers.send_batch(sends)
    assert sorted(server.seen) == [2, 3, 4]
    # 2 and 4 were taken in, and wait for what comes before them.
    assert await server.numbers.number(server.answers()) == 1
    assert await server.numbers.send_batch([server.answers(), server.answers()]) == [3, 5]
    assert server.numbers.next == 6


async def test_when_all_are_refused_nothing_is_used() -> None:
    server = Server()
    with pytest.raises(BadRequestError):
        await server.numbers.send_batch([server.answers(REFUSED) for _ in range(3)])
    assert server.numbers.next == 1


async def test_a_request_of_unknown_fate_keeps_its_number() -> None:
    server = Server()
    with pytest.raises(APIConnectionError):
        await server.numbers.send_batch([server.answers(), server.answers(LOST)])
    assert await server.numbers.number(server.answers()) == 1
    assert await server.numbers.number(server.answers()) == 3


async def test_a_caller_who_leaves_interrupts_nothing() -> None:
    server = Server()
    running = {asyncio.create_task(server.numbers.send_batch([server.answers(), server.answers()]))}
    [waiting] = running
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.wait(server.kept)
    assert server.seen == [2]
    # 1 was never sent.
    assert await server.numbers.number(server.answers()) == 1
    assert await server.numbers.number(server.answers()) == 3


async def test_going_back_forgets_what_was_free() -> None:
    server = Server()
    with pytest.raises(BadRequestError):
        await server.numbers.send_batch([server.answers(), server.answers(REFUSED)])
    await server.numbers.send_batch([server.answers() for _ in range(3)])
    server.numbers.rewind(2, epoch=0)
    assert await server.numbers.number(server.answers()) == 2
    server.numbers.rewind(1, epoch=0)
    assert server.numbers.next == 3
