"""The retry engine: tenacity runs the loop, `rules.retry` decides.

Clients with the same base URL and key share a pause, and a circuit breaker.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, NoReturn, TypeAlias, TypeVar

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
from tinker_ext.rules.circuit import Circuit, admit, is_outage, record
from tinker_ext.rules.limits import (
    RESTART_REQUESTS,
    RESTART_SECONDS,
    restart_backoff,
    restart_burst,
    restart_delay,
    restart_failures,
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
from tinker_ext.runtime.concurrency.tasks import LogThrottle
from tinker_ext.timeouts import REAL_CLOCK, Clock
from tinker_ext.tracing import log
from tinker_ext.transport.response import MalformedBodyError

T = TypeVar("T")

# Seconds without success after which a call logs a warning, once a minute and operation. Ours:
# longer than a short outage, shorter than a user waits without wondering.
WARN_AFTER = 10.0

_NEVER = float("-inf")  # As a point in time.

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


class PausedError(Exception):
    """The pause outlasts the time the caller may wait: `left` more seconds."""

    def __init__(self, left: float) -> None:
        super().__init__(left)
        self.left = left


class Pause:
    """Holds requests back until a point in time, then releases them at the rate of `rules.limits`.

    Attributes:
        status: the status code that caused the latest pause, 402 or 429.
    """

    def __init__(self, clock: Clock = REAL_CLOCK) -> None:
        self._clock = clock
        self._began = self._until = _NEVER
        self._is_released = True
        self._released = _NEVER
        # Since the latest release: requests that took a place in it, that started, and that the
        # server rejected.
        self._position = self._started = self._rejected = 0
        self._burst, self._failures = RESTART_REQUESTS, 0
        # Seconds from the end of the server's pause to `_until`, the begin of the restart.
        self._added = 0.0
        self.status = 429

    def extend(self, seconds: float, status: int) -> None:
        """Pause for `seconds` from now, unless the current pause lasts longer."""
        now = self._clock.now()
        self._rejected += 1
        if now >= self._until:
            self._began, self._is_released = now, False
        if now + seconds > self._until:
            self._until, self.status = now + seconds, status
            self._is_released, self._added = False, 0.0

    def start_now(self) -> bool:
        """Whether a request may start at once; it then counts as started."""
        if self._until != _NEVER and not self._is_over():
            return False
        self._started += 1
        return True

    def _is_over(self) -> bool:
        """Whether the latest pause and the restart after it are over."""
        paused = self._until - self._began
        over = self._clock.now() >= self._until + min(paused, RESTART_SECONDS)
        return self._is_released and over

    async def wait(self, timeout: float) -> None:
        """Wait for the end of the pause, then for this request's place in the restart.

        Raises:
            PausedError: the server's pause and the restart leave no place within `timeout` seconds.
                Raised at once.
        """
        deadline = self._clock.now() + timeout
        while True:
            start, is_place = self._next_start()
            now = self._clock.now()
            if start <= now:
                break
            if start - self._added > deadline:
                raise PausedError(start - now)
            until = self._until
            with tracing.stage(tracing.Stage.PAUSE):
                await self._clock.sleep(min(start, deadline) - now)
            # A new pause during the sleep holds this request back again.
            if self._until == until and (is_place or start > deadline):
                break
        self._started += 1

    def _next_start(self) -> tuple[float, bool]:
        """The end of the pause and False, or when the calling request starts and True.

        After the pause, each call takes the next place in the restart.
        """
        now = self._clock.now()
        if now >= self._until and not self._is_released:
            self._release(now)
        if now < self._until:
            return self._until, False
        if self._until == _NEVER or self._is_over():
            return _NEVER, True
        self._position += 1
        paused = self._until - self._began
        return self._until + restart_delay(self._position - 1, paused, self._burst), True

    def _release(self, now: float) -> None:
        """Adapt the restart to the share of requests that the server accepted after the last one.

        If it rejected many, the pause is extended.
        """
        paused = self._until - self._began
        if self._began - self._released > RESTART_SECONDS:
            self._burst, self._failures = RESTART_REQUESTS, 0
        elif self._started:
            self._burst = restart_burst(self._started, self._rejected)
            self._failures = restart_failures(self._failures, self._started, self._rejected, paused)
        until = now + restart_backoff(self._failures, paused, self._clock.jitter())
        self._added, self._until = until - self._until, until
        self._is_released, self._released = True, self._until
        self._position = self._started = self._rejected = 0


class _SharedCircuit:
    """The circuit of a base URL and key; on the event loop only."""

    def __init__(self) -> None:
        self.state = Circuit()
        self.last_failure = ""


class CircuitBreaker:
    """Applies `rules.circuit` to the requests of one client.

    Args:
        key: clients with the same key share a circuit.
        limit: failed attempts in a row at which the circuit opens.
        cooldown: seconds from an open circuit to a probe.
        clock: the source of time.
    """

    def __init__(
        self, key: Hashable, limit: int, cooldown: float, clock: Clock = REAL_CLOCK
    ) -> None:
        self._shared = _shared(_circuits, key, clock, _SharedCircuit)
        self._limit = limit
        self._cooldown = cooldown
        self._clock = clock

    def check(self, operation: str) -> None:
        """Admit a request, or raise CircuitOpenError."""
        shared = self._shared
        shared.state, left = admit(shared.state, self._clock.now(), self._cooldown)
        if left > 0:
            raise CircuitOpenError(
                f"not sent: {shared.state.failed} attempts in a row have failed, the last with: "
                f"{shared.last_failure}",
                retry_after=left,
                operation=operation,
            )

    def succeeded(self) -> None:
        """Record an attempt with a response of a working server."""
        self._record(False)

    def failed(self, failure: Failure, message: str) -> None:
        """Record a failed attempt."""
        outage = is_outage(failure, self._clock.wall())
        if outage is not None:
            self._shared.last_failure = message
            self._record(outage)

    def _record(self, failed: bool) -> None:
        shared = self._shared
        before = shared.state
        shared.state = record(before, failed, self._clock.now(), self._limit)
        if before.opened is None and shared.state.opened is not None:
            log.warning(
                "%d attempts in a row have failed, the last with: %s; requests fail at once, and "
                "one is tried every %g s",
                shared.state.failed,
                shared.last_failure,
                self._cooldown,
            )
        elif before.opened is not None and shared.state.opened is None:
            log.warning("the server responds again; requests are sent as usual")


S = TypeVar("S", Pause, _SharedCircuit)
_Shared: TypeAlias = weakref.WeakValueDictionary[tuple[Hashable, Clock], S]
_lock = threading.Lock()
_pauses: _Shared[Pause] = weakref.WeakValueDictionary()
_circuits: _Shared[_SharedCircuit] = weakref.WeakValueDictionary()


def _shared(objects: _Shared[S], key: Hashable, clock: Clock, create: Callable[[], S]) -> S:
    """The object that all clients of this process with the same key and clock share."""
    with _lock:
        shared = objects.get((key, clock))
        if shared is None:
            shared = objects[key, clock] = create()
        return shared


def shared_pause(key: Hashable, clock: Clock = REAL_CLOCK) -> Pause:
    """The pause shared by all clients of this process with the same `key`.

    A client's key is its base URL and API key.
    """
    return _shared(_pauses, key, clock, lambda: Pause(clock))
