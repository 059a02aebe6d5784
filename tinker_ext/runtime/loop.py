"""One daemon thread with one event loop, shared by every client of the process."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from tinker_ext.errors import ClientClosedError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


class BackgroundLoop:
    """Runs coroutines on its own thread, whoever asks.

    The thread is a daemon: it never keeps the interpreter alive.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="tinker-ext-loop", daemon=True)
        self._thread.start()

    def submit(
        self,
        coroutine: Coroutine[Any, Any, T],
        *,
        finally_: Callable[[], None] | None = None,
        tasks: set[asyncio.Task[Any]] | None = None,
    ) -> concurrent.futures.Future[T]:
        """Start `coroutine` on the loop and return the future of its outcome, from any thread.

        `finally_` is called on the loop when the task has ended, and also when it was cancelled
        before its first step, where no `finally` of its own would run. Cancelling the returned
        future cancels the task. `tasks` holds the task while it runs; on the loop only.
        """
        outcome: concurrent.futures.Future[T] = concurrent.futures.Future()

        def start() -> None:
            task = self._loop.create_task(coroutine)
            if tasks is not None:
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            if finally_ is not None:
                task.add_done_callback(lambda _: finally_())
            task.add_done_callback(lambda done: _hand_over(done, outcome))
            outcome.add_done_callback(cancel_task_of(task))

        def cancel_task_of(task: asyncio.Task[T]) -> Callable[[object], None]:
            def cancel(_: object) -> None:
                if outcome.cancelled():
                    self.call_soon(task.cancel)

            return cancel

        self.call_soon(start)
        return outcome

    def call_soon(self, function: Callable[..., object], *args: object) -> None:
        """Call `function` on the loop, from any thread."""
        self._loop.call_soon_threadsafe(function, *args)

    def is_current(self) -> bool:
        """Whether the caller is on the loop's own thread, where waiting would wait for ever."""
        return threading.get_ident() == self._thread.ident

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()


def _hand_over(task: asyncio.Task[T], outcome: concurrent.futures.Future[T]) -> None:
    """Copy the outcome of a task; the user may have cancelled the future in the meantime."""
    # A task that was cancelled while its future was not is one that a closing client gave up.
    error = (
        ClientClosedError("the client was closed while this request was under way")
        if task.cancelled()
        else task.exception()
    )
    if not outcome.set_running_or_notify_cancel():
        return  # The user cancelled it.
    if error is not None:
        outcome.set_exception(error)
    else:
        outcome.set_result(task.result())


_lock = threading.Lock()
_current: BackgroundLoop | None = None


def background_loop() -> BackgroundLoop:
    """The loop of this process, started on first use."""
    global _current
    with _lock:
        if _current is None:
            _current = BackgroundLoop()
        return _current


def _forget_after_fork() -> None:
    """Threads don't survive a fork: the child starts a loop of its own when it needs one."""
    global _current, _lock
    _current, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
