"""Time limits that share a timer."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from tinker_ext.timeouts import TimeLimited, time_limit


async def test_expired_block_raises_timeout_error_and_leaves_the_task_uncancelled() -> None:
    with pytest.raises(TimeoutError), TimeLimited(time_limit(0.01)) as block:
        await asyncio.sleep(60)
    assert block.expired
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()
    await asyncio.sleep(0)


async def test_blocks_of_one_limit_expire_each_at_its_own_end() -> None:
    ended: list[int] = []

    async def run(number: int, begin: float) -> None:
        await asyncio.sleep(begin)
        try:
            with TimeLimited(time_limit(0.2)):
                await asyncio.sleep(0 if number % 2 else 60)
        except TimeoutError:
            ended.append(number)

    await asyncio.gather(*(run(number, number * 0.02) for number in range(6)))
    assert ended == [0, 2, 4]
    with pytest.raises(TimeoutError), TimeLimited(time_limit(0.2)):  # The timer starts again.
        await asyncio.sleep(60)


async def test_cancelled_block_raises_cancelled_error() -> None:
    started = asyncio.Event()

    async def run() -> None:
        with TimeLimited(time_limit(60)):
            started.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(run())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_block_cancelled_and_expired_at_once_raises_cancelled_error() -> None:
    async def run() -> None:
        with TimeLimited(time_limit(60)) as block:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            block.expire()
            await asyncio.sleep(60)

    task = asyncio.create_task(run())
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_other_error_of_an_expired_block_is_raised_unchanged() -> None:
    async def fail() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise ValueError("unrelated") from None

    with pytest.raises(ValueError, match="unrelated"), TimeLimited(time_limit(0.01)):
        await fail()


def test_limit_does_not_keep_a_closed_loop_alive() -> None:
    async def use() -> weakref.ref[asyncio.AbstractEventLoop]:
        with TimeLimited(time_limit(3600)):
            await asyncio.sleep(0)
        return weakref.ref(asyncio.get_running_loop())

    loop = asyncio.run(use())
    gc.collect()
    assert loop() is None
