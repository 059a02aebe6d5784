"""Hands calls over to an event loop, many with one wake-up."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class CallQueue:
    """Calls functions on an event loop, from any thread, with one wake-up for all that are waiting.

    A wake-up is a system call during which another thread takes the interpreter lock.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._waiting: deque[tuple[Callable[..., object], tuple[object, ...]]] = deque()
        self._woken = False

    def add(self, function: Callable[..., object], *args: object) -> None:
        """Call `function` soon, after those added before.

        Raises:
            RuntimeError: the loop is closed or gone.
        """
        self._waiting.append((function, args))
        if not self._woken:
            self._woken = True
            loop = self._loop()
            try:
                if loop is None:
                    raise RuntimeError("the event loop is gone")
                loop.call_soon_threadsafe(self._call_all)
            except RuntimeError:
                self._woken = False
                self._waiting.clear()
                raise

    def _call_all(self) -> None:
        """Call the functions as the loop would, but all in one of its iterations."""
        self._woken = False  # First: a function added from now on needs another wake-up.
        while self._waiting:
            function, args = self._waiting.popleft()
            try:
                function(*args)
            except Exception as error:
                report = {"message": f"exception in {function}", "exception": error}
                asyncio.get_running_loop().call_exception_handler(report)
            except BaseException:  # It leaves `run_forever`; the others remain scheduled.
                self._woken = True
                asyncio.get_running_loop().call_soon(self._call_all)
                raise


_queues: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, CallQueue] = (
    weakref.WeakKeyDictionary()
)


def calls_of(loop: asyncio.AbstractEventLoop) -> CallQueue:
    """The queue of a loop of the caller; called on that loop."""
    queue = _queues.get(loop)
    if queue is None:
        queue = _queues[loop] = CallQueue(loop)
    return queue
