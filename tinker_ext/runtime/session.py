"""A session on the server: created on first use, kept alive by heartbeats, finished on close.

Its telemetry reports to the service which calls failed.
"""

from __future__ import annotations

import asyncio
import itertools
import platform
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeAlias

from attrs import frozen
from tinker_api import models

from tinker_ext import tracing
from tinker_ext.config import ClientConfig
from tinker_ext.errors import (
    APIError,
    APIStatusError,
    RequestErrorCategory,
    RequestFailedError,
    SessionLostError,
    TinkerError,
)
from tinker_ext.redaction.redactor import shorten
from tinker_ext.runtime.concurrency import tasks
from tinker_ext.runtime.concurrency.user_code import notify
from tinker_ext.runtime.connection.connection import Connection
from tinker_ext.runtime.results.poller import SessionObserver
from tinker_ext.timeouts import REAL_CLOCK, Clock
from tinker_ext.tracing import log
from tinker_ext.transport import operations
from tinker_ext.types.structuring import or_unset
from tinker_ext.version import __version__

# Seconds between heartbeats, and without a successful one until the session counts as lost;
# releases 0.4.1 and 0.38.0.
HEARTBEAT_INTERVAL = 10.0
LOST_AFTER = 120.0

#: How a session can end, in the terms of release 0.38.0.
SessionStatus: TypeAlias = Literal["success", "errored", "interrupted"]


@frozen
class SessionEnd:
    """How a session ended, to be reported to the server. The first report counts."""

    status: SessionStatus
    detail: str | None = None

    @classmethod
    def from_error(cls, error: BaseException | None) -> SessionEnd:
        """The end of a session whose `with` block raised `error`; only its class is reported."""
        if error is None:
            return cls("success")
        interrupted = isinstance(error, KeyboardInterrupt | SystemExit | asyncio.CancelledError)
        return cls("interrupted" if interrupted else "errored", type(error).__name__)


class Session:
    """The session that all clients of one `ServiceClient` share.

    Its counters start at 0, as in release 0.4.1: one for models, one for sampling sessions and
    unnamed sampler checkpoints together, and, as in 0.38.0, one for losses.
    """

    def __init__(
        self,
        create: Callable[[], Awaitable[str]],
        beat: Callable[[str], Awaitable[None]],
        *,
        interval: float = HEARTBEAT_INTERVAL,
        lost_after: float = LOST_AFTER,
        observer: SessionObserver | None = None,
        clock: Clock = REAL_CLOCK,
    ) -> None:
        self._create = create
        self._beat = beat
        self._interval = interval
        self._lost_after = lost_after
        self._observer = observer
        self._clock = clock
        self.model_seq_ids = itertools.count()
        self.sampling_seq_ids = itertools.count()
        self.loss_seq_ids = itertools.count()
        self._creating: asyncio.Task[str] | None = None
        self._heartbeat: asyncio.Task[None] | None = None
        self._ended: str | None = None
        self._failing: str | None = None
        self._suspended_before = 0.0
        self.last_beat: float | None = None
        self.known_id: str | None = None

    async def id(self) -> str:
        """The session's id; creates the session on the first call, once for concurrent callers.

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
        """Check that the session is alive.

        Raises:
            SessionLostError: the server has ended the session, or heartbeats have failed for two
                minutes. After a successful heartbeat the session counts as alive again.
        """
        reason = self._ended or self._failing
        if reason is not None:
            raise self._lost(reason)

    def heartbeat_age(self) -> tuple[str, float] | None:
        """The session's id, and the seconds since its last successful heartbeat."""
        beating = self._heartbeat is not None and not self._heartbeat.done()
        if self.known_id is None or self.last_beat is None or not beating:
            return None
        return self.known_id, self._clock.now() - self.last_beat

    @property
    def is_alive(self) -> bool:
        """Whether a heartbeat, or the creation of the session, succeeded recently."""
        return self.last_beat is not None and self._failing_for() <= self._lost_after

    async def close(self) -> None:
        """Stop the heartbeat."""
        await tasks.cancel_and_wait(self._creating, self._heartbeat)

    async def _start(self) -> str:
        session_id = await self._create()
        self._note_contact()
        self.known_id = session_id
        tracing.watch_heartbeat(self)
        self._heartbeat = asyncio.create_task(self._send_heartbeats(session_id))
        return session_id

    async def _send_heartbeats(self, session_id: str) -> None:
        """Start each heartbeat an interval after the start of the previous one.

        A heartbeat that takes longer, up to its timeout, delays the next one until it has ended, so
        that only one is in flight.
        """
        started = self._clock.now()
        while self._ended is None:
            await self._clock.sleep(max(0.0, started + self._interval - self._clock.now()))
            started = self._clock.now()
            try:
                await self._beat(session_id)
            except Exception as error:  # No error may stop the heartbeats.
                self._note_failure(session_id, error)
            else:
                self._note_success(session_id)

    def _note_success(self, session_id: str) -> None:
        self._note_contact()
        if self._failing is not None:
            log.warning("session %s: heartbeats reach the server again", session_id)
            self._failing = None

    def _note_failure(self, session_id: str, error: Exception) -> None:
        # Release 0.38.0: 410 means that the server has ended the session.
        if isinstance(error, APIStatusError) and error.status_code == 410:
            self._ended = f"the server has ended session {session_id}: {error}"
            self._report(self._ended)
            return
        log.debug("session %s: a heartbeat failed: %s", session_id, error)
        if self._failing_for() > self._lost_after and self._failing is None:
            self._failing = (
                f"session {session_id}: no heartbeat has reached the server for "
                f"{self._since_last_beat():.0f} s ({error}); its models may be unloaded"
            )
            self._report(self._failing)

    def _report(self, reason: str) -> None:
        log.error("%s", reason)
        if self._observer is not None:
            notify(self._observer.on_session_lost, self._lost(reason), name="session observer")

    def _lost(self, reason: str) -> SessionLostError:
        creating = self._creating
        created = creating is not None and creating.done() and not tasks.has_failed(creating)
        session_id = creating.result() if creating is not None and created else None
        return SessionLostError(reason, session_id=session_id, silent_for=self._since_last_beat())

    def _note_contact(self) -> None:
        self.last_beat = self._clock.now()
        self._suspended_before = self._clock.suspended()

    def _since_last_beat(self) -> float:
        return self._clock.now() - (self.last_beat or 0.0)

    def _failing_for(self) -> float:
        """Seconds since the last successful heartbeat in which the process was not suspended."""
        return self._since_last_beat() - (self._clock.suspended() - self._suspended_before)


async def begin_session(connection: Connection, telemetry: Telemetry, config: ClientConfig) -> str:
    """Create a session, log the server's messages, and return the session's id."""
    with tracing.operation("create_session"):
        body = models.CreateSessionRequest(
            tags=list(config.tags),
            user_metadata=models.UserMetadata.from_dict(dict(config.user_metadata)),
            project_id=or_unset(config.project_id),
            display_name=or_unset(config.display_name),
            sdk_version="",  # That of the negotiated protocol is set when it is sent.
        )
        response = await connection.call(operations.create_session(body=body))
    for write, message in (
        (log.info, response.info_message),
        (log.warning, response.warning_message),
        (log.error, response.error_message),
    ):
        if isinstance(message, str) and message:
            write("session %s: %s", response.session_id, shorten(message))
    telemetry.session_started(response.session_id)
    return response.session_id


async def finish_session(connection: Connection, session_id: str, end: SessionEnd) -> None:
    """Report how a session ended, without retries, if the server accepts such a report."""
    if not connection.protocol.finishes_sessions:
        return
    body = models.SessionFinishRequest(
        reason=models.SessionFinishRequestReason(type_=end.status), detail=end.detail
    )
    try:
        await connection.send(operations.finish_session(session_id, body=body))
    except APIError as error:  # The server ends the session when the heartbeats stop.
        log.debug("session %s: its end could not be reported: %s", session_id, error)


_Event: TypeAlias = (
    models.GenericEvent
    | models.SessionEndEvent
    | models.SessionStartEvent
    | models.UnhandledExceptionEvent
)

# Seconds between requests, events per request, queued events: release 0.4.1.
FLUSH_INTERVAL = 10.0
EVENT_BATCH = 100
QUEUE_LIMIT = 10_000
# Seconds that closing may take to send the remaining events. Ours; 0.4.1 waits for up to 30.
TELEMETRY_CLOSE_LIMIT = 1.0
#: The fields that an event's data may have.
EVENT_DATA = frozenset({"error_type", "operation", "status_code"})


class Telemetry:
    """Telemetry sent to the service (`/api/v1/telemetry`), as release 0.4.1 sends it.

    It contains a session's start and end, and which calls failed with which class of error. It
    contains no message, traceback, body or header, because these may hold the user's data.
    `TINKER_TELEMETRY=0` or `telemetry=False` turns it off.

    Collects events and sends them periodically. On the event loop only.
    Events that can't be sent, or that occur while the queue is full, are dropped.
    """

    def __init__(
        self,
        send: Callable[[models.TelemetrySendRequest], Awaitable[None]],
        *,
        enabled: bool,
        interval: float = FLUSH_INTERVAL,
    ) -> None:
        self._send = send
        self._enabled = enabled
        self._interval = interval
        self._events: deque[_Event] = deque()
        self._index = itertools.count()
        self._session_id: str | None = None
        self._started = 0.0
        self._flushing: asyncio.Task[None] | None = None

    def session_started(self, session_id: str) -> None:
        """Start to collect and send events for a session."""
        if not self._enabled or self._session_id is not None:
            return
        self._session_id, self._started = session_id, time.monotonic()
        self._add(models.SessionStartEvent(event="SESSION_START", **self._common("INFO")))
        self._flushing = tasks.create_detached_task(self._flush_periodically())

    def call_failed(self, operation: str, error: BaseException) -> None:
        """Record the final failure of a call by the user."""
        if self._session_id is None or not isinstance(error, TinkerError):
            return
        error_type, status = type(error).__name__, getattr(error, "status_code", None)
        if not _is_user_error(error):
            message = operation if status is None else f"{operation}: HTTP {status}"
            self._add(
                models.UnhandledExceptionEvent(
                    event="UNHANDLED_EXCEPTION",
                    error_type=error_type,
                    error_message=message,
                    **self._common("ERROR"),
                )
            )
            return
        data: dict[str, Any] = {
            "error_type": error_type,
            "operation": operation,
            "status_code": status,
        }
        self._add(
            models.GenericEvent(
                event="GENERIC_EVENT",
                event_name="user_error",
                event_data=models.EventData.from_dict(data),
                **self._common("WARNING"),
            )
        )

    async def close(self) -> None:
        """Send the remaining events for at most `TELEMETRY_CLOSE_LIMIT` seconds."""
        if self._session_id is None:
            return
        await tasks.cancel_and_wait(self._flushing)
        duration = timedelta(seconds=time.monotonic() - self._started)
        self._add(
            models.SessionEndEvent(
                event="SESSION_END", duration=str(duration), **self._common("INFO")
            )
        )
        with suppress(TimeoutError):
            async with asyncio.timeout(TELEMETRY_CLOSE_LIMIT):
                await self._flush()
        self._session_id = None

    def _add(self, event: _Event) -> None:
        if len(self._events) < QUEUE_LIMIT:
            self._events.append(event)

    def _common(self, severity: models.Severity) -> dict[str, Any]:
        return {
            "event_id": str(uuid.uuid4()),
            "event_session_index": next(self._index),
            "severity": severity,
            "timestamp": datetime.now(UTC),
        }

    async def _flush_periodically(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            await self._flush()

    async def _flush(self) -> None:
        while self._events and self._session_id is not None:
            batch = [self._events.popleft() for _ in range(min(EVENT_BATCH, len(self._events)))]
            body = models.TelemetrySendRequest(
                events=batch,
                platform=platform.system(),
                sdk_version=__version__,
                session_id=self._session_id,
            )
            try:
                await self._send(body)
            except Exception as error:  # Telemetry errors never surface to the user.
                log.debug("telemetry: %d events dropped: %s", len(batch), type(error).__name__)


def _is_user_error(error: TinkerError) -> bool:
    """Whether the user caused the error, as release 0.4.1 defines it."""
    if isinstance(error, RequestFailedError):
        return error.category is RequestErrorCategory.USER
    status = error.status_code if isinstance(error, APIStatusError) else 0
    return 400 <= status < 500 and status != 408
