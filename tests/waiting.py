"""Waiting for what other threads and processes bring about."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def comes_true(condition: Callable[[], bool], within: float = 20.0) -> bool:
    """Whether it does, within some seconds."""
    until = time.monotonic() + within
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True
