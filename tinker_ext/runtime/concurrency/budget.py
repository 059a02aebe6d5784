"""A bound on what is in flight, first come first served, as `rules.limits` counts it."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from attrs import evolve

from tinker_ext import tracing
from tinker_ext.rules import limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Budget:
    """Admits requests while their sizes fit, in the order they came. On the event loop only.

    The unit is the caller's: bytes, or requests of size 1. A request larger than the whole budget
    goes alone.
    """

    def __init__(self, limit: int) -> None:
        self._state = limits.Budget(limit)
        self._line: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def reserve(self, size: int) -> AsyncIterator[None]:
        """Wait until `size` fits, hold it for the block."""
        await self._take(size)
        try:
            yield
        finally:
            self._give(size)

    def resize(self, limit: int) -> None:
        """Another limit from now on; what is held stays held."""
        self._state = evolve(self._state, limit=limit)
        self._admit()

    @property
    def limit(self) -> int:
        return self._state.limit

    @property
    def used(self) -> int:
        return self._state.used

    async def _take(self, size: int) -> None:
        if not self._line and self._state.admits(size):
            self._state = self._state.take(size)
            return
        admitted = asyncio.get_running_loop().create_future()
        self._line.append((size, admitted))
        try:
            with tracing.stage(tracing.Stage.BUDGET):
                await admitted
        except asyncio.CancelledError:
            if admitted.done() and not admitted.cancelled():
                self._give(size)  # Admitted in the same moment it gave up.
            else:
                self._admit()  # It may have stood before somebody who fits.
            raise

    def _give(self, size: int) -> None:
        self._state = self._state.give(size)
        self._admit()

    def _admit(self) -> None:
        while self._line:
            size, admitted = self._line[0]
            if not admitted.done():
                if not self._state.admits(size):
                    return
                self._state = self._state.take(size)
                admitted.set_result(None)
            self._line.popleft()
