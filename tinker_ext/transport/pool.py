"""A connection pool that stays fast with hundreds of requests in flight.

httpcore's pool looks at every connection whenever a request starts or ends, which makes the work
per request grow with the number in flight. Here requests are dealt to shards that never hold more
than a few requests each, so that scan stays short (`make benchmark`).
"""

from __future__ import annotations

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

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        shard = self._acquire()
        try:
            response = await shard.transport.handle_async_request(request)
        except BaseException:
            self._release(shard)
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)

        async def give_back() -> None:
            try:
                await close_if_unread(shard.transport)
            finally:
                self._release(shard)

        response.stream = _ReleasingStream(response.stream, give_back)
        return response

    async def aclose(self) -> None:
        shards, self._all, self._with_room = self._all, [], []
        for shard in shards:
            await shard.transport.aclose()

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

    def _release(self, shard: _Shard) -> None:
        was_full = shard.active == self._per_shard
        shard.active -= 1
        if was_full:
            self._with_room.append(shard)


class _Shard:
    """A transport and the number of requests it holds."""

    __slots__ = ("active", "transport")

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self.transport = transport
        self.active = 0


class _ReleasingStream(httpx.AsyncByteStream):
    """A response body that says once when it is closed."""

    def __init__(
        self, stream: httpx.AsyncByteStream, release: Callable[[], Awaitable[None]]
    ) -> None:
        self._stream = stream
        self._release: Callable[[], Awaitable[None]] | None = release

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            release, self._release = self._release, None
            if release is not None:
                await release()
