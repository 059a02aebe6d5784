"""What the server says about requests that wait: to the user's observer and to the log."""

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
    """Told whenever the state of the queue changes for a request, and ACTIVE when it is done.

    Called on the client's event loop thread, so it must be quick; what it raises is logged.
    """

    def on_queue_state_change(
        self, queue_state: QueueState, queue_state_reason: str | None
    ) -> None:
        """`queue_state_reason` is the server's words, None where it has none."""


class SessionObserver(Protocol):
    """Told once when a session falls silent or is ended by the server.

    Called on the client's event loop thread, so it must be quick; what it raises is logged.
    """

    def on_session_lost(self, error: SessionLostError) -> None:
        """`error` is what the next call of the session raises."""


def weak_proxy(observer: SessionObserver | None) -> SessionObserver | None:
    """The observer for what goes on in the background.

    It may well own the client, which shall be collected together with it nevertheless.
    """
    try:
        return None if observer is None else weakref.proxy(observer)
    except TypeError:  # A class with slots and no __weakref__.
        return observer


@frozen
class _Waiting:
    """A request's state, None before the first poll, and since when it has been the same."""

    state: TryAgain | None
    since: float


class QueueLog:
    """Passes on changes of state, and logs at most one line a minute, operation and level.

    A pause is logged at once. A request that the server calls active, or says nothing about, is
    logged when that has not changed for long.
    """

    def __init__(
        self, observer: QueueStateObserver | None = None, clock: Clock = REAL_CLOCK
    ) -> None:
        self._observer = observer
        self._throttle = LogThrottle(clock=clock)
        self._clock = clock
        self._states: dict[str, _Waiting] = {}

    def begin(self, request_id: str) -> None:
        """The request has been submitted, and its result is waited for from now on."""
        self._states[request_id] = _Waiting(None, self._clock.now())

    def note(self, operation: str, request_id: str, state: TryAgain) -> None:
        """The request waits in this state."""
        before = self._states.get(request_id) or _Waiting(None, self._clock.now())
        if before.state != state:
            changed = before.state is not None and before.state.queue_state != state.queue_state
            since = self._clock.now() if changed else before.since
            self._states[request_id] = _Waiting(state, since)
            self._tell(state)
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
        """The wait for the request is over, however it ended."""
        waiting = self._states.pop(request_id, None)
        state = None if waiting is None else waiting.state
        if state is not None and state.queue_state is not QueueState.ACTIVE:
            self._tell(TryAgain(QueueState.ACTIVE))

    def _tell(self, state: TryAgain) -> None:
        if self._observer is not None:
            notify(
                self._observer.on_queue_state_change,
                state.queue_state,
                state.queue_state_reason,
                name="queue state observer",
            )
