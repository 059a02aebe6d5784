"""Runs the user's loss functions on the user's threads.

A custom loss may take a minute, hold locks or use thread-local state, so it must not run on the
event loop, where it would block the heartbeats. It runs on a thread that waits for a future of the
same training client: `result()` and `await` run such functions until their result is ready. For a
program that never waits (it polls `done()` or adds callbacks), a worker thread runs them.

Operations of a model run in the order of their calls, so a later one has no result before the
function has returned. The function must not wait for such a result: that raises an error.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, NoReturn, TypeVar

from tinker_ext.errors import TinkerError
from tinker_ext.runtime.concurrency.loop import TaskFuture, background_loop, calls_of
from tinker_ext.runtime.concurrency.user_code import as_carried
from tinker_ext.timeouts import seconds_until
from tinker_ext.tracing import log

T = TypeVar("T")

_NOT_STARTED = "has waited for a thread that calls result() or awaits the future"


# Seconds after which a function that has not returned is logged, and again. Ours: as for a request
# that the server keeps active.
REPORT_INTERVAL = 60.0


class CallerExecutor:
    """A queue of functions that the user's threads run in order."""

    def __init__(self, report_interval: float = REPORT_INTERVAL) -> None:
        self._report_interval = report_interval
        self._lock = threading.Lock()
        # The position of the operation whose function a thread runs, by the thread's id.
        self._running: dict[int, int] = {}
        self._jobs: deque[Callable[[], None]] = deque()
        self._wake: set[Callable[[], None]] = set()
        self._allow_worker = False

    async def run(self, function: Callable[[], T], position: int) -> T:
        """Have a thread of the user's run `function`; return its value to the event loop.

        `position` is that of the operation in the order of the model's calls.

        Raises:
            CarriedError: `function` raised an exception that asyncio would act on. Any other
                exception is raised unchanged.
        """
        outcome: Future[Callable[[], T]] = Future()

        def job() -> None:
            thread = threading.get_ident()
            self._running[thread] = position
            try:
                _run_into(outcome, function)
            finally:
                del self._running[thread]

        self._submit(job)
        waiting, seconds = asyncio.wrap_future(outcome), 0.0
        try:
            while not (await asyncio.wait([waiting], timeout=self._report_interval))[0]:
                seconds += self._report_interval
                log.warning(
                    "a custom loss %s for %g s; later operations of its model wait for it",
                    "has been running" if outcome.running() else _NOT_STARTED,
                    seconds,
                )
        finally:
            waiting.cancel()
        return waiting.result()()

    def check_may_wait(self, position: int | None) -> None:
        """Check that this thread may wait for the operation at `position`.

        Raises:
            TinkerError: the thread runs the function of this operation or of an earlier one.
        """
        running = self._running.get(threading.get_ident())
        if running is not None and position is not None and position >= running:
            raise TinkerError(
                "a custom loss waits for its own result, or for a later operation of its model, "
                "which would deadlock: the model's operations run in the order of the calls; wait "
                "after the loss has returned"
            )

    def run_one(self) -> bool:
        """Run the next job on this thread; False if the queue is empty."""
        try:
            job = self._jobs.popleft()
        except IndexError:
            return False
        job()
        return True

    def allow_worker_thread(self) -> None:
        """From now on, run jobs on a worker thread if no thread of the user's is waiting."""
        with self._lock:
            self._allow_worker = True
            has_jobs = bool(self._jobs)
        if has_jobs:
            self._start_worker()

    def add_waiter(self, wake: Callable[[], None]) -> None:
        """Call `wake`, from any thread, whenever a job is added."""
        with self._lock:
            self._wake.add(wake)

    def remove_waiter(self, wake: Callable[[], None]) -> None:
        with self._lock:
            self._wake.discard(wake)

    def _submit(self, job: Callable[[], None]) -> None:
        with self._lock:
            self._jobs.append(job)
            waiters = list(self._wake)
            needs_worker = self._allow_worker and not waiters
        for wake in waiters:
            wake()
        if needs_worker:
            self._start_worker()

    def _start_worker(self) -> None:
        def work() -> None:
            more = True
            while more:
                with suppress(BaseException):  # The job's future holds the error.
                    more = self.run_one()

        threading.Thread(target=work, name="tinker-ext-custom-loss", daemon=True).start()


def _run_into(outcome: Future[Callable[[], T]], function: Callable[[], T]) -> None:
    """Run `function`; complete `outcome` with a callable that returns its value or raises."""
    if not outcome.set_running_or_notify_cancel():
        return
    try:
        value = function()
    except BaseException as error:
        outcome.set_result(partial(_raise, as_carried(error)))
        if not isinstance(error, Exception):
            raise  # Ctrl-C also interrupts the wait of the thread that received it.
    else:
        outcome.set_result(lambda: value)


def _raise(error: Exception) -> NoReturn:
    raise error


def wait(outcome: TaskFuture[Any], work: CallerExecutor | None, timeout: float | None) -> None:
    """Block until `outcome` is done, and run the jobs of `work` meanwhile.

    Raises:
        TimeoutError: `outcome` was not done within `timeout` seconds; it is not cancelled.
        TinkerError: a job of `work` waits for an operation that waits for the job.
    """
    # A thread that waits for a condition of the future takes twice the time to wake.
    changes: SimpleQueue[object] = SimpleQueue()
    until = None if timeout is None else monotonic() + timeout
    loop = background_loop()

    def wake() -> None:
        changes.put(None)

    outcome.add_done_callback(lambda _: loop.wake(wake))
    if work is None:
        _next_change(changes, until, timeout)
        return
    work.check_may_wait(outcome.position)
    work.add_waiter(wake)
    try:
        while not outcome.done():
            if not work.run_one():
                _next_change(changes, until, timeout)
    finally:
        work.remove_waiter(wake)


def _next_change(changes: SimpleQueue[object], until: float | None, timeout: float | None) -> None:
    try:
        changes.get(timeout=seconds_until(until))
    except Empty:
        raise TimeoutError(f"no result within {timeout} s") from None


async def wait_async(
    outcome: TaskFuture[Any], work: CallerExecutor | None, timeout: float | None
) -> None:
    """As `wait`, on the caller's event loop. Cancelling the wait does not cancel `outcome`.

    Raises:
        TinkerError: no asyncio event loop is running, or as `wait`.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise TinkerError(
            "await requires a running asyncio event loop; under trio, use "
            "await trio.to_thread.run_sync(future.result)"
        ) from None
    if work is not None:
        work.check_may_wait(outcome.position)
    changed = asyncio.Event()
    calls = calls_of(loop)

    def wake(_: object = None) -> None:
        with suppress(RuntimeError):  # The waiting loop is closed.
            calls.add(changed.set)

    outcome.add_done_callback(wake)
    if work is None and timeout is None:
        await changed.wait()
        return
    if work is not None:
        work.add_waiter(wake)
    try:
        async with asyncio.timeout(timeout):
            while not outcome.done():
                if work is not None and work.run_one():
                    continue
                await changed.wait()
                changed.clear()
    finally:
        if work is not None:
            work.remove_waiter(wake)
