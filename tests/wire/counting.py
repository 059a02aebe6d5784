"""An in-memory server that counts concurrent requests."""

from __future__ import annotations

import asyncio

import httpx

from tinker_ext.testing import FakeServer


class Counting(FakeServer):
    """Counts the current and the maximum number of concurrent requests to one endpoint."""

    def __init__(self, endpoint: str, hold: float = 0.002) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._hold = hold
        self.now = self.most = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith(self._endpoint):
            return await super().handle_async_request(request)
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(self._hold)
        try:
            return await super().handle_async_request(request)
        finally:
            self.now -= 1
