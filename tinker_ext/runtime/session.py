"""A session of the server: made on first need, kept alive by heartbeats."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import TYPE_CHECKING

from tinker_ext.errors import APIError, APIStatusError, SessionLostError
from tinker_ext.tracing import log

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

# Seconds between heartbeats and until their silence is reported; releases 0.4.1 and 0.38.0.
HEARTBEAT_INTERVAL = 10.0
SILENCE_LIMIT = 120.0


class Session:
    """The session all clients of one `ServiceClient` share.

    Counters are per session and start at 0, as in release 0.4.1: one for models, one shared by
    sampling sessions and unnamed sampler checkpoints.
    """

    def __init__(
        self,
        create: Callable[[], Awaitable[str]],
        beat: Callable[[str], Awaitable[None]],
        *,
        interval: float = HEARTBEAT_INTERVAL,
        silence_limit: float = SILENCE_LIMIT,
    ) -> None:
        self._create = create
        self._beat = beat
        self._interval = interval
        self._silence_limit = silence_limit
        self._model_seq_ids = itertools.count()
        self._sampling_seq_ids = itertools.count()
        self._creating: asyncio.Task[str] | None = None
        self._heart: asyncio.Task[None] | None = None
        self._lost: str | None = None
        self.last_beat: float | None = None

    async def id(self) -> str:
        """The session's id; created once, however many ask at the same time.

        Raises:
            SessionLostError: the server ended the session, or has not answered its heartbeats.
        """
        if self._lost is not None:
            raise SessionLostError(self._lost)
        if self._creating is None or _failed(self._creating):
            self._creating = asyncio.create_task(self._start())
        return await asyncio.shield(self._creating)

    @property
    def started(self) -> bool:
        return self._heart is not None

    def next_model_seq_id(self) -> int:
        return next(self._model_seq_ids)

    def next_sampling_seq_id(self) -> int:
        return next(self._sampling_seq_ids)

    async def close(self) -> None:
        """Stop the heartbeat."""
        tasks = [task for task in (self._creating, self._heart) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _start(self) -> str:
        session_id = await self._create()
        self.last_beat = time.monotonic()
        self._heart = asyncio.create_task(self._beat_for_ever(session_id))
        return session_id

    async def _beat_for_ever(self, session_id: str) -> None:
        warned = False
        while self._lost is None:
            await asyncio.sleep(self._interval)
            try:
                await self._beat(session_id)
            except APIError as error:
                warned = self._note_failure(session_id, error, warned)
            else:
                self.last_beat, warned = time.monotonic(), False

    def _note_failure(self, session_id: str, error: APIError, warned: bool) -> bool:
        # Release 0.38.0: 410 says that the server has ended the session.
        if isinstance(error, APIStatusError) and error.status_code == 410:
            self._lost = f"the server has ended session {session_id}: {error}"
            log.error("%s", self._lost)
            return True
        silence = time.monotonic() - (self.last_beat or 0.0)
        if silence > self._silence_limit and not warned:
            log.warning(
                "session %s: no heartbeat has reached the server for %.0f s (%s); "
                "its models may be unloaded",
                session_id,
                silence,
                error,
            )
            return True
        return warned


def _failed(task: asyncio.Task[str]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
