"""Polls for the result of a submitted request, as `rules.polling` decides; reports its state."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from typing import Any, Protocol

from attrs import define, field, frozen

from tinker_ext import tracing
from tinker_ext.errors import (
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    DeadlineExceededError,
    GoneError,
    RequestFailedError,
    SessionLostError,
)
from tinker_ext.protocol.error_responses import is_lost, restriction
from tinker_ext.redaction.redactor import LONGEST_ID
from tinker_ext.rules.polling import (
    LONG_RUNNING_INFO,
    LONG_RUNNING_WARNING,
    Failed,
    Gone,
    Malformed,
    MetadataOnly,
    PollOutcome,
    QueueState,
    Ready,
    Refused,
    Retry,
    TryAgain,
    classify,
    classify_success,
    describe_queue,
    last_seen,
    poll_delay,
    should_poll_again,
)
from tinker_ext.rules.retry import TransportFault, parse_should_retry
from tinker_ext.runtime.concurrency.tasks import LogThrottle
from tinker_ext.runtime.concurrency.user_code import notify
from tinker_ext.runtime.connection.connection import RETRIEVE, Connection
from tinker_ext.runtime.results.batch_poller import BatchPoller
from tinker_ext.timeouts import (
    REAL_CLOCK,
    Clock,
    TimeLimit,
    TimeLimited,
    current_progress,
    time_limit,
)
from tinker_ext.tracing import log
from tinker_ext.transport.response import ProtobufResult


class _Streak:
    """Consecutive outcomes of one class: how many, and for how long."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kind: type[PollOutcome] | None = None
        self._count = 0
        self._since = 0.0

    def add(self, outcome: PollOutcome) -> tuple[int, float]:
        """Count an outcome; return the streak's length, and its seconds without suspensions."""
        now = self._clock.now() - self._clock.suspended()
        if type(outcome) is not self._kind:
            self._kind, self._count, self._since = type(outcome), 0, now
        self._count += 1
        return self._count, now - self._since


@define
class FuturePoller:
    """Waits for the results of submitted requests, any number at the same time.

    Attributes:
        deadline: maximum seconds from submission to result, pauses included.
        queue: is notified of every queue state.
        alive: whether the server responds to other requests. If so, a poll that times out is not a
            failure: some servers hold a poll until the result is ready.
    """

    connection: Connection
    deadline: float
    queue: QueueLog
    alive: Callable[[], bool]
    _limit: TimeLimit | None = field(default=None, init=False)

    async def wait(
        self, request_id: str, *, operation: str, source: BatchPoller | None = None
    ) -> Any:
        """Return the result's body, as decoded JSON. With a `source`, polls when it reports it.

        Raises:
            RequestFailedError: the server executed the request, and it failed.
            SessionLostError: the server no longer knows the request's model or session.
            GoneError: the server no longer has the result (410).
            DeadlineExceededError: `deadline` seconds passed without a result.
            APIResponseValidationError: several malformed responses in a row.
            APIStatusError, APIConnectionError: polling failed, and retries did not help.
        """
        if len(request_id) > LONGEST_ID:
            raise APIResponseValidationError(
                f"the request id has {len(request_id)} characters, more than {LONGEST_ID}",
                operation=operation,
                request_id=request_id[:LONGEST_ID],
            )
        progress = current_progress.get()
        if progress is not None:
            progress.note(operation, request_id, "submitted")
        if self._limit is None:
            self._limit = time_limit(self.deadline)
        limit = TimeLimited(self._limit)
        held: list[int] = []
        logged = tracing.log_request_id.set(request_id)
        try:
            with limit:  # Also ends a poll that hangs or trickles.
                traced = tracing.observed_operation.get()
                if traced is None:
                    body = await self._poll_until_done(request_id, operation, held, source)
                else:
                    with tracing.on_server(traced, request_id):
                        body = await self._poll_until_done(request_id, operation, held, source)
        except TimeoutError:
            if not limit.expired:
                raise
            seen = None if progress is None else progress.last_seen
            raise self._deadline_exceeded(request_id, operation, seen) from None
        except RequestFailedError:
            if source is not None:
                source.acknowledge(request_id)
            raise
        finally:
            for size in held:
                self.connection.limits.result_bytes.give(size)
            tracing.log_request_id.reset(logged)
            if request_id in self.queue.waiting:
                self.queue.done(request_id)
        if source is not None:
            source.acknowledge(request_id)
        return body

    async def _poll_until_done(
        self, request_id: str, operation: str, held: list[int], source: BatchPoller | None
    ) -> Any:
        """`held` lists the bytes reserved for the result, to be given back when it has arrived."""
        clock, slots = self.connection.retrier.clock, self.connection.limits.polls
        submitted = clock.now()
        until = submitted + self.deadline
        streak: _Streak | None = None
        iteration = 0
        announced = False
        while True:
            if source is not None:
                completed, size = await source.completed(request_id, until - clock.now())
                if completed:
                    source = None
                if size:
                    announced = True
                    await self._hold(size, held)
            if not slots.take_now(1):
                await slots.take(1)
            try:
                started = clock.now()
                outcome, server_delay = await self._poll_once(
                    request_id, operation, iteration, announced, until - started
                )
                took = clock.now() - started
            finally:
                slots.give(1)
            if isinstance(outcome, Ready):
                return outcome.body
            streak = streak or _Streak(clock)
            consecutive, seconds = streak.add(outcome)
            window = self.connection.policy(RETRIEVE).max_elapsed
            if not should_poll_again(outcome, consecutive, streak=seconds, window=window):
                raise _final_error(outcome, request_id, operation)
            self._note(outcome, request_id, operation, submitted)
            if isinstance(outcome, MetadataOnly) and not announced:
                announced = True
                await self._hold(outcome.size, held)
            delay = poll_delay(
                outcome, consecutive, clock.jitter(), held=took, server_delay=server_delay
            )
            if clock.now() + delay >= until:
                raise self._deadline_exceeded(request_id, operation, last_seen(outcome))
            await clock.sleep(delay)
            iteration += 1

    async def _hold(self, size: int, held: list[int]) -> None:
        budget = self.connection.limits.result_bytes
        if not budget.take_now(size):
            await budget.take(size)
        held.append(size)

    def _deadline_exceeded(
        self, request_id: str, operation: str, seen: str | None
    ) -> DeadlineExceededError:
        return DeadlineExceededError(
            "no result",
            last_seen=seen,
            deadline=self.deadline,
            operation=operation,
            request_id=request_id,
        )

    async def _poll_once(
        self, request_id: str, operation: str, iteration: int, whole: bool, left: float
    ) -> tuple[PollOutcome, float | None]:
        """Poll until a response arrives; return its outcome and the delay its headers request.

        The retry engine repeats polls without a response.
        """

        async def attempt() -> tuple[PollOutcome, float | None]:
            try:
                body = await self.connection.poll(
                    request_id, operation=operation, iteration=iteration, whole=whole
                )
            except APIStatusError as error:
                outcome = classify(error.status_code, error.body)
                if _left_to_retry_engine(outcome, error):
                    error.operation, error.request_id = operation, request_id
                    raise
                return outcome, error.retry_after
            except APITimeoutError as error:
                if error.fault != TransportFault.TIMEOUT or not self.alive():
                    raise
                return TryAgain(QueueState.ACTIVE), None
            if isinstance(body, ProtobufResult):
                return Ready(body), None
            return classify_success(200, body), None

        return await self.connection.retrier.run(
            attempt,
            operation=operation,
            policy=lambda: self.connection.policy(RETRIEVE).within(max(0.0, left)),
            fails_fast=False,  # The server has accepted the request.
        )

    def _note(
        self, outcome: PollOutcome, request_id: str, operation: str, submitted: float
    ) -> None:
        if isinstance(outcome, TryAgain):
            self.queue.note(operation, request_id, outcome, submitted)
            tracing.polled(outcome.queue_state, outcome.queue_state_reason)
        progress = current_progress.get()
        if progress is not None:
            progress.note(operation, request_id, last_seen(outcome))
        if not isinstance(outcome, TryAgain):
            tracing.polled(last_seen(outcome))


def _left_to_retry_engine(outcome: PollOutcome, error: APIStatusError) -> bool:
    """Whether the retry engine decides what follows.

    It does if the response says nothing about the result, or if `x-should-retry` overrides the
    status code.
    """
    match parse_should_retry(error.headers):
        case True:
            return True
        case False if isinstance(outcome, TryAgain | Retry):
            return True
    return isinstance(outcome, Refused) or outcome == Retry(error.status_code)


def _final_error(outcome: PollOutcome, request_id: str, operation: str) -> Exception:
    match outcome:
        case Failed(message=message, category=category):
            failed = RequestFailedError(
                message, request_id=request_id, category=category, operation=operation
            )
            if is_lost(operation, message):
                lost = SessionLostError(message)
                lost.__cause__ = failed
                return lost
            failed.hint = restriction(operation, message) or ""
            return failed
        case Gone():
            return GoneError(
                "the server no longer has the result",
                status_code=410,
                operation=operation,
                request_id=request_id,
            )
        case Malformed(why=why):
            return APIResponseValidationError(why, operation=operation, request_id=request_id)
    return APIResponseValidationError(
        last_seen(outcome), operation=operation, request_id=request_id
    )


class QueueStateObserver(Protocol):
    """Is notified when a request's queue state changes, and with ACTIVE when the request is done.

    Called on the client's event loop thread, so it must return quickly; its exceptions are logged.
    """

    def on_queue_state_change(
        self, queue_state: QueueState, queue_state_reason: str | None
    ) -> None:
        """`queue_state_reason` is the server's message, None if it sent none."""


class SessionObserver(Protocol):
    """Is notified once when heartbeats keep failing or the server ends the session.

    Called on the client's event loop thread, so it must return quickly; its exceptions are logged.
    """

    def on_session_lost(self, error: SessionLostError) -> None:
        """`error` is the exception that the session's next call raises."""


def weak_proxy(observer: SessionObserver | None) -> SessionObserver | None:
    """A weak proxy of the observer, for background tasks.

    The observer may own the client; a strong reference would keep both from being collected.
    """
    try:
        return None if observer is None else weakref.proxy(observer)
    except TypeError:  # A class with slots and no __weakref__.
        return observer


@frozen
class _Waiting:
    """A request's queue state and the time it was entered."""

    state: TryAgain
    since: float


class QueueLog:
    """Notifies the observer of state changes, and logs at most one line per minute and operation.

    A paused queue is logged at once. A request in any other state is logged if it stays in it for
    long, once a minute for each log level.

    Attributes:
        waiting: the requests that have been polled without a result.
    """

    def __init__(
        self, observer: QueueStateObserver | None = None, clock: Clock = REAL_CLOCK
    ) -> None:
        self._observer = observer
        self._throttle = LogThrottle(clock=clock)
        self._clock = clock
        self.waiting: dict[str, _Waiting] = {}

    def note(self, operation: str, request_id: str, state: TryAgain, submitted: float) -> None:
        """Note the queue state of a waiting request, which was submitted at `submitted`."""
        last = self.waiting.get(request_id)
        if last is None or last.state != state:
            if last is None:
                since = submitted
            else:
                changed = last.state.queue_state != state.queue_state
                since = self._clock.now() if changed else last.since
            self.waiting[request_id] = _Waiting(state, since)
            self._notify(state)
        if state.queue_state in (QueueState.PAUSED_CAPACITY, QueueState.PAUSED_RATE_LIMIT):
            if self._throttle.should_log(operation):
                log.warning("%s is waiting: %s", operation, describe_queue(state))
        else:
            self._note_duration(
                operation, state, self._clock.now() - self.waiting[request_id].since
            )

    def _note_duration(self, operation: str, state: TryAgain, seconds: float) -> None:
        if seconds < LONG_RUNNING_INFO:
            return
        level = logging.WARNING if seconds >= LONG_RUNNING_WARNING else logging.INFO
        if self._throttle.should_log((operation, level)):
            log.log(
                level,
                "%s: no result in %.0f s; last seen: %s",
                operation,
                seconds,
                last_seen(state),
            )

    def done(self, request_id: str) -> None:
        """Note that the wait for a request in `waiting` ended, successfully or not."""
        state = self.waiting.pop(request_id).state
        if state.queue_state is not QueueState.ACTIVE:
            self._notify(TryAgain(QueueState.ACTIVE))

    def _notify(self, state: TryAgain) -> None:
        if self._observer is not None:
            notify(
                self._observer.on_queue_state_change,
                state.queue_state,
                state.queue_state_reason,
                name="queue state observer",
            )
