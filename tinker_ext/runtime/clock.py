"""Time and chance, as the runtime sees them: one object that tests replace."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@frozen(eq=False)
class Clock:
    """Seconds that only grow, the time of day (for HTTP dates), waiting, and jitter in [0, 1)."""

    now: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random


REAL_CLOCK = Clock()
