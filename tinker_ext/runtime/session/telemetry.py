"""What the service is told of how the client fares: `/api/v1/telemetry`, as release 0.4.1 sends it.

A session's start and end, and which calls failed with which class of error. Nothing else: no
message, no traceback, no body, no header, because any of them may hold what is the user's alone.
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

# Seconds between sends, events of one send, events kept: release 0.4.1.
FLUSH_INTERVAL = 10.0
BATCH = 100
QUEUE_LIMIT = 10_000
# Seconds that closing may take for it. Ours; 0.4.1 waits for up to 30.
CLOSE_LIMIT = 1.0
#: What the data of an event may hold.
EVENT_DATA = frozenset({"error_type", "operation", "status_code"})

Event = (
    models.GenericEvent
    | models.SessionEndEvent
    | models.SessionStartEvent
    | models.UnhandledExceptionEvent
)


class Telemetry:
    """Collects events and sends them now and then. On the event loop only.

    What can't be sent is dropped, and what happens while too much is waiting is not noted.
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
        """From now on there is a session to tell of."""
        if not self._enabled or self._session_id is not None:
            return
        self._session_id, self._started = session_id, time.monotonic()
        self._add(models.SessionStartEvent(event="SESSION_START", **self._common("INFO")))
        self._flushing = tasks.create_detached_task(self._flush_for_ever())

    def call_failed(self, operation: str, error: BaseException) -> None:
        """A call of the user's has failed for good."""
        if self._session_id is None or not isinstance(error, TinkerError):
            return
        kind, status = type(error).__name__, getattr(error, "status_code", None)
        if not _is_users_mistake(error):
            words = operation if status is None else f"{operation}: HTTP {status}"
            self._add(
                models.UnhandledExceptionEvent(
                    event="UNHANDLED_EXCEPTION",
                    error_type=kind,
                    error_message=words,
                    **self._common("ERROR"),
                )
            )
            return
        data: dict[str, Any] = {"error_type": kind, "operation": operation, "status_code": status}
        self._add(
            models.GenericEvent(
                event="GENERIC_EVENT",
                event_name="user_error",
                event_data=models.EventData.from_dict(data),
                **self._common("WARNING"),
            )
        )

    async def close(self) -> None:
        """Send what is left, within CLOSE_LIMIT."""
        if self._session_id is None:
            return
        await tasks.cancel_and_wait(self._flushing)
        lasted = timedelta(seconds=time.monotonic() - self._started)
        self._add(
            models.SessionEndEvent(
                event="SESSION_END", duration=str(lasted), **self._common("INFO")
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

    async def _flush_for_ever(self) -> None:
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
            except Exception as error:  # Whatever it is, it is no trouble of the user's.
                log.debug("telemetry: %d events dropped: %s", len(batch), type(error).__name__)


def _is_users_mistake(error: TinkerError) -> bool:
    """As release 0.4.1 tells them apart."""
    if isinstance(error, RequestFailedError):
        return error.category is RequestErrorCategory.USER
    status = error.status_code if isinstance(error, APIStatusError) else 0
    return 400 <= status < 500 and status != 408
