"""Says in the log why the server lets requests wait, at most once a minute."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tinker_ext.rules.polling import QUEUE_LOG_INTERVAL, TryAgain, describe_queue
from tinker_ext.tracing import log

if TYPE_CHECKING:
    from collections.abc import Callable


class QueueLog:
    """One line a minute and operation while the queue is anything but active."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said: dict[str, float] = {}

    def note(self, operation: str, request_id: str, state: TryAgain) -> None:
        reason = describe_queue(state)
        if reason is None:
            return
        now = self._clock()
        said = self._said.get(operation)
        if said is not None and now - said < QUEUE_LOG_INTERVAL:
            return
        self._said[operation] = now
        log.warning("%s: request %s is waiting: %s", operation, request_id, reason)
