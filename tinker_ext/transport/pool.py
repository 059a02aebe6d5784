"""A connection pool that stays fast with hundreds of requests in flight.

httpcore's pool scans all connections whenever a request starts or ends, so the work per request
grows with the number in flight. Here requests are distributed over shards that each hold only a
few requests, so the scan stays short (`make benchmark`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx

from tinker_ext.transport.unread import close_if_unread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

# Of 1, 2, 4, 8 and 16, one and two cost least with 64 and with 400 requests in flight: 2.2 to 2.9
# CPU seconds per 1000 samples instead of 3.2 to 4.3 (`benchmarks/driver.py` on a busy machine with
# two cores).
REQUESTS_PER_SHARD = 1


class ShardedTransport(httpx.AsyncBaseTransport):
    """Distributes requests over transports that each hold at most `per_shard` at once.

    A request occupies its shard until the response body is closed, since the connection is busy
    until then. Used on one event loop only.

    A shard is discarded when its request is cancelled: after a cancellation at certain points,
    httpcore's pool counts the connection as busy forever (and otherwise closes it).
    """

    def __init__(
        self,
        make_shard: Callable[[], httpx.AsyncBaseTransport],
        *,
        per_shard: int = REQUESTS_PER_SHARD,
    ) -> None:
        self._make_shard = make_shard
        self._per_shard = per_shard
        self._all: list[_Shard] = []
        # A stack: the shard used last is used next, which keeps connections warm.
        self._available: list[_Shard] = []
        self._closing: set[asyncio.Task[None]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        shard = self._acquire()
        try:
            response = await shard.transport.handle_async_request(request)
        except BaseException as error:
            self._release(shard, discard=isinstance(error, asyncio.CancelledError))
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)

        async def release(*, discard: bool) -> None:
            try:
                await close_if_unread(shard.transport)
            except BaseException:
                discard = True
                raise
            finally:
                self._release(shard, discard=discard)

        response.stream = _ReleasingStream(response.stream, release)
        return response

    async def aclose(self) -> None:
        shards, self._all, self._available = self._all, [], []
        for shard in shards:
            await shard.transport.aclose()
        await asyncio.gather(*self._closing)

    @property
    def in_flight(self) -> int:
        """The number of requests whose response body is not closed yet."""
        return sum(shard.active for shard in self._all)

    def _acquire(self) -> _Shard:
        if not self._available:
            shard = _Shard(self._make_shard())
            self._all.append(shard)
            self._available.append(shard)
        shard = self._available[-1]
        shard.active += 1
        if shard.active == self._per_shard:
            self._available.pop()
        return shard

    def _release(self, shard: _Shard, *, discard: bool) -> None:
        was_full = shard.active == self._per_shard
        shard.active -= 1
        if discard and not shard.discarded:
            shard.discarded = True
            self._all = [other for other in self._all if other is not shard]
            self._available = [other for other in self._available if other is not shard]
        if not shard.discarded:
            if was_full:
                self._available.append(shard)
        elif shard.active == 0:
            task = asyncio.get_running_loop().create_task(shard.transport.aclose())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


class _Shard:
    """A transport, its number of active requests, and whether it was discarded."""

    __slots__ = ("active", "discarded", "transport")

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self.transport = transport
        self.active = 0
        self.discarded = False


class _ReleasingStream(httpx.AsyncByteStream):
    """A response body that calls `release` once when closed, to discard the shard if that fails."""

    def __init__(
        self, stream: httpx.AsyncByteStream, release: Callable[..., Awaitable[None]]
    ) -> None:
        self._stream = stream
        self._release: Callable[..., Awaitable[None]] | None = release

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            yield chunk

    async def aclose(self) -> None:
        closed = False
        try:
            await self._stream.aclose()
            closed = True
        finally:
            release, self._release = self._release, None
            if release is not None:
                await release(discard=not closed)
