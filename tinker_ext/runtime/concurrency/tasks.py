"""Background tasks that belong to the client and not to a single call, and their log messages."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Hashable
from contextvars import Context
from typing import Any, TypeVar

from tinker_ext.rules.polling import QUEUE_LOG_INTERVAL
from tinker_ext.timeouts import REAL_CLOCK, Clock

T = TypeVar("T")


def create_detached_task(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Start a task in an empty context, without the span and deadline of the caller."""
    return asyncio.get_running_loop().create_task(work, context=Context())


def create_shared_task(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """As `create_detached_task`, for tasks with several waiters, all of which may be cancelled."""
    task = create_detached_task(work)
    task.add_done_callback(retrieve_exception)
    return task


def has_failed(task: asyncio.Future[Any]) -> bool:
    """Whether the task was cancelled or raised."""
    return task.done() and (task.cancelled() or task.exception() is not None)


def retrieve_exception(task: asyncio.Future[Any]) -> None:
    """Retrieve the exception so that asyncio does not log "exception was never retrieved"."""
    if not task.cancelled():
        task.exception()


async def cancel_and_wait(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel tasks, and return when they are done and their callbacks have run.

    From Python 3.12 on, `gather` of finished tasks returns without running the loop, so the
    callbacks that remove a task from its owner's set need one extra step.
    """
    started = [task for task in tasks if task is not None]
    for task in started:
        task.cancel()
    await asyncio.gather(*started, return_exceptions=True)
    await asyncio.sleep(0)


class LogThrottle:
    """Allows one log message per interval, separately for each subject."""

    def __init__(self, interval: float = QUEUE_LOG_INTERVAL, clock: Clock = REAL_CLOCK) -> None:
        self._interval = interval
        self._clock = clock
        self._last_logged: dict[Hashable, float] = {}

    def should_log(self, subject: Hashable) -> bool:
        """True at most once per interval and subject; a call that returns True counts as logged."""
        now = self._clock.now()
        last = self._last_logged.get(subject)
        if last is not None and now - last < self._interval:
            return False
        self._last_logged[subject] = now
        return True
