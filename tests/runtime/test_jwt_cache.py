"""The token cache: shared fetches, early refresh, bounded waits."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

import pytest

from tests.runtime.tokens import START, HeldTime, settle, token
from tinker_ext.errors import APIConnectionError, AuthenticationError
from tinker_ext.redaction.secret import Secret
from tinker_ext.runtime import credentials
from tinker_ext.runtime.credentials import JwtCache

REJECTED = AuthenticationError("HTTP 401 Unauthorized", status_code=401)
LOST = APIConnectionError("unreachable")


class Source:
    """Returns or raises the given outcomes, then new tokens with a lifetime of one hour."""

    def __init__(self, *outcomes: Secret | Exception) -> None:
        self.outcomes = deque(outcomes)
        self.fetches = 0
        self.returned: list[Secret] = []
        self.open = asyncio.Event()
        self.open.set()
        self.create: Callable[[], Secret] = token

    async def __call__(self) -> Secret:
        self.fetches += 1
        await self.open.wait()
        outcome = self.outcomes.popleft() if self.outcomes else self.create()
        if isinstance(outcome, Exception):
            raise outcome
        self.returned.append(outcome)
        return outcome


@pytest.fixture
def time() -> HeldTime:
    return HeldTime()


async def test_concurrent_callers_share_one_fetch(time: HeldTime) -> None:
    source = Source()
    cache = JwtCache(source, clock=time.clock)
    source.open.clear()
    callers = [asyncio.create_task(cache.current()) for _ in range(50)]
    await settle()
    source.open.set()
    assert set(await asyncio.gather(*callers)) == {source.returned[0]}
    assert await cache.current() == source.returned[0]
    assert source.fetches == 1
    await cache.close()


async def test_cancelled_caller_does_not_cancel_the_shared_fetch(time: HeldTime) -> None:
    source = Source()
    cache = JwtCache(source, clock=time.clock)
    source.open.clear()
    first, second = (asyncio.create_task(cache.current()) for _ in range(2))
    await settle()
    first.cancel()
    await settle()
    source.open.set()
    assert await second == source.returned[0]
    assert source.fetches == 1
    await cache.close()


async def test_token_is_refreshed_after_half_its_lifetime(time: HeldTime) -> None:
    source = Source()
    source.create = lambda: token(3600, START + time.now)
    cache = JwtCache(source, clock=time.clock)
    await cache.current()
    await settle()
    assert time.pauses() == [1800]
    await time.pass_by(1799)
    assert source.fetches == 1
    await time.pass_by(1)
    assert source.fetches == 2
    assert await cache.current() == source.returned[1]
    assert time.pauses() == [1800]
    assert cache.secrets() == tuple(source.returned)
    await cache.close()


async def test_replaced_token_is_not_refreshed_at_once(time: HeldTime) -> None:
    source = Source()
    source.create = lambda: token(3600, START + time.now)
    cache = JwtCache(source, clock=time.clock)
    first = await cache.current()
    await settle()
    await time.pass_by(1000)
    await cache.replacement_for(first)
    await time.pass_by(800)
    assert source.fetches == 2
    assert time.pauses() == [1000]
    await cache.close()


async def test_failed_refresh_is_retried_after_a_minute_and_logged_once(
    time: HeldTime, caplog: pytest.LogCaptureFixture
) -> None:
    source = Source(token(), LOST, REJECTED, ValueError("odd"))
    cache = JwtCache(source, clock=time.clock)
    await cache.current()
    await settle()
    with caplog.at_level(logging.WARNING, "tinker_ext"):
        for fetches in (2, 3, 4, 5):
            await time.pass_by(1800 if fetches == 2 else 60)
            assert source.fetches == fetches
            assert await cache.current() == source.returned[-1]
    assert len(source.returned) == 2
    assert len(caplog.records) == 1
    assert source.returned[0].reveal() not in caplog.text
    await cache.close()


async def test_refresh_stops_when_the_key_is_rejected_and_the_token_expired(time: HeldTime) -> None:
    source = Source(token(100), *[REJECTED] * 3)
    cache = JwtCache(source, clock=time.clock)
    await cache.current()
    await settle()
    await time.pass_by(50)
    await time.pass_by(60)
    assert source.fetches == 3
    assert time.pauses() == []
    with pytest.raises(AuthenticationError):
        await cache.current()
    source.create = lambda: token(3600, START + time.now)
    assert await cache.current() == source.returned[-1]
    await settle()
    assert time.pauses() == [1800], "a new token is refreshed again"
    await cache.close()


async def test_token_about_to_expire_is_replaced_before_use(time: HeldTime) -> None:
    source = Source()
    source.create = lambda: token(3600, START + time.now)
    cache = JwtCache(source, clock=time.clock, ahead=False)
    first = await cache.current()
    time.now = 3539
    assert await cache.current() == first
    time.now = 3540
    assert await cache.current() == source.returned[1] != first
    assert source.fetches == 2


async def test_valid_token_stays_in_use_while_fetches_fail(
    time: HeldTime, caplog: pytest.LogCaptureFixture
) -> None:
    source = Source(token(), *[LOST] * 3)
    cache = JwtCache(source, clock=time.clock, ahead=False)
    first = await cache.current()
    time.now = 3550
    for _ in range(5):
        assert await cache.current() == first
    assert source.fetches == 2, "one attempt in ten seconds"
    assert "the current one stays in use" in caplog.text
    time.now = 3560
    assert await cache.current() == first
    assert source.fetches == 3
    time.now = 3600
    with pytest.raises(APIConnectionError):
        await cache.current()
    source.create = lambda: token(3600, START + time.now)
    assert await cache.current() == source.returned[1]


async def test_rejected_key_raises_although_the_token_is_valid(time: HeldTime) -> None:
    source = Source(token(), REJECTED)
    cache = JwtCache(source, clock=time.clock, ahead=False)
    await cache.current()
    time.now = 3550
    with pytest.raises(AuthenticationError):
        await cache.current()


async def test_unresponsive_server_delays_a_valid_token_only_briefly(
    time: HeldTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "MAX_WAIT", 0.05)
    source = Source()
    source.create = lambda: token(3600, START + time.now)
    cache = JwtCache(source, clock=time.clock, ahead=False)
    first = await cache.current()
    source.open.clear()
    time.now = 3550
    assert await asyncio.wait_for(cache.current(), 5) == first
    assert await asyncio.wait_for(cache.current(), 5) == first
    source.open.set()
    await settle()
    assert await cache.current() == source.returned[1]
    assert source.fetches == 2, "the slow fetch was not repeated"


async def test_rejected_token_is_replaced_once_for_all_callers(time: HeldTime) -> None:
    source = Source()
    cache = JwtCache(source, clock=time.clock, ahead=False)
    first = await cache.current()
    others = await asyncio.gather(*(cache.replacement_for(first) for _ in range(50)))
    assert set(others) == {source.returned[1]}
    assert await cache.replacement_for(first) == source.returned[1], (
        "the token was already replaced"
    )
    assert source.fetches == 2


async def test_rejected_token_is_never_used_again(time: HeldTime) -> None:
    source = Source(token(), LOST, LOST)
    cache = JwtCache(source, clock=time.clock, ahead=False)
    first = await cache.current()
    with pytest.raises(APIConnectionError):
        await cache.replacement_for(first)
    with pytest.raises(APIConnectionError):
        await cache.current()
    assert await cache.current() == source.returned[1] != first


async def test_token_without_expiry_is_used_for_a_minute(time: HeldTime) -> None:
    source = Source()
    source.create = lambda: token(None)
    cache = JwtCache(source, clock=time.clock)
    await cache.current()
    await settle()
    assert time.pauses() == [60]
    await time.pass_by(60)
    assert source.fetches == 2
    await cache.close()


async def test_wrong_local_clock_causes_no_extra_fetches(time: HeldTime) -> None:
    source = Source()
    source.create = lambda: token(3600, START - 86_400 + time.now)
    cache = JwtCache(source, clock=time.clock, ahead=False)
    for _ in range(10):
        await cache.current()
        time.now += 100
    assert source.fetches == 1


async def test_secrets_contains_only_recent_tokens(time: HeldTime) -> None:
    source = Source()
    cache = JwtCache(source, clock=time.clock, ahead=False)
    for _ in range(20):
        await cache.replacement_for(await cache.current())
    assert cache.secrets() == tuple(source.returned[-8:])


async def test_close_stops_refresh_and_fetch(time: HeldTime) -> None:
    before = asyncio.all_tasks()
    source = Source()
    cache = JwtCache(source, clock=time.clock)
    await cache.close()
    first = await cache.current()
    assert asyncio.all_tasks() == before, "after close it returns tokens without refreshing them"
    cache = JwtCache(source, clock=time.clock)
    await cache.current()
    source.open.clear()
    waiting = asyncio.create_task(cache.replacement_for(await cache.current()))
    await settle()
    await cache.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert asyncio.all_tasks() == before
    assert first == source.returned[0]
