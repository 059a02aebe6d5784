"""One fetch for all who need a token, the next in good time, and no wait without an end."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

import pytest

from tests.runtime.tokens import START, HeldTime, settle, token
from tinker_ext.errors import APIConnectionError, AuthenticationError
from tinker_ext.runtime.credentials import jwt_cache
from tinker_ext.runtime.credentials.jwt_cache import JwtCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinker_ext.redaction.secret import Secret

REFUSED = AuthenticationError("HTTP 401 Unauthorized", status_code=401)
LOST = APIConnectionError("nobody there")


class Source:
    """Gives what it is told to, and new tokens of an hour after that."""

    def __init__(self, *answers: Secret | Exception) -> None:
        self.answers = deque(answers)
        self.asked = 0
        self.given: list[Secret] = []
        self.open = asyncio.Event()
        self.open.set()
        self.make: Callable[[], Secret] = token

    async def __call__(self) -> Secret:
        self.asked += 1
        await self.open.wait()
        response = self.answers.popleft() if self.answers else self.make()
        if isinstance(response, Exception):
            raise response
        self.given.append(response)
        return response


@pytest.fixture
def time() -> HeldTime:
    return HeldTime()


async def test_one_fetch_serves_all_who_wait(time: HeldTime) -> None:
    source = Source()
    keeper = JwtCache(source, clock=time.clock)
    source.open.clear()
    asking = [asyncio.create_task(keeper.current()) for _ in range(50)]
    await settle()
    source.open.set()
    assert set(await asyncio.gather(*asking)) == {source.given[0]}
    assert await keeper.current() == source.given[0]
    assert source.asked == 1
    await keeper.close()


async def test_who_gives_up_takes_no_fetch_from_the_others(time: HeldTime) -> None:
    source = Source()
    keeper = JwtCache(source, clock=time.clock)
    source.open.clear()
    first, second = (asyncio.create_task(keeper.current()) for _ in range(2))
    await settle()
    first.cancel()
    await settle()
    source.open.set()
    assert await second == source.given[0]
    assert source.asked == 1
    await keeper.close()


async def test_it_is_renewed_at_half_its_life(time: HeldTime) -> None:
    source = Source()
    source.make = lambda: token(3600, START + time.now)
    keeper = JwtCache(source, clock=time.clock)
    await keeper.current()
    await settle()
    assert time.pauses() == [1800]
    await time.pass_by(1799)
    assert source.asked == 1
    await time.pass_by(1)
    assert source.asked == 2
    assert await keeper.current() == source.given[1]
    assert time.pauses() == [1800]
    assert keeper.secrets() == tuple(source.given)
    await keeper.close()


async def test_nothing_is_renewed_that_was_just_replaced(time: HeldTime) -> None:
    source = Source()
    source.make = lambda: token(3600, START + time.now)
    keeper = JwtCache(source, clock=time.clock)
    first = await keeper.current()
    await settle()
    await time.pass_by(1000)
    await keeper.replacement_for(first)
    await time.pass_by(800)
    assert source.asked == 2
    assert time.pauses() == [1000]
    await keeper.close()


async def test_a_failed_renewal_is_tried_again_after_a_minute_and_told_once(
    time: HeldTime, caplog: pytest.LogCaptureFixture
) -> None:
    source = Source(token(), LOST, REFUSED, ValueError("odd"))
    keeper = JwtCache(source, clock=time.clock)
    await keeper.current()
    await settle()
    with caplog.at_level(logging.WARNING, "tinker_ext"):
        for asked in (2, 3, 4, 5):
            await time.pass_by(1800 if asked == 2 else 60)
            assert source.asked == asked
            assert await keeper.current() == source.given[-1]
    assert len(source.given) == 2
    assert len(caplog.records) == 1
    assert source.given[0].reveal() not in caplog.text
    await keeper.close()


async def test_it_is_renewed_no_more_once_refused_and_over(time: HeldTime) -> None:
    source = Source(token(100), *[REFUSED] * 3)
    keeper = JwtCache(source, clock=time.clock)
    await keeper.current()
    await settle()
    await time.pass_by(50)
    await time.pass_by(60)
    assert source.asked == 3
    assert time.pauses() == []
    with pytest.raises(AuthenticationError):
        await keeper.current()
    source.make = lambda: token(3600, START + time.now)
    assert await keeper.current() == source.given[-1]
    await settle()
    assert time.pauses() == [1800], "and once there is one again, it is renewed again"
    await keeper.close()


async def test_a_token_near_its_end_is_replaced_before_it_is_used(time: HeldTime) -> None:
    source = Source()
    source.make = lambda: token(3600, START + time.now)
    keeper = JwtCache(source, clock=time.clock, ahead=False)
    first = await keeper.current()
    time.now = 3539
    assert await keeper.current() == first
    time.now = 3540
    assert await keeper.current() == source.given[1] != first
    assert source.asked == 2


async def test_a_live_token_is_used_on_where_there_is_no_other(
    time: HeldTime, caplog: pytest.LogCaptureFixture
) -> None:
    source = Source(token(), *[LOST] * 3)
    keeper = JwtCache(source, clock=time.clock, ahead=False)
    first = await keeper.current()
    time.now = 3550
    for _ in range(5):
        assert await keeper.current() == first
    assert source.asked == 2, "one attempt in ten seconds is enough"
    assert "the last one is used on" in caplog.text
    time.now = 3560
    assert await keeper.current() == first
    assert source.asked == 3
    time.now = 3600
    with pytest.raises(APIConnectionError):
        await keeper.current()
    source.make = lambda: token(3600, START + time.now)
    assert await keeper.current() == source.given[1]


async def test_a_refused_exchange_is_told_though_the_token_lives(time: HeldTime) -> None:
    source = Source(token(), REFUSED)
    keeper = JwtCache(source, clock=time.clock, ahead=False)
    await keeper.current()
    time.now = 3550
    with pytest.raises(AuthenticationError):
        await keeper.current()


async def test_a_server_that_hangs_costs_a_live_token_little(
    time: HeldTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwt_cache, "MAX_WAIT", 0.05)
    source = Source()
    source.make = lambda: token(3600, START + time.now)
    keeper = JwtCache(source, clock=time.clock, ahead=False)
    first = await keeper.current()
    source.open.clear()
    time.now = 3550
    assert await asyncio.wait_for(keeper.current(), 5) == first
    assert await asyncio.wait_for(keeper.current(), 5) == first
    source.open.set()
    await settle()
    assert await keeper.current() == source.given[1]
    assert source.asked == 2, "the fetch that was not waited for was not lost either"


async def test_a_refused_token_is_replaced_once_for_all_who_had_it(time: HeldTime) -> None:
    source = Source()
    keeper = JwtCache(source, clock=time.clock, ahead=False)
    first = await keeper.current()
    others = await asyncio.gather(*(keeper.replacement_for(first) for _ in range(50)))
    assert set(others) == {source.given[1]}
    assert await keeper.replacement_for(first) == source.given[1], "late, and replaced long ago"
    assert source.asked == 2


async def test_a_refused_token_is_never_used_again(time: HeldTime) -> None:
    source = Source(token(), LOST, LOST)
    keeper = JwtCache(source, clock=time.clock, ahead=False)
    first = await keeper.current()
    with pytest.raises(APIConnectionError):
        await keeper.replacement_for(first)
    with pytest.raises(APIConnectionError):
        await keeper.current()
    assert await keeper.current() == source.given[1] != first


async def test_a_life_that_is_not_told_is_a_minute(time: HeldTime) -> None:
    source = Source()
    source.make = lambda: token(None)
    keeper = JwtCache(source, clock=time.clock)
    await keeper.current()
    await settle()
    assert time.pauses() == [60]
    await time.pass_by(60)
    assert source.asked == 2
    await keeper.close()


async def test_a_clock_that_is_wrong_costs_nothing(time: HeldTime) -> None:
    source = Source()
    source.make = lambda: token(3600, START - 86_400 + time.now)
    keeper = JwtCache(source, clock=time.clock, ahead=False)
    for _ in range(10):
        await keeper.current()
        time.now += 100
    assert source.asked == 1


async def test_only_the_last_tokens_are_remembered(time: HeldTime) -> None:
    source = Source()
    keeper = JwtCache(source, clock=time.clock, ahead=False)
    for _ in range(20):
        await keeper.replacement_for(await keeper.current())
    assert keeper.secrets() == tuple(source.given[-8:])


async def test_the_end_ends_the_renewal_and_the_fetch(time: HeldTime) -> None:
    before = asyncio.all_tasks()
    source = Source()
    keeper = JwtCache(source, clock=time.clock)
    await keeper.close()
    first = await keeper.current()
    assert asyncio.all_tasks() == before, "it gives tokens after its end, but renews none"
    keeper = JwtCache(source, clock=time.clock)
    await keeper.current()
    source.open.clear()
    waiting = asyncio.create_task(keeper.replacement_for(await keeper.current()))
    await settle()
    await keeper.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert asyncio.all_tasks() == before
    assert first == source.given[0]
