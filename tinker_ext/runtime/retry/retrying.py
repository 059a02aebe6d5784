"""The only retry engine: tenacity does the loop, `rules.retry` decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import tenacity
from attrs import evolve, field, frozen

from tinker_ext import tracing
from tinker_ext.errors import (
    STATUS_ERRORS,
    APIConnectionError,
    APIError,
    APIStatusError,
    status_phrase,
)
from tinker_ext.rules.polling import SPARE_POLLS
from tinker_ext.rules.retry import Decision, Failure, RetryPolicy, TransportFault, decide
from tinker_ext.runtime.concurrency.clock import REAL_CLOCK, Clock
from tinker_ext.runtime.concurrency.log_throttle import LogThrottle
from tinker_ext.runtime.retry.pause import Pause, PausedError
from tinker_ext.tracing import log
from tinker_ext.transport.encoding import MalformedBodyError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

# Seconds after which a call without success is warned of, once a minute and operation. Ours: longer
# than a hiccup, shorter than anybody waits in silence.
WARN_AFTER = 10.0


class _Course:
    """How long a call has taken so far, and how much of that the process was running."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started = clock.now()
        self._suspended = self._before_attempt = clock.suspended()

    def begin_attempt(self) -> None:
        self._before_attempt = self._clock.suspended()

    def elapsed(self) -> float:
        """Seconds since the call began."""
        return self._clock.now() - self._started

    def awake(self) -> float:
        """Seconds since the call began in which the process was not suspended."""
        return self.elapsed() - (self._clock.suspended() - self._suspended)

    def resumed(self) -> bool:
        """Whether the process was suspended since the latest attempt began."""
        return self._clock.suspended() > self._before_attempt


@frozen
class Retrier:
    """Runs attempts until one succeeds or the rules say stop.

    Attributes:
        pause: shared by everybody with the same base URL and key.
        clock: its time, its waiting and the jitter of its backoff.
    """

    pause: Pause
    clock: Clock = REAL_CLOCK
    _throttle: LogThrottle = field(factory=LogThrottle)

    async def run(
        self, attempt: Callable[[], Awaitable[T]], *, operation: str, policy: RetryPolicy
    ) -> T:
        """The value of the first attempt that succeeds.

        Raises:
            APIError: the last failure; it tells the attempts made and why there was no other.
                RateLimitError or BillingError also where a shared pause outlasts the policy.
        """
        course = _Course(self.clock)
        # A fresh object per call: one AsyncRetrying shared by concurrent calls mixes their states.
        async for one in self._make_retrying(operation, policy, course):
            made = one.retry_state.attempt_number - 1
            await self._await_shared_pause(operation, policy, course, made)
            course.begin_attempt()
            with one:
                return await attempt()
        raise AssertionError("tenacity ended without a value or an error")

    async def _await_shared_pause(
        self, operation: str, policy: RetryPolicy, course: _Course, made: int
    ) -> None:
        status = self.pause.status
        elapsed = course.elapsed()
        left = max(0.0, policy.window(Failure(status=status)) - course.awake())
        try:
            await self.pause.wait(left)
        except PausedError as paused:
            raise _paused_too_long(operation, status, paused.left).gave_up(
                reason=f"the shared pause does not fit in {left:.1f} s",
                attempts=made,
                elapsed=elapsed,
            ) from None

    def _make_retrying(
        self, operation: str, policy: RetryPolicy, course: _Course
    ) -> tenacity.AsyncRetrying:
        last: list[Decision] = []
        unreadable = 0
        answered: str | None = None

        def should_retry(state: tenacity.RetryCallState) -> bool:
            nonlocal unreadable, answered
            error = state.outcome.exception() if state.outcome is not None else None
            unreadable = unreadable + 1 if isinstance(error, MalformedBodyError) else 0
            if not isinstance(error, APIStatusError | APIConnectionError | MalformedBodyError):
                return False
            elapsed = course.elapsed()
            decision = decide(
                _failure(error),
                policy=_policy_for(unreadable, state.attempt_number, policy),
                attempt=state.attempt_number,
                elapsed=course.awake(),
                now=self.clock.wall(),
                jitter=self.clock.jitter(),
                resumed=course.resumed(),
            )
            if isinstance(error, APIStatusError):
                answered = error.message
            if decision.retry:
                self._share(error, decision)
                _report(operation, state.attempt_number, error, decision)
                if elapsed + decision.delay >= WARN_AFTER and self._throttle.should_log(operation):
                    _warn(operation, state.attempt_number, error, elapsed, decision.delay)
                last[:] = [decision]
            else:
                error.gave_up(
                    reason=decision.reason,
                    attempts=state.attempt_number,
                    elapsed=elapsed,
                    previous_response=answered if isinstance(error, APIConnectionError) else None,
                )
                _report_end(error, decision, state.attempt_number)
            return decision.retry

        def wait(_: tenacity.RetryCallState) -> float:
            return last[0].delay

        async def sleep(seconds: float) -> None:
            with tracing.stage(tracing.Stage.PAUSE, {tracing.RETRY_REASON: last[0].reason}):
                await self.clock.sleep(seconds)

        return tenacity.AsyncRetrying(
            retry=should_retry,
            wait=wait,
            stop=tenacity.stop_never,  # The decision above is bounded by the policy's window.
            sleep=sleep,
            reraise=True,
        )

    def _share(self, error: APIError, decision: Decision) -> None:
        """Let a pause that concerns everybody reach everybody."""
        if not (decision.shared and isinstance(error, APIStatusError)):
            return
        self.pause.extend(decision.delay, error.status_code)
        if error.status_code == 402 and self._throttle.should_log(402):
            log.warning(
                "the account can't pay (%s): all requests with this key are paused, "
                "one tries again every %.0f s",
                error.message,
                decision.delay,
            )


def _failure(error: APIStatusError | APIConnectionError | MalformedBodyError) -> Failure:
    if isinstance(error, APIStatusError):
        return Failure(status=error.status_code, headers=error.headers, category=error.category)
    if isinstance(error, APIConnectionError):
        return Failure(fault=TransportFault(error.fault or TransportFault.CONNECT))
    return Failure(fault=TransportFault.PROTOCOL)


def _policy_for(unreadable: int, attempt: int, policy: RetryPolicy) -> RetryPolicy:
    """Unreadable successes in a row are put down to something between a few times, as polls are."""
    return evolve(policy, max_attempts=attempt) if unreadable > SPARE_POLLS else policy


def _paused_too_long(operation: str, status: int, left: float) -> APIStatusError:
    kind = STATUS_ERRORS.get(status, APIStatusError)
    return kind(
        f"not sent: the server has paused all requests with this key ({status_phrase(status)}) "
        f"for {left:.1f} s more",
        status_code=status,
        retry_after=left,
        operation=operation,
    )


def _report(operation: str, attempt: int, error: APIError, decision: Decision) -> None:
    log.info(
        "%s: attempt %d failed (%s); again in %.2f s: %s",
        operation,
        attempt,
        type(error).__name__,
        decision.delay,
        decision.reason,
    )
    tracing.retrying(attempt, decision.delay, decision.reason, error)


def _warn(operation: str, attempt: int, error: APIError, elapsed: float, delay: float) -> None:
    log.warning(
        "%s: no success in %.0f s; attempt %d failed, again in %.2f s: %s",
        operation,
        elapsed,
        attempt,
        delay,
        error.message,
    )


def _report_end(error: APIError, decision: Decision, attempts: int) -> None:
    tracing.gave_up(attempts, decision.reason, error)
