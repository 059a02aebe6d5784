"""The only retry engine: tenacity does the loop, `rules.retry` decides."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, TypeVar

import tenacity
from attrs import field, frozen
from opentelemetry import trace

from tinker_ext.errors import (
    APIConnectionError,
    APIError,
    APIStatusError,
)
from tinker_ext.rules.retry import Decision, Failure, RetryPolicy, TransportFault, decide
from tinker_ext.tracing import log

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tinker_ext.runtime.pause import Pause

T = TypeVar("T")


@frozen
class Retrier:
    """Runs attempts until one succeeds or the rules say stop.

    `clock`, `wall` and `jitter` are the loop's time, the time of day (for HTTP dates) and the
    randomness of the backoff; tests replace them.
    """

    pause: Pause
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    jitter: Callable[[], float] = random.random
    sleep: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep)

    async def run(
        self, attempt: Callable[[], Awaitable[T]], *, operation: str, policy: RetryPolicy
    ) -> T:
        """The value of the first attempt that succeeds.

        Raises:
            APIError: the last failure; it tells the attempts made and why there was no other.
        """
        # A fresh object per call: one AsyncRetrying shared by concurrent calls mixes their states.
        retrying = self._make_retrying(operation, policy)
        async for one in retrying:
            with one:
                await self.pause.wait()
                return await attempt()
        raise AssertionError("tenacity ended without a value or an error")

    def _make_retrying(self, operation: str, policy: RetryPolicy) -> tenacity.AsyncRetrying:
        started = self.clock()
        last: list[Decision] = []

        def should_retry(state: tenacity.RetryCallState) -> bool:
            error = state.outcome.exception() if state.outcome is not None else None
            if not isinstance(error, APIStatusError | APIConnectionError):
                return False
            elapsed = self.clock() - started
            decision = decide(
                _failure(error),
                policy=policy,
                attempt=state.attempt_number,
                elapsed=elapsed,
                now=self.wall(),
                jitter=self.jitter(),
            )
            if decision.shared and decision.retry:
                self.pause.extend(decision.delay)
            if decision.retry:
                _report(operation, state.attempt_number, error, decision)
                last[:] = [decision]
            else:
                error.gave_up(
                    reason=decision.reason, attempts=state.attempt_number, elapsed=elapsed
                )
            return decision.retry

        def wait(_: tenacity.RetryCallState) -> float:
            return last[0].delay

        return tenacity.AsyncRetrying(
            retry=should_retry,
            wait=wait,
            stop=tenacity.stop_never,  # The decision above is bounded by the policy's window.
            sleep=self.sleep,
            reraise=True,
        )


def _failure(error: APIStatusError | APIConnectionError) -> Failure:
    if isinstance(error, APIStatusError):
        return Failure(status=error.status_code, headers=error.headers, category=error.category)
    return Failure(fault=TransportFault(error.fault or TransportFault.CONNECT))


def _report(operation: str, attempt: int, error: APIError, decision: Decision) -> None:
    log.info(
        "%s: attempt %d failed (%s); again in %.2f s: %s",
        operation,
        attempt,
        type(error).__name__,
        decision.delay,
        decision.reason,
    )
    trace.get_current_span().add_event(
        "tinker.retry",
        {
            "tinker.attempt": attempt,
            "tinker.retry.delay": decision.delay,
            "tinker.retry.reason": decision.reason,
        },
    )
