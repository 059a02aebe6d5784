"""A pause shared by everybody who shares a rate limit."""

from __future__ import annotations

import asyncio
import threading
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

# After a pause requests start one by one, this many seconds apart, so that they don't all come
# back in the same instant. Ours: 500 a second is more than one process sends in practice.
RESTART_SPACING = 0.002


class Pause:
    """Holds requests back until a moment in the event loop's time, then paces their restart."""

    def __init__(self) -> None:
        self._until = 0.0
        self._next_start = 0.0

    def extend(self, seconds: float) -> None:
        """Pause for `seconds` from now, unless a longer pause is already under way."""
        now = asyncio.get_running_loop().time()
        self._until = max(self._until, now + seconds)
        self._next_start = max(self._next_start, self._until)

    async def wait(self) -> float:
        """Wait while paused; the seconds waited."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        if self._next_start <= started:
            return 0.0
        while True:
            until = self._until
            start = self._next_start = max(self._next_start, until) + RESTART_SPACING
            await asyncio.sleep(start - loop.time())
            if self._until <= loop.time():  # Not extended while we slept.
                return loop.time() - started


_lock = threading.Lock()
_pauses: weakref.WeakValueDictionary[Hashable, Pause] = weakref.WeakValueDictionary()


def shared_pause(key: Hashable) -> Pause:
    """The pause of everybody in this process with the same key (base URL and API key)."""
    with _lock:
        pause = _pauses.get(key)
        if pause is None:
            pause = _pauses[key] = Pause()
        return pause
