"""A connection pool that stays fast with hundreds of requests in flight.

httpcore's pool looks at every connection whenever a request starts or ends, which makes the work
per request grow with the number in flight. Here requests are dealt to shards that never hold more
than a few requests each, so that scan stays short (`make benchmark`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx

from tinker_ext.transport.unread import close_if_unread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

# One or two cost least of 1, 2, 4, 8 and 16, with 64 and with 400 requests in flight: 2.2 to 2.9
# CPU seconds per 1000 samples, against 3.2 to 4.3 (`python benchmarks/driver.py tinker_ext URL
# sampling 400 1200` on a busy machine of two cores).
REQUESTS_PER_SHARD = 1


class ShardedTransport(httpx.AsyncBaseTransport):
    """Deals requests to transports that each hold at most `per_shard` of them at once.

    A shard's place is given back when the body of the response is closed, not when its headers
    arrive: until then the connection is busy. Used from one event loop only.

    A shard whose request was cancelled is not used again: cancelled at certain points, httpcore's
    pool counts the connection as busy for ever (and otherwise closes it anyway).
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
        # A stack: the shards used last are used next, so that connections stay warm.
        self._with_room: list[_Shard] = []
        self._closing: set[asyncio.Task[None]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        shard = self._acquire()
        try:
            response = await shard.transport.handle_async_request(request)
        except BaseException as error:
            self._release(shard, discard=isinstance(error, asyncio.CancelledError))
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)

        async def give_back(*, discard: bool) -> None:
            try:
                await close_if_unread(shard.transport)
            except BaseException:
                discard = True
                raise
            finally:
                self._release(shard, discard=discard)

        response.stream = _ReleasingStream(response.stream, give_back)
        return response

    async def aclose(self) -> None:
        shards, self._all, self._with_room = self._all, [], []
        for shard in shards:
            await shard.transport.aclose()
        await asyncio.gather(*self._closing)

    @property
    def in_flight(self) -> int:
        """Requests whose response body is not yet closed."""
        return sum(shard.active for shard in self._all)

    def _acquire(self) -> _Shard:
        if not self._with_room:
            shard = _Shard(self._make_shard())
            self._all.append(shard)
            self._with_room.append(shard)
        shard = self._with_room[-1]
        shard.active += 1
        if shard.active == self._per_shard:
            self._with_room.pop()
        return shard

    def _release(self, shard: _Shard, *, discard: bool) -> None:
        was_full = shard.active == self._per_shard
        shard.active -= 1
        if discard and not shard.discarded:
            shard.discarded = True
            self._all = [kept for kept in self._all if kept is not shard]
            self._with_room = [kept for kept in self._with_room if kept is not shard]
        if not shard.discarded:
            if was_full:
                self._with_room.append(shard)
        elif shard.active == 0:
            task = asyncio.get_running_loop().create_task(shard.transport.aclose())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


class _Shard:
    """A transport, the number of requests it holds, and whether it takes no more of them."""

    __slots__ = ("active", "discarded", "transport")

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self.transport = transport
        self.active = 0
        self.discarded = False


class _ReleasingStream(httpx.AsyncByteStream):
    """A response body that says once when it is closed, and whether closing it went wrong."""

    def __init__(
        self, stream: httpx.AsyncByteStream, release: Callable[..., Awaitable[None]]
    ) -> None:
        self._stream = stream
        self._release: Callable[..., Awaitable[None]] | None = release

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part

    async def aclose(self) -> None:
        closed = False
        try:
            await self._stream.aclose()
            closed = True
        finally:
            release, self._release = self._release, None
            if release is not None:
                await release(discard=not closed)
