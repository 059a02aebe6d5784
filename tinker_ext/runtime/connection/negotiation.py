"""The first contact with a server: which requests it accepts, and how long it may not respond."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from contextvars import Context
from typing import Any, TypeVar

from tinker_ext import tracing
from tinker_ext.errors import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    TinkerError,
)
from tinker_ext.protocol.error_responses import no_such_operation
from tinker_ext.protocol.server_protocol import (
    BASELINE,
    DynamicFlags,
    Flags,
    ServerProtocol,
    at_least,
    from_client_config,
    release_of,
)
from tinker_ext.rules.retry import PROXY_STATUSES, TransportFault, parse_should_retry
from tinker_ext.runtime.concurrency import tasks
from tinker_ext.runtime.concurrency.tasks import LogThrottle
from tinker_ext.timeouts import REAL_CLOCK, Clock
from tinker_ext.tracing import log
from tinker_ext.transport import operations
from tinker_ext.transport.gateway import Gateway

T = TypeVar("T")

# Failed attempts after which the server is assumed to lack `client/config`; ours. Each is part
# of an attempt of some call, so they are spaced by the backoff of that call.
MAX_ATTEMPTS = 3
# Status codes that also pause the call: both are retried after the pause.
_PAUSING = frozenset({402, 429})
# Status codes of proxies and of transient errors, which say nothing about the server.
_TRANSIENT = PROXY_STATUSES | {408, 409, 425, 500}


class Negotiator:
    """Reads `client/config` once and shares the result with all concurrent calls.

    A server without `client/config` is assumed to accept the requests of release 0.4.1, until an
    error shows otherwise. `learn` receives the negotiated protocol. `on_flags` receives the flags
    of a server that has them, before any other request is sent.

    Attributes:
        done: no request for `client/config` is needed.
        has_responded: the server returned its `client/config`. If it is done without one, the
            server is assumed to lack it.
        refresh_at: when the dynamic flags should be read again, by the clock.
    """

    def __init__(
        self,
        learn: Callable[[ServerProtocol], None],
        on_flags: Callable[[Gateway, Flags], Awaitable[None]],
        clock: Clock = REAL_CLOCK,
    ) -> None:
        self._learn = learn
        self._on_flags = on_flags
        self._clock = clock
        self._requesting: asyncio.Task[None] | None = None
        self._attempts = 0
        self.refresh_at = math.inf
        self._required = False
        self.done = self.has_responded = False

    async def ensure(self, gateway: Gateway) -> None:
        """Request `client/config` unless that is done; a failed attempt is repeated by later calls.

        Raises:
            APIConnectionError, RateLimitError, BillingError: no other request would succeed either.
            APIError: after `require`, any transient error.
        """
        if self.done:
            return
        if self._requesting is None or self._requesting.done():
            self._requesting = tasks.create_shared_task(self._request(gateway))
        with tracing.stage(tracing.Stage.CONNECT):
            await asyncio.shield(self._requesting)

    async def _request(self, gateway: Gateway) -> None:
        try:
            config = await gateway.send(operations.get_client_config())
        except APIError as error:
            self._on_failure(error)
            return
        if not isinstance(config, Mapping):
            self._assume_baseline()
            return
        self.has_responded, self._required = True, False
        await self._on_flags(gateway, Flags.read(config))
        dynamic, supported = None, False
        if at_least(release_of(config), "0.25.0"):
            dynamic, supported = await _request_dynamic(gateway)
        self._finish(from_client_config(config, (dynamic or {}) if supported else None))

    def _on_failure(self, error: APIError) -> None:
        status, should_retry = None, None
        if isinstance(error, APIStatusError):
            status, should_retry = error.status_code, parse_should_retry(error.headers)
        unreachable = isinstance(error, APIConnectionError) and not isinstance(
            error, APITimeoutError
        )
        transient = status is None or status in _TRANSIENT or should_retry is True
        if unreachable or status in _PAUSING or (transient and self._required):
            raise error
        self._attempts += 1
        if not transient or self._attempts >= MAX_ATTEMPTS:
            self._assume_baseline()

    def _assume_baseline(self) -> None:
        if self._required:  # Assumed before; keep what was learned from errors since.
            self.done, self._required = True, False
        else:
            self._finish(BASELINE)

    def require(self) -> None:
        """Request `client/config` again before any other request, unless the server returned it.

        Used when a server assumed to lack `client/config` rejects the key the way a token-requiring
        server does.
        """
        if not self.has_responded:
            self.done, self._required = False, True

    def _finish(self, protocol: ServerProtocol) -> None:
        self.done = True
        if protocol.flags is not None and protocol.supports("get_client_dynamic_config"):
            self._schedule_refresh(protocol.dynamic)
        self._learn(protocol)

    def _schedule_refresh(self, dynamic: DynamicFlags) -> None:
        self.refresh_at = self._clock.now() + dynamic.refresh_seconds

    async def close(self) -> None:
        """Cancel a pending request."""
        await tasks.cancel_and_wait(self._requesting)

    async def refresh(self, gateway: Gateway, known: DynamicFlags) -> DynamicFlags:
        """The current dynamic flags, or the known ones if the server does not return them."""
        config, _ = await _request_dynamic(gateway)
        if config is not None:
            known = DynamicFlags.read(config)
        self._schedule_refresh(known)
        return known


async def _request_dynamic(gateway: Gateway) -> tuple[Mapping[str, Any] | None, bool]:
    """The dynamic flags, None if the request failed; and whether the server may support them.

    Errors are logged and not raised: the flags are requested again at the next refresh.
    """
    try:
        config = await gateway.send(operations.get_client_dynamic_config())
    except TinkerError as error:
        log.debug("the dynamic configuration could not be read: %s", error)
        missing = isinstance(error, APIStatusError) and no_such_operation(
            error.status_code, error.body
        )
        return None, not missing
    return config if isinstance(config, Mapping) else None, True


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
