"""Futures of the client's kind that are made from standard futures."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from tinker_ext.runtime.concurrency.futures import APIFuture
from tinker_ext.runtime.concurrency.task_future import TaskFuture

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")


class AwaitableConcurrentFuture(APIFuture[T]):
    """An `APIFuture` of the result of a standard future, for code that has one of these already.

    Programs create it in tests, and to return their own work in the form of this client's methods.
    Cancelling it cancels the standard future; a cancelled `await` does not.

    Example:
        >>> future = AwaitableConcurrentFuture(executor.submit(compute))
        >>> await future
    """

    def __init__(self, future: Future[T]) -> None:
        outcome: TaskFuture[T] = TaskFuture()
        super().__init__(outcome, _same)
        self._source = future
        future.add_done_callback(lambda source: _copy_outcome(source, outcome))

    def future(self) -> Future[T]:
        """The standard future that it was made from."""
        return self._source

    def cancel(self) -> bool:
        """Cancel the standard future; False if it is already done or running."""
        return self._source.cancel()


def _same(value: T) -> T:
    return value


def _copy_outcome(source: Future[T], outcome: TaskFuture[T]) -> None:
    if source.cancelled():
        outcome.cancel()
        outcome.set_running_or_notify_cancel()
    elif (error := source.exception()) is not None:
        outcome.set_exception(error)
    else:
        outcome.set_result(source.result())
