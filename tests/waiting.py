"""Waits for effects of other threads and processes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from tinker_ext.runtime.concurrency.loop import background_loop


def comes_true(condition: Callable[[], object], within: float = 20.0) -> bool:
    """Wait until the condition is true; return False if it is not within `within` seconds."""
    until = time.monotonic() + within
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def tasks() -> set[asyncio.Task[Any]]:
    """The tasks of the background loop that are not done."""
    result: Future[set[asyncio.Task[Any]]] = Future()
    background_loop().call_soon(lambda: result.set_result(asyncio.all_tasks()))
    return result.result(10)
