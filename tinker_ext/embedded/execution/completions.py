"""Which requests of a sampling session have ended, in that order, for those who ask for many."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from tinker_ext.embedded.execution.answers import is_failure

if TYPE_CHECKING:
    from collections.abc import Sequence

# Completions told in one answer; the rest come with the next cursor. About 100 bytes each.
MAX_TOLD = 10_000

# Ended requests remembered of one sampling session, before the first of them are forgotten.
MAX_KEPT = 100_000


@frozen
class Completion:
    """One request that has ended. `size` is that of its answer as JSON, in bytes."""

    request_id: str
    size: int
    failed: bool

    @property
    def described(self) -> dict[str, Any]:
        """As the API tells it."""
        if self.failed:
            return {"state": "failed", "request_id": self.request_id}
        size = {"response_payload_uncompressed_size": self.size}
        return {"state": "finished", "request_id": self.request_id, **size}


@define
class _Ended:
    """The list of one target. `forgotten` is how many came before what it still has."""

    kept: list[Completion] = field(factory=list)
    forgotten: int = 0
    news: asyncio.Event = field(factory=asyncio.Event)


class Completions:
    """Per target the requests that have ended in this process. Lives on one event loop.

    A cursor counts all that ended so far; one of an earlier start counts for nothing.
    """

    def __init__(self) -> None:
        self._targets: dict[object, _Ended] = {}

    def add(self, target: object, request_id: str, answer: bytes) -> None:
        """Note that a request has ended, and wake those who wait for its kind."""
        ended = self._of(target)
        ended.kept.append(Completion(request_id, len(answer), is_failure(answer)))
        if len(ended.kept) > MAX_KEPT:
            drop = MAX_KEPT // 10
            del ended.kept[:drop]
            ended.forgotten += drop
        ended.news.set()
        ended.news = asyncio.Event()

    async def since(
        self, target: object, cursor: int, timeout: float
    ) -> tuple[Sequence[Completion], int]:
        """What ended after the cursor, and the next cursor; waits for something up to `timeout`."""
        found, following = self._after(target, cursor)
        if not found and timeout > 0:
            news = self._of(target).news
            with suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), timeout)
            found, following = self._after(target, cursor)
        return found, following

    def _after(self, target: object, cursor: int) -> tuple[Sequence[Completion], int]:
        ended = self._of(target)
        total = ended.forgotten + len(ended.kept)
        start = cursor if cursor <= total else 0
        first = max(start - ended.forgotten, 0)
        found = ended.kept[first : first + MAX_TOLD]
        return found, ended.forgotten + first + len(found)

    def _of(self, target: object) -> _Ended:
        return self._targets.setdefault(target, _Ended())
