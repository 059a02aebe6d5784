"""The completed requests of each sampling session, in order, for clients that poll for many."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from tinker_ext.embedded.execution.results import is_failure

if TYPE_CHECKING:
    from collections.abc import Sequence

# Requests in one response, about 100 bytes each; the next cursor returns more.
MAX_PER_RESPONSE = 10_000

# Completed requests remembered per sampling session; the oldest are dropped.
MAX_REMEMBERED = 100_000


@frozen
class CompletedRequest:
    """One completed request. `size` is that of its result as JSON, in bytes."""

    request_id: str
    size: int
    failed: bool

    def to_json(self) -> dict[str, Any]:
        """The request as an entry of the response."""
        if self.failed:
            return {"state": "failed", "request_id": self.request_id}
        size = {"response_payload_uncompressed_size": self.size}
        return {"state": "finished", "request_id": self.request_id, **size}


@define
class _Log:
    """The completed requests of one target; `dropped` counts those that preceded `entries`."""

    entries: list[CompletedRequest] = field(factory=list)
    dropped: int = 0
    appended: asyncio.Event = field(factory=asyncio.Event)


class CompletedRequests:
    """The requests of each target that completed in this process, used on one event loop.

    A cursor is the number of completed requests that a client has seen. A cursor above the current
    number belongs to an earlier start of the server and counts as 0.
    """

    def __init__(self) -> None:
        self._logs: dict[object, _Log] = {}

    def add(self, target: object, request_id: str, result: bytes) -> None:
        """Record a completed request and wake the polls for its target."""
        log = self._log(target)
        log.entries.append(CompletedRequest(request_id, len(result), is_failure(result)))
        if len(log.entries) > MAX_REMEMBERED:
            count = MAX_REMEMBERED // 10
            del log.entries[:count]
            log.dropped += count
        log.appended.set()
        log.appended = asyncio.Event()

    async def since(
        self, target: object, cursor: int, timeout: float
    ) -> tuple[Sequence[CompletedRequest], int]:
        """The requests completed after the cursor, and the next cursor.

        If there are none, waits up to `timeout` seconds for one.
        """
        entries, next_cursor = self._after(target, cursor)
        if not entries and timeout > 0:
            appended = self._log(target).appended
            with suppress(TimeoutError):
                await asyncio.wait_for(appended.wait(), timeout)
            entries, next_cursor = self._after(target, cursor)
        return entries, next_cursor

    def _after(self, target: object, cursor: int) -> tuple[Sequence[CompletedRequest], int]:
        log = self._log(target)
        total = log.dropped + len(log.entries)
        start = cursor if cursor <= total else 0
        first = max(start - log.dropped, 0)
        entries = log.entries[first : first + MAX_PER_RESPONSE]
        return entries, log.dropped + first + len(entries)

    def _log(self, target: object) -> _Log:
        return self._logs.setdefault(target, _Log())
