"""The wait for a server that has not responded to any request: reported, and bounded."""

from __future__ import annotations

import asyncio
from contextvars import Context
from typing import TYPE_CHECKING, TypeVar

from tinker_ext.errors import APITimeoutError
from tinker_ext.rules.retry import TransportFault
from tinker_ext.tracing import log

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tinker_ext.runtime.concurrency.log_throttle import LogThrottle

T = TypeVar("T")

# Seconds without a response after which a warning is logged, as for a call without success; and the
# shortest wait, because a connection to a distant server alone takes a second.
REPORT_AFTER = 10.0
# Seconds for the last attempt, which starts when the retry window ends; its error says more.
GRACE = 1.0


class FirstContact:
    """Whether the server has responded to any request. On the event loop only.

    An attempt lasts up to a minute, so that the first calls to a server that accepts connections
    and never responds would report nothing for that long, and outlast their retry window.

    Attributes:
        made: the server has responded.
    """

    def __init__(self, throttle: LogThrottle) -> None:
        self.made = False
        self._throttle = throttle
        self._waiting: set[asyncio.Timeout] = set()

    def make(self) -> None:
        """Note a response: calls are no longer bounded."""
        self.made = True
        for limit in self._waiting:
            limit.reschedule(None)
        self._waiting.clear()

    async def within(self, window: float, operation: str, call: Awaitable[T]) -> T:
        """Await a call, for little more than `window` seconds if no response arrives.

        Raises:
            APITimeoutError: no response arrived.
        """
        window = max(window, REPORT_AFTER)
        loop = asyncio.get_running_loop()
        # In an empty context: a cancelled timer would keep that of the call alive.
        report = Context().run(loop.call_later, REPORT_AFTER, self._report, operation, window)
        limit = asyncio.timeout(None)
        try:
            async with limit:
                Context().run(limit.reschedule, loop.time() + window + GRACE)
                self._waiting.add(limit)
                return await call
        except TimeoutError:
            if not limit.expired():
                raise
            raise APITimeoutError(
                f"the server has not responded in {window:g} s",
                fault=TransportFault.TIMEOUT,
                operation=operation,
            ) from None
        finally:
            self._waiting.discard(limit)
            report.cancel()

    def _report(self, operation: str, window: float) -> None:
        if not self.made and self._throttle.should_log(operation):
            log.warning(
                "%s: the server has not responded in %.0f s; waiting for up to %.0f s",
                operation,
                REPORT_AFTER,
                window,
            )
