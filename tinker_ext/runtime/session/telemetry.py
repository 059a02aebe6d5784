"""Telemetry sent to the service (`/api/v1/telemetry`), as release 0.4.1 sends it.

It contains a session's start and end, and which calls failed with which class of error. It contains
no message, traceback, body or header, because these may hold the user's data.
`TINKER_TELEMETRY=0` or `telemetry=False` turns it off.
"""

from __future__ import annotations

import asyncio
import itertools
import platform
import time
import uuid
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tinker_api import models

from tinker_ext.errors import APIStatusError, RequestErrorCategory, RequestFailedError, TinkerError
from tinker_ext.runtime.concurrency import tasks
from tinker_ext.tracing import log
from tinker_ext.version import __version__

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Event = (
        models.GenericEvent
        | models.SessionEndEvent
        | models.SessionStartEvent
        | models.UnhandledExceptionEvent
    )

# Seconds between requests, events per request, queued events: release 0.4.1.
FLUSH_INTERVAL = 10.0
BATCH = 100
QUEUE_LIMIT = 10_000
# Seconds that closing may take to send the remaining events. Ours; 0.4.1 waits for up to 30.
CLOSE_LIMIT = 1.0
#: The fields that an event's data may have.
EVENT_DATA = frozenset({"error_type", "operation", "status_code"})


class Telemetry:
    """Collects events and sends them periodically. On the event loop only.

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
        self._events: deque[Event] = deque()
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
        """Send the remaining events for at most `CLOSE_LIMIT` seconds."""
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
            async with asyncio.timeout(CLOSE_LIMIT):
                await self._flush()
        self._session_id = None

    def _add(self, event: Event) -> None:
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
            batch = [self._events.popleft() for _ in range(min(BATCH, len(self._events)))]
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
