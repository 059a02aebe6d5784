"""A session of the server: made on first need, kept alive by heartbeats."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

from tinker_ext import tracing
from tinker_ext.errors import APIStatusError, SessionLostError
from tinker_ext.runtime.concurrency import tasks
from tinker_ext.runtime.concurrency.clock import REAL_CLOCK, Clock
from tinker_ext.runtime.concurrency.user_code import notify
from tinker_ext.tracing import log

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tinker_ext.runtime.results.queue_log import SessionObserver

# Seconds between heartbeats and until their silence is reported; releases 0.4.1 and 0.38.0.
HEARTBEAT_INTERVAL = 10.0
SILENCE_LIMIT = 120.0


class Session:
    """The session all clients of one `ServiceClient` share.

    Counters are per session and start at 0, as in release 0.4.1: one for models, one shared by
    sampling sessions and unnamed sampler checkpoints; since 0.38.0 one for losses.
    """

    def __init__(
        self,
        create: Callable[[], Awaitable[str]],
        beat: Callable[[str], Awaitable[None]],
        *,
        interval: float = HEARTBEAT_INTERVAL,
        silence_limit: float = SILENCE_LIMIT,
        observer: SessionObserver | None = None,
        clock: Clock = REAL_CLOCK,
    ) -> None:
        self._create = create
        self._beat = beat
        self._interval = interval
        self._silence_limit = silence_limit
        self._observer = observer
        self._clock = clock
        self._model_seq_ids = itertools.count()
        self._sampling_seq_ids = itertools.count()
        self._loss_seq_ids = itertools.count()
        self._creating: asyncio.Task[str] | None = None
        self._heart: asyncio.Task[None] | None = None
        self._ended: str | None = None
        self._silence: str | None = None
        self._suspended_before = 0.0
        self.last_beat: float | None = None
        self.known_id: str | None = None

    async def id(self) -> str:
        """The session's id; created once, however many ask at the same time.

        Raises:
            SessionLostError: as `check`.
        """
        self.check()
        if self._creating is None or tasks.has_failed(self._creating):
            self._creating = tasks.create_shared_task(self._start())
        if not self._creating.done():
            with tracing.stage(tracing.Stage.CONNECT):
                return await asyncio.shield(self._creating)
        return self._creating.result()

    def check(self) -> None:
        """Refuse to go on in a session that the server does not hear.

        Raises:
            SessionLostError: the server has ended the session, or heartbeats have failed for two
                minutes. The latter passes when one gets through again.
        """
        why = self._ended or self._silence
        if why is not None:
            raise self._lost(why)

    def heartbeat_age(self) -> tuple[str, float] | None:
        """The session's id, and the seconds since the server last answered; None without one."""
        beating = self._heart is not None and not self._heart.done()
        if self.known_id is None or self.last_beat is None or not beating:
            return None
        return self.known_id, self._clock.now() - self.last_beat

    @property
    def heard_lately(self) -> bool:
        """Whether the server has answered a heartbeat, or made the session, not long ago."""
        return self.last_beat is not None and self._failing_for() <= self._silence_limit

    def next_model_seq_id(self) -> int:
        return next(self._model_seq_ids)

    def next_sampling_seq_id(self) -> int:
        return next(self._sampling_seq_ids)

    def next_loss_seq_id(self) -> int:
        return next(self._loss_seq_ids)

    async def close(self) -> None:
        """Stop the heartbeat."""
        await tasks.cancel_and_wait(self._creating, self._heart)

    async def _start(self) -> str:
        session_id = await self._create()
        self._heard()
        self.known_id = session_id
        tracing.watch_heartbeat(self)
        self._heart = asyncio.create_task(self._beat_for_ever(session_id))
        return session_id

    async def _beat_for_ever(self, session_id: str) -> None:
        while self._ended is None:
            await self._clock.sleep(self._interval)
            try:
                await self._beat(session_id)
            except Exception as error:  # Whatever it is, the heart must go on beating.
                self._note_failure(session_id, error)
            else:
                self._note_success(session_id)

    def _note_success(self, session_id: str) -> None:
        self._heard()
        if self._silence is not None:
            log.warning("session %s: heartbeats reach the server again", session_id)
            self._silence = None

    def _note_failure(self, session_id: str, error: Exception) -> None:
        # Release 0.38.0: 410 says that the server has ended the session.
        if isinstance(error, APIStatusError) and error.status_code == 410:
            self._ended = f"the server has ended session {session_id}: {error}"
            self._report(self._ended)
            return
        log.debug("session %s: a heartbeat failed: %s", session_id, error)
        if self._failing_for() > self._silence_limit and self._silence is None:
            self._silence = (
                f"session {session_id}: no heartbeat has reached the server for "
                f"{self._silent_for():.0f} s ({error}); its models may be unloaded"
            )
            self._report(self._silence)

    def _report(self, why: str) -> None:
        log.error("%s", why)
        if self._observer is not None:
            notify(self._observer.on_session_lost, self._lost(why), name="session observer")

    def _lost(self, why: str) -> SessionLostError:
        creating = self._creating
        made = creating is not None and creating.done() and not tasks.has_failed(creating)
        session_id = creating.result() if creating is not None and made else None
        return SessionLostError(why, session_id=session_id, silent_for=self._silent_for())

    def _heard(self) -> None:
        self.last_beat = self._clock.now()
        self._suspended_before = self._clock.suspended()

    def _silent_for(self) -> float:
        return self._clock.now() - (self.last_beat or 0.0)

    def _failing_for(self) -> float:
        """Seconds of silence in which the process was running and could have sent a heartbeat."""
        return self._silent_for() - (self._clock.suspended() - self._suspended_before)
