"""Tasks that belong to nobody's call: begun by whoever comes first, ended with the client."""

from __future__ import annotations

import asyncio
from contextvars import Context
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


def create_detached_task(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Start work in a context of its own: no span or deadline of whoever asks belongs to it."""
    return asyncio.get_running_loop().create_task(work, context=Context())


def create_shared_task(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """As `start_apart`, for what several may wait for: all of them may leave before it fails."""
    task = create_detached_task(work)
    task.add_done_callback(retrieve_exception)
    return task


def has_failed(task: asyncio.Future[Any]) -> bool:
    """Whether it is over without a value."""
    return task.done() and (task.cancelled() or task.exception() is not None)


def retrieve_exception(task: asyncio.Future[Any]) -> None:
    """Nobody may be left to look at its error, of which asyncio would complain."""
    if not task.cancelled():
        task.exception()


async def cancel_and_wait(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel those that there are, and return when they are over and their callbacks have run.

    From Python 3.12 on, `gather` of tasks that are done returns without letting the loop run, and
    with it the callbacks that take a task out of the set its owner waits for. Hence the step.
    """
    begun = [task for task in tasks if task is not None]
    for task in begun:
        task.cancel()
    await asyncio.gather(*begun, return_exceptions=True)
    await asyncio.sleep(0)
