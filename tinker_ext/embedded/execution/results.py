"""Answers on their way back: waited for, handed out, kept for a while, forgotten."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

# Answers in memory. 256 MB holds some twenty-five answers of the largest batch a client sends
# (128 datums of 4096 logprobs, about 10 MB each), or hundreds of thousands of usual ones.
MAX_BYTES = 256 * 1024 * 1024

# Ids of forgotten answers that are still recognized, so that "too late" is told from "never was".
MAX_FORGOTTEN = 20_000

# What one kept answer costs beyond its bytes: the id, two dictionary slots, the object.
OVERHEAD_BYTES = 512


class ResultStore:
    """The answers of this process. Lives on one event loop.

    Answers nobody fetched are kept longest; the others go first when room is needed, oldest
    first, because they are only asked for again when a reply got lost on the way.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._pending: dict[str, asyncio.Event] = {}
        self._fresh: OrderedDict[str, bytes] = OrderedDict()
        self._delivered: OrderedDict[str, bytes] = OrderedDict()
        self._forgotten: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, request_id: str) -> bool:
        """Whether the request is being worked on or its answer is here."""
        return (
            request_id in self._pending
            or request_id in self._fresh
            or request_id in self._delivered
        )

    def forgotten(self, request_id: str) -> bool:
        """Whether there was an answer that has been dropped since."""
        return request_id in self._forgotten

    def open(self, request_id: str) -> None:
        """Expect an answer."""
        self._pending[request_id] = asyncio.Event()

    def finish(self, request_id: str, answer: bytes) -> None:
        """Put the answer in and wake everyone who waits for it."""
        self._fresh[request_id] = answer
        self._bytes += len(answer) + OVERHEAD_BYTES
        event = self._pending.pop(request_id, None)
        if event is not None:
            event.set()
        self._make_room()

    async def settled(self, request_id: str) -> None:
        """Return when there is no more to wait for."""
        event = self._pending.get(request_id)
        if event is not None:
            await event.wait()

    def fetch(self, request_id: str) -> bytes | None:
        """The answer if it is here; from then on it may be forgotten before others."""
        answer = self._fresh.pop(request_id, None)
        if answer is None:
            return self._delivered.get(request_id)
        self._delivered[request_id] = answer
        return answer

    def _make_room(self) -> None:
        while self._bytes > self._max_bytes and (self._delivered or self._fresh):
            crowd = self._delivered or self._fresh
            request_id, answer = crowd.popitem(last=False)
            self._bytes -= len(answer) + OVERHEAD_BYTES
            self._forgotten[request_id] = None
        while len(self._forgotten) > MAX_FORGOTTEN:
            self._forgotten.popitem(last=False)
