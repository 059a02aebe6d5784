"""The retry engine: tenacity runs the loop, `rules.retry` decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, TypeVar

import tenacity
from attrs import evolve, field, frozen
from tenacity.stop import stop_base
from tenacity.wait import wait_base

from tinker_ext import tracing
from tinker_ext.errors import (
    STATUS_ERRORS,
    APIConnectionError,
    APIStatusError,
    CircuitOpenError,
    status_phrase,
)
from tinker_ext.rules.polling import MAX_MALFORMED
from tinker_ext.rules.retry import (
    IMMEDIATE,
    Decision,
    Failure,
    RetryPolicy,
    TransportFault,
    decide,
    parse_should_retry,
)
from tinker_ext.runtime.concurrency.clock import REAL_CLOCK, Clock
from tinker_ext.runtime.concurrency.log_throttle import LogThrottle
from tinker_ext.runtime.retry.circuit_breaker import CircuitBreaker
from tinker_ext.runtime.retry.pause import Pause, PausedError
from tinker_ext.tracing import log
from tinker_ext.transport.response import MalformedBodyError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

# Seconds without success after which a call logs a warning, once a minute and operation. Ours:
# longer than a short outage, shorter than a user waits without wondering.
WARN_AFTER = 10.0

_RetryableError: TypeAlias = APIStatusError | APIConnectionError | MalformedBodyError
# The errors that `rules.retry` judges; any other error ends the call.
_RETRYABLE_ERRORS = (APIStatusError, APIConnectionError, MalformedBodyError)
_IS_RETRYABLE = tenacity.retry_if_exception_type(
    _RETRYABLE_ERRORS
) & tenacity.retry_if_not_exception_type(CircuitOpenError)


@frozen
class Retrier:
    """Runs attempts until one succeeds or the retry rules stop.

    Attributes:
        pause: shared by all clients with the same base URL and key.
        clock: the source of time, sleep and backoff jitter.
        breaker: None to send requests while the server is down.
    """

    pause: Pause
    clock: Clock = REAL_CLOCK
    breaker: CircuitBreaker | None = None
    throttle: LogThrottle = field(factory=LogThrottle)

    async def run(
        self,
        attempt: Callable[[], Coroutine[Any, Any, T]],
        *,
        operation: str,
        policy: Callable[[], RetryPolicy],
        fails_fast: bool = True,
    ) -> T:
        """Call the coroutine function `attempt` until it succeeds, and return its value.

        tenacity takes over after the first failure, or if a shared pause holds the first attempt.
        Unless `fails_fast` is set, attempts are made while the circuit breaker is open.

        Raises:
            CircuitOpenError: the circuit breaker is open.
            APIError: the last failure, with the number of attempts and the reason to stop.
                RateLimitError or BillingError also if a shared pause outlasts the policy's window.
        """
        started, suspended = self.clock.now(), self.clock.suspended()
        first_error = None
        if self.breaker is not None:
            attempt = _guarded(attempt, self.breaker, operation if fails_fast else None)
        if self.pause.start_now():
            try:
                return await attempt()
            except CircuitOpenError:
                raise
            except _RETRYABLE_ERRORS as error:
                first_error = error
        call = _Call(self, operation, policy(), started, suspended, first_error)
        # A fresh object per call: one AsyncRetrying shared by concurrent calls mixes their states.
        retrying = tenacity.AsyncRetrying(
            before=call.await_shared_pause,
            retry=_IS_RETRYABLE,
            after=call.decide,
            wait=_DecidedWait(call),
            stop=_DecidedStop(call),
            before_sleep=call.announce_retry,
            sleep=call.sleep,
            retry_error_callback=call.give_up,
        )
        value: T = await retrying(call.resume, attempt)
        return value


@frozen
class _DecidedWait(wait_base):
    """Waits for the delay of the call's latest decision."""

    call: _Call

    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        return self.call.decision.delay


@frozen
class _DecidedStop(stop_base):
    """Stops if the call's latest decision is not to retry."""

    call: _Call

    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        return not self.call.decision.retry


class _Call:
    """One call with all its attempts: tenacity's hooks and the state they share.

    Attributes:
        decision: what `rules.retry` decided after the latest failed attempt.
    """

    decision: Decision

    def __init__(
        self,
        retrier: Retrier,
        operation: str,
        policy: RetryPolicy,
        started: float,
        suspended: float,
        first_error: _RetryableError | None,
    ) -> None:
        self._retrier = retrier
        self._operation = operation
        self._policy = policy
        self._clock = retrier.clock
        self._started = started
        self._suspended = self._suspended_before_attempt = suspended
        self._first_error = first_error
        self._malformed_in_a_row = 0
        self._last_response: str | None = None
        self._attempt_started = self._started
        self._immediate_error: tuple[int, object] | None = None
        self._identical = 0

    async def resume(self, attempt: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The next attempt; the first one has been made if it failed."""
        error, self._first_error = self._first_error, None
        if error is not None:
            raise error
        return await attempt()

    async def await_shared_pause(self, state: tenacity.RetryCallState) -> None:
        """Wait before an attempt until the shared pause lets it start."""
        if self._first_error is not None:
            return
        pause = self._retrier.pause
        status, elapsed = pause.status, self._elapsed()
        left = max(0.0, self._policy.window(Failure(status=status)) - self._running_time())
        try:
            await pause.wait(left)
        except PausedError as paused:
            raise _paused_too_long(self._operation, status, paused.left).gave_up(
                reason=f"the shared pause does not fit in {left:.1f} s",
                attempts=state.attempt_number - 1,
                elapsed=elapsed,
            ) from None
        self._suspended_before_attempt = self._clock.suspended()
        self._attempt_started = self._clock.now()

    def decide(self, state: tenacity.RetryCallState) -> None:
        """Decide what follows a failed attempt."""
        error = _error(state)
        malformed = isinstance(error, MalformedBodyError)
        self._malformed_in_a_row = self._malformed_in_a_row + 1 if malformed else 0
        if isinstance(error, APIStatusError):
            self._last_response = error.message
        self.decision = decide(
            evolve(_failure(error), identical=self._count_identical(error)),
            policy=self._policy_after(state.attempt_number),
            attempt=state.attempt_number,
            elapsed=self._running_time(),
            now=self._clock.wall(),
            jitter=self._clock.jitter(),
            resumed=self._clock.suspended() > self._suspended_before_attempt,
        )

    def _count_identical(self, error: _RetryableError) -> int:
        """The number of attempts in a row, with this one, that got the same response at once."""
        took = self._clock.now() - self._attempt_started
        if not isinstance(error, APIStatusError) or took > IMMEDIATE:
            self._immediate_error, self._identical = None, 0
            return 0
        response = (error.status_code, error.body)
        self._identical = self._identical + 1 if response == self._immediate_error else 1
        self._immediate_error = response
        return self._identical

    def announce_retry(self, state: tenacity.RetryCallState) -> None:
        """Extend the shared pause and log the retry."""
        error, delay, reason = _error(state), self.decision.delay, self.decision.reason
        attempt, elapsed = state.attempt_number, self._elapsed()
        self._extend_shared_pause(error)
        log.info(
            "%s: attempt %d failed (%s); retrying in %.2f s: %s",
            self._operation,
            attempt,
            type(error).__name__,
            delay,
            reason,
        )
        tracing.retrying(attempt, delay, reason, error)
        if elapsed + delay >= WARN_AFTER and self._retrier.throttle.should_log(self._operation):
            log.warning(
                "%s: no success in %.0f s; attempt %d failed, retrying in %.2f s: %s",
                self._operation,
                elapsed,
                attempt,
                delay,
                error.message,
            )

    async def sleep(self, seconds: float) -> None:
        """Sleep between two attempts, recorded as a pause."""
        with tracing.stage(tracing.Stage.PAUSE, {tracing.RETRY_REASON: self.decision.reason}):
            await self._clock.sleep(seconds)

    def give_up(self, state: tenacity.RetryCallState) -> NoReturn:
        """Raise the last failure, with the reason to stop."""
        error, reason, attempts = _error(state), self.decision.reason, state.attempt_number
        error.gave_up(
            reason=reason,
            attempts=attempts,
            elapsed=self._elapsed(),
            previous_response=self._last_response
            if isinstance(error, APIConnectionError)
            else None,
        )
        tracing.gave_up(attempts, reason, error)
        raise error

    def _elapsed(self) -> float:
        """Seconds since the call began."""
        return self._clock.now() - self._started

    def _running_time(self) -> float:
        """Seconds since the call began, without those in which the process was suspended."""
        return self._elapsed() - (self._clock.suspended() - self._suspended)

    def _policy_after(self, attempt: int) -> RetryPolicy:
        """The call's policy, limited to this attempt after too many malformed successes in a row.

        A few are tolerated as a proxy's doing, as for polls.
        """
        if self._malformed_in_a_row > MAX_MALFORMED:
            return evolve(self._policy, max_attempts=attempt)
        return self._policy

    def _extend_shared_pause(self, error: _RetryableError) -> None:
        if not (self.decision.shared and isinstance(error, APIStatusError)):
            return
        self._retrier.pause.extend(self.decision.delay, error.status_code)
        if error.status_code == 402 and self._retrier.throttle.should_log(402):
            log.warning(
                "payment required (%s): all requests with this key are paused, "
                "retrying every %.0f s",
                error.message,
                self.decision.delay,
            )


def _guarded(
    attempt: Callable[[], Coroutine[Any, Any, T]], breaker: CircuitBreaker, operation: str | None
) -> Callable[[], Coroutine[Any, Any, T]]:
    """Record each attempt with the breaker, which admits it first unless `operation` is None."""

    async def guarded() -> T:
        if operation is not None:
            breaker.check(operation)
        try:
            value = await attempt()
        except _RETRYABLE_ERRORS as error:
            breaker.failed(_failure(error), error.message)
            raise
        breaker.succeeded()
        return value

    return guarded


def _error(state: tenacity.RetryCallState) -> _RetryableError:
    error = None if state.outcome is None else state.outcome.exception()
    assert isinstance(error, _RetryableError)
    return error


def _failure(error: _RetryableError) -> Failure:
    if isinstance(error, APIStatusError):
        return Failure(
            status=error.status_code,
            category=error.category,
            retry_after=error.retry_after,
            should_retry=parse_should_retry(error.headers),
        )
    if isinstance(error, APIConnectionError):
        return Failure(fault=TransportFault(error.fault or TransportFault.CONNECT))
    return Failure(fault=TransportFault.PROTOCOL)


def _paused_too_long(operation: str, status: int, left: float) -> APIStatusError:
    error_type = STATUS_ERRORS.get(status, APIStatusError)
    return error_type(
        f"not sent: the server has paused all requests with this key ({status_phrase(status)}) "
        f"for another {left:.1f} s",
        status_code=status,
        retry_after=left,
        operation=operation,
    )
