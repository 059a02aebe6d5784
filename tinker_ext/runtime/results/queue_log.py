"""Reports the queue states of waiting requests to the user's observer and to the log."""

from __future__ import annotations

import logging
import weakref
from typing import TYPE_CHECKING, Protocol

from attrs import frozen

from tinker_ext.rules.polling import (
    LONG_RUNNING_INFO,
    LONG_RUNNING_WARNING,
    QueueState,
    TryAgain,
    describe_queue,
    last_seen,
)
from tinker_ext.runtime.concurrency.clock import REAL_CLOCK, Clock
from tinker_ext.runtime.concurrency.log_throttle import LogThrottle
from tinker_ext.runtime.concurrency.user_code import notify
from tinker_ext.tracing import log

if TYPE_CHECKING:
    from tinker_ext.errors import SessionLostError


class QueueStateObserver(Protocol):
    """Is notified when a request's queue state changes, and with ACTIVE when the request is done.

    Called on the client's event loop thread, so it must return quickly; its exceptions are logged.
    """

    def on_queue_state_change(
        self, queue_state: QueueState, queue_state_reason: str | None
    ) -> None:
        """`queue_state_reason` is the server's message, None if it sent none."""


class SessionObserver(Protocol):
    """Is notified once when heartbeats keep failing or the server ends the session.

    Called on the client's event loop thread, so it must return quickly; its exceptions are logged.
    """

    def on_session_lost(self, error: SessionLostError) -> None:
        """`error` is the exception that the session's next call raises."""


def weak_proxy(observer: SessionObserver | None) -> SessionObserver | None:
    """A weak proxy of the observer, for background tasks.

    The observer may own the client; a strong reference would keep both from being collected.
    """
    try:
        return None if observer is None else weakref.proxy(observer)
    except TypeError:  # A class with slots and no __weakref__.
        return observer


@frozen
class _Waiting:
    """A request's queue state (None before the first poll) and the time it was entered."""

    state: TryAgain | None
    since: float


class QueueLog:
    """Notifies the observer of state changes, and logs at most one line per minute and operation.

    A paused queue is logged at once. A request in any other state is logged if it stays in it for
    long, once a minute for each log level.
    """

    def __init__(
        self, observer: QueueStateObserver | None = None, clock: Clock = REAL_CLOCK
    ) -> None:
        self._observer = observer
        self._throttle = LogThrottle(clock=clock)
        self._clock = clock
        self._states: dict[str, _Waiting] = {}

    def begin(self, request_id: str) -> None:
        """Note that the request was submitted and its result is awaited."""
        self._states[request_id] = _Waiting(None, self._clock.now())

    def note(self, operation: str, request_id: str, state: TryAgain) -> None:
        """Note the queue state of a waiting request."""
        last = self._states.get(request_id) or _Waiting(None, self._clock.now())
        if last.state != state:
            changed = last.state is not None and last.state.queue_state != state.queue_state
            since = self._clock.now() if changed else last.since
            self._states[request_id] = _Waiting(state, since)
            self._notify(state)
        if state.queue_state in (QueueState.PAUSED_CAPACITY, QueueState.PAUSED_RATE_LIMIT):
            if self._throttle.should_log(operation):
                log.warning("%s is waiting: %s", operation, describe_queue(state))
        else:
            self._note_duration(
                operation, state, self._clock.now() - self._states[request_id].since
            )

    def _note_duration(self, operation: str, state: TryAgain, seconds: float) -> None:
        if seconds < LONG_RUNNING_INFO:
            return
        level = logging.WARNING if seconds >= LONG_RUNNING_WARNING else logging.INFO
        if self._throttle.should_log((operation, level)):
            log.log(
                level,
                "%s: no result in %.0f s; last seen: %s",
                operation,
                seconds,
                last_seen(state),
            )

    def done(self, request_id: str) -> None:
        """Note that the wait for the request ended, successfully or not."""
        waiting = self._states.pop(request_id, None)
        state = None if waiting is None else waiting.state
        if state is not None and state.queue_state is not QueueState.ACTIVE:
            self._notify(TryAgain(QueueState.ACTIVE))

    def _notify(self, state: TryAgain) -> None:
        if self._observer is not None:
            notify(
                self._observer.on_queue_state_change,
                state.queue_state,
                state.queue_state_reason,
                name="queue state observer",
            )
