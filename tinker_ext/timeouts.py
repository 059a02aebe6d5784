"""Timeouts whose timers do not keep the caller's context alive."""

from __future__ import annotations

import asyncio
from contextvars import Context


def expire_after(timeout: asyncio.Timeout, seconds: float) -> None:
    """Let an entered `asyncio.timeout(None)` expire after `seconds`.

    An event loop keeps cancelled timers for a while, and each keeps the context it was created
    in: the span, the progress and the request of a call that ended long ago. This timer has an
    empty context.
    """
    Context().run(timeout.reschedule, asyncio.get_running_loop().time() + seconds)
