"""What the server says about requests that wait: to the user's observer and to the log."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Protocol

from tinker_ext.rules.polling import QueueState, TryAgain, describe_queue
from tinker_ext.runtime.clock import REAL_CLOCK, Clock
from tinker_ext.runtime.seldom import Seldom
from tinker_ext.runtime.user_code import notify
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


def weakly(observer: SessionObserver | None) -> SessionObserver | None:
    """The observer for what goes on in the background.

    It may well own the client, which shall be collected together with it nevertheless.
    """
    try:
        return None if observer is None else weakref.proxy(observer)
    except TypeError:  # A class with slots and no __weakref__.
        return observer


class QueueLog:
    """Passes on changes of state, and says one line a minute and operation while work waits."""

    def __init__(
        self, observer: QueueStateObserver | None = None, clock: Clock = REAL_CLOCK
    ) -> None:
        self._observer = observer
        self._seldom = Seldom(clock=clock)
        self._states: dict[str, TryAgain] = {}

    def note(self, operation: str, request_id: str, state: TryAgain) -> None:
        """The request waits in this state."""
        if self._states.get(request_id) != state:
            self._states[request_id] = state
            self._tell(state)
        reason = describe_queue(state)
        if reason is not None and self._seldom.due(operation):
            log.warning("%s is waiting: %s", operation, reason)

    def done(self, request_id: str) -> None:
        """The wait for the request is over, however it ended."""
        state = self._states.pop(request_id, None)
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
