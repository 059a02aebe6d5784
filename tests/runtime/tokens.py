"""Helpers for tests of tokens: controlled time, and tokens with any lifetime."""

from __future__ import annotations

import asyncio
import itertools

from tests.builders import web_token
from tinker_ext.redaction.secret import Secret
from tinker_ext.timeouts import Clock

START = 1_800_000_000.0
_serial = itertools.count(1)


class HeldTime:
    """Time that advances only in `pass_by`, which wakes sleeping tasks that are due."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeping: list[tuple[float, asyncio.Future[None]]] = []
        self.clock = Clock(
            now=lambda: self.now,
            wall=lambda: START + self.now,
            sleep=self._sleep,
            jitter=lambda: 0.5,
        )

    async def _sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sleeping.append((self.now + seconds, woken))
        await woken

    async def pass_by(self, seconds: float) -> None:
        """Advance the time and run the tasks that are due."""
        self.now += seconds
        due = [item for item in self.sleeping if item[0] <= self.now]
        self.sleeping = [item for item in self.sleeping if item[0] > self.now]
        for _, woken in due:
            if not woken.done():
                woken.set_result(None)
        await settle()

    def pauses(self) -> list[float]:
        """The remaining seconds of all sleeping tasks."""
        return [until - self.now for until, woken in self.sleeping if not woken.done()]


async def settle() -> None:
    """Run all tasks until each of them waits."""
    for _ in range(20):
        await asyncio.sleep(0)


def token(lifetime: float | None = 3600.0, issued: float = START) -> Secret:
    """A new token; without `lifetime`, one that has no expiry."""
    claims: dict[str, float] = {"jti": next(_serial)}
    if lifetime is not None:
        claims |= {"iat": issued, "exp": issued + lifetime}
    return Secret(web_token(claims))
