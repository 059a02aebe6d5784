"""Work that belongs on the user's thread: their own loss functions.

A custom loss may take a minute, hold locks or use thread-local state of its own, so it must not run
on the event loop, where it would stop the heartbeats. It runs on the thread that waits for a future
of the same training client: while `result()` or `await` has nothing to return yet, it takes such
work. A program that never waits (it polls `done()`, or asks for callbacks) gets a worker thread.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from tinker_ext.errors import TinkerError
from tinker_ext.runtime.concurrency.user_code import as_carried

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


class CallerExecutor:
    """A queue of functions waiting for a thread of the user's to run them, in order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: deque[Callable[[], None]] = deque()
        self._wake: set[Callable[[], None]] = set()
        self._allow_worker = False

    async def run(self, function: Callable[[], T]) -> T:
        """From the event loop: have a thread of the user's run `function`; wait for its value.

        Raises:
            CarriedError: it raised what the loop must not see; any other error comes as it is.
        """
        ended: Future[Callable[[], T]] = Future()

        def job() -> None:
            _run_into(ended, function)

        self._offer(job)
        return (await asyncio.wrap_future(ended))()

    def run_one(self) -> bool:
        """Run the next job on this thread; False when there is none."""
        with self._lock:
            if not self._jobs:
                return False
            job = self._jobs.popleft()
        job()
        return True

    def allow_worker_thread(self) -> None:
        """From now on a worker thread runs what nobody has come for."""
        with self._lock:
            self._allow_worker = True
            waiting = bool(self._jobs)
        if waiting:
            self._start_worker()

    @contextmanager
    def wake_on_work(self, wake: Callable[[], None]) -> Iterator[None]:
        """Have `wake` called, from any thread, whenever there is work."""
        with self._lock:
            self._wake.add(wake)
        try:
            yield
        finally:
            with self._lock:
                self._wake.discard(wake)

    def _offer(self, job: Callable[[], None]) -> None:
        with self._lock:
            self._jobs.append(job)
            batch_pollers = list(self._wake)
            unattended = self._allow_worker and not batch_pollers
        for wake in batch_pollers:
            wake()
        if unattended:
            self._start_worker()

    def _start_worker(self) -> None:
        def work() -> None:
            more = True
            while more:
                with suppress(BaseException):  # The job's future has it.
                    more = self.run_one()

        threading.Thread(target=work, name="tinker-ext-custom-loss", daemon=True).start()


def _run_into(ended: Future[Callable[[], T]], function: Callable[[], T]) -> None:
    """Run `function`, and let `ended` have what returns its value or raises its error."""
    if not ended.set_running_or_notify_cancel():
        return
    try:
        value = function()
    except BaseException as error:
        ended.set_result(partial(_raise, as_carried(error)))
        if not isinstance(error, Exception):
            raise  # Ctrl-C also ends the wait of the thread it arrived on.
    else:
        ended.set_result(lambda: value)


def _raise(error: Exception) -> NoReturn:
    raise error


def wait(outcome: Future[Any], work: CallerExecutor | None, timeout: float | None) -> None:
    """Block until `outcome` is done, running caller work meanwhile.

    Raises:
        TimeoutError: it was not done within `timeout` seconds; it goes on nevertheless.
    """
    changed = threading.Event()
    _wait_for_changes(outcome, changed.set)
    deadline = _Deadline(timeout)
    with (work or _NO_WORK).wake_on_work(changed.set):
        while not outcome.done():
            if work is not None and work.run_one():
                continue
            if not changed.wait(deadline.left()):
                raise TimeoutError(f"no result within {timeout} s")
            changed.clear()


async def wait_async(
    outcome: Future[Any], work: CallerExecutor | None, timeout: float | None
) -> None:
    """As `wait`, on the caller's event loop. Cancelling the wait leaves `outcome` alone.

    Raises:
        TinkerError: the event loop is not one of asyncio.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise TinkerError(
            "await needs a running asyncio event loop, and there is none here; under trio, write "
            "await trio.to_thread.run_sync(future.result)"
        ) from None
    changed = asyncio.Event()

    def wake() -> None:
        with suppress(RuntimeError):  # The loop that waited is closed; nobody is left to wake.
            loop.call_soon_threadsafe(changed.set)

    _wait_for_changes(outcome, wake)
    with (work or _NO_WORK).wake_on_work(wake):
        async with asyncio.timeout(timeout):
            while not outcome.done():
                if work is not None and work.run_one():
                    continue
                await changed.wait()
                changed.clear()


def _wait_for_changes(outcome: Future[Any], wake: Callable[[], None]) -> None:
    outcome.add_done_callback(lambda _: wake())


_NO_WORK = CallerExecutor()


class _Deadline:
    """Seconds left of a timeout; None for ever."""

    def __init__(self, timeout: float | None) -> None:
        self._at = None if timeout is None else monotonic() + timeout

    def left(self) -> float | None:
        return None if self._at is None else max(0.0, self._at - monotonic())
