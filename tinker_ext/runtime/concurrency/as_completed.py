"""Iterates over many futures as they complete, and adapts standard futures to the client's kind."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Hashable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from tinker_ext.errors import DeadlineExceededError, InvalidInputError
from tinker_ext.runtime.concurrency.futures import APIFuture, waited
from tinker_ext.runtime.concurrency.loop import TaskFuture
from tinker_ext.timeouts import check_timeout, seconds_until

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


class NotYet:
    """No item is ready; `wake` is done when there may be one."""

    def __init__(self, wake: Future[None]) -> None:
        self.wake = wake


class CompletionQueue(Generic[K]):
    """The keys of futures, in the order in which the futures complete; safe to use from any thread.

    It holds no reference to the futures, so they can be garbage-collected with their owner.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: deque[K] = deque()
        self._wake: Future[None] | None = None

    def watch(self, future: APIFuture[Any], key: K) -> None:
        """Put `key` into the queue when `future` is done."""
        future.add_done_callback(lambda _: self._put(key))

    def _put(self, key: K) -> None:
        with self._lock:
            self._keys.append(key)
            wake, self._wake = self._wake, None
        if wake is not None and wake.set_running_or_notify_cancel():
            wake.set_result(None)

    def take(self) -> K | None:
        """The next key, or None if no other future is done yet."""
        with self._lock:
            return self._keys.popleft() if self._keys else None

    def not_yet(self) -> NotYet:
        """A wait for the next key. One thread may wait at a time."""
        with self._lock:
            wake: Future[None] = Future()
            if self._keys:
                wake.set_result(None)
            else:
                self._wake = wake
            return NotYet(wake)


class FutureIterator(Iterator[T], AsyncIterator[T]):
    """An iterator for both `for` and `async for`. One task or thread may use it at a time.

    A subclass implements `_advance`, and `_waiting_for` if a wait belongs to a request.
    """

    def _advance(self) -> T | NotYet:
        """The next item, or a wait after which this method should be called again.

        Raises:
            StopIteration: there are no more items.
        """
        raise NotImplementedError

    def _waiting_for(self) -> APIFuture[Any] | None:
        """The future to which traces assign the wait."""
        return None

    def _timeout(self) -> float | None:
        """Seconds left for the iteration; None without a limit."""
        return None

    def _interrupted(self) -> None:
        """Called when a wait is interrupted or cancelled."""

    def __next__(self) -> T:
        while True:
            step = self._advance()
            if not isinstance(step, NotYet):
                return step
            try:
                self._block(step.wake)
            except TimeoutError:
                raise self._timeout_error() from None
            except (KeyboardInterrupt, SystemExit):
                self._interrupted()
                raise

    async def __anext__(self) -> T:
        while True:
            try:
                step = self._advance()
            except StopIteration:
                raise StopAsyncIteration from None
            if not isinstance(step, NotYet):
                return step
            try:
                async with asyncio.timeout(self._timeout()):
                    await self._wait(step.wake)
            except TimeoutError:
                raise self._timeout_error() from None
            except asyncio.CancelledError:
                self._interrupted()
                raise

    def _block(self, wake: Future[None]) -> None:
        awaited = self._waiting_for()
        if awaited is None:
            wake.result(self._timeout())
            return
        with waited(awaited, blocking=True):
            wake.result(self._timeout())

    async def _wait(self, wake: Future[None]) -> None:
        awaited = self._waiting_for()
        if awaited is None:
            await asyncio.wrap_future(wake)
            return
        with waited(awaited, blocking=False):
            await asyncio.wrap_future(wake)

    def _timeout_error(self) -> DeadlineExceededError:
        return DeadlineExceededError("not all results are ready; the requests continue")


class _AsCompleted(FutureIterator[APIFuture[T]]):
    def __init__(self, futures: Iterable[APIFuture[T]], timeout: float | None) -> None:
        self._pending: dict[int, APIFuture[T]] = {}
        self._queue: CompletionQueue[int] = CompletionQueue()
        self._allowed = timeout
        self._until = None if timeout is None else time.monotonic() + check_timeout(timeout)
        for position, future in enumerate(futures):
            if not isinstance(future, APIFuture):
                raise InvalidInputError(
                    f"expected futures of this client, got {type(future).__name__}",
                    where=f"futures[{position}]",
                )
            if id(future) not in self._pending:
                self._pending[id(future)] = future
                self._queue.watch(future, id(future))

    def _advance(self) -> APIFuture[T] | NotYet:
        key = self._queue.take()
        if key is not None:
            return self._pending.pop(key)
        if not self._pending:
            raise StopIteration
        return self._queue.not_yet()

    def _waiting_for(self) -> APIFuture[T]:
        return next(iter(self._pending.values()))

    def _timeout(self) -> float | None:
        return seconds_until(self._until)

    def _timeout_error(self) -> DeadlineExceededError:
        return DeadlineExceededError(
            f"{len(self._pending)} futures are not done; their requests continue",
            deadline=self._allowed,
        )


def as_completed(
    futures: Iterable[APIFuture[T]], timeout: float | None = None
) -> FutureIterator[APIFuture[T]]:
    """Iterate over futures of this client in the order in which they complete.

    The items are the futures themselves, done, so `result()` of each returns or raises at once.
    The iterator works in `for` and in `async for`; the latter does not block the event loop. If it
    is abandoned, the requests continue.

    Args:
        futures: results of any methods of the clients; a future that occurs twice is returned once.
        timeout: seconds for all futures together.

    Raises:
        InvalidInputError: at once; one of them is not a future of this client, or `timeout` is not
            a number.
        DeadlineExceededError: while iterating; the timeout has passed.

    Example:
        >>> futures = {sampler.sample(prompt, 1, params): prompt for prompt in prompts}
        >>> for future in as_completed(futures):
        ...     print(futures[future], future.result().sequences[0].tokens)
    """
    return _AsCompleted(futures, timeout)


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
