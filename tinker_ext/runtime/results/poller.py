"""Polls for the result of a submitted request, as `rules.polling` decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from attrs import frozen

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
    last_seen,
    poll_delay,
    should_poll_again,
)
from tinker_ext.rules.retry import TransportFault, parse_should_retry
from tinker_ext.runtime.concurrency.deadline import current_progress
from tinker_ext.timeouts import TimeLimited, time_limit
from tinker_ext.transport.response import ProtobufResult

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tinker_ext.rules.retry import RetryPolicy
    from tinker_ext.runtime.concurrency.budget import Budget
    from tinker_ext.runtime.concurrency.clock import Clock
    from tinker_ext.runtime.results.queue_log import QueueLog
    from tinker_ext.runtime.retry.retrying import Retrier


class Poll(Protocol):
    """Sends one `retrieve_future` request; `iteration` counts the polls before it.

    Unless `whole` is set, the server may respond with the size of a large result instead.
    """

    def __call__(
        self, request_id: str, *, operation: str, iteration: int, whole: bool
    ) -> Awaitable[Any]: ...


class CompletionSource(Protocol):
    """Reports completed requests, so that only those are polled (`batch_poller.BatchPoller`)."""

    async def completed(self, request_id: str, timeout: float) -> tuple[bool, int | None]:
        """Return when the request should be polled: whether it completed, its result's size."""

    def acknowledge(self, request_id: str) -> None:
        """Note that the request's result was fetched."""


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


@frozen
class FuturePoller:
    """Waits for the results of submitted requests, any number at the same time.

    Attributes:
        deadline: maximum seconds from submission to result, pauses included.
        policy: returns the retry policy of polls, which bounds how long they may keep failing.
        queue: is notified of every queue state.
        slots, result_bytes: budgets of polls, and of results that were announced with their size.
        alive: whether the server responds to other requests. If so, a poll that times out is not a
            failure: some servers hold a poll until the result is ready.
    """

    poll: Poll
    retrier: Retrier
    deadline: float
    policy: Callable[[], RetryPolicy]
    queue: QueueLog
    alive: Callable[[], bool]
    slots: Budget
    result_bytes: Budget

    async def wait(
        self, request_id: str, *, operation: str, source: CompletionSource | None = None
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
        _note_progress(operation, request_id, "submitted")
        self.queue.begin(request_id)
        limit = TimeLimited(time_limit(self.deadline))
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
            progress = current_progress.get()
            seen = None if progress is None else progress.last_seen
            raise self._deadline_exceeded(request_id, operation, seen) from None
        except RequestFailedError:
            _acknowledge(source, request_id)
            raise
        finally:
            for size in held:
                self.result_bytes.give(size)
            tracing.log_request_id.reset(logged)
            self.queue.done(request_id)
        _acknowledge(source, request_id)
        return body

    async def _poll_until_done(
        self, request_id: str, operation: str, held: list[int], source: CompletionSource | None
    ) -> Any:
        """`held` lists the bytes reserved for the result, to be given back when it has arrived."""
        clock = self.retrier.clock
        until = clock.now() + self.deadline
        streak = _Streak(clock)
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
            if not self.slots.take_now(1):
                await self.slots.take(1)
            try:
                started = clock.now()
                outcome, server_delay = await self._poll_once(
                    request_id, operation, iteration, announced, until - started
                )
                took = clock.now() - started
            finally:
                self.slots.give(1)
            if isinstance(outcome, Ready):
                return outcome.body
            consecutive, seconds = streak.add(outcome)
            window = self.policy().max_elapsed
            if not should_poll_again(outcome, consecutive, streak=seconds, window=window):
                raise _final_error(outcome, request_id, operation)
            self._note(outcome, request_id, operation)
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
        if not self.result_bytes.take_now(size):
            await self.result_bytes.take(size)
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
                body = await self.poll(
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
            return classify(200, body), None

        return await self.retrier.run(
            attempt,
            operation=operation,
            policy=lambda: self.policy().within(max(0.0, left)),
            fails_fast=False,  # The server has accepted the request.
        )

    def _note(self, outcome: PollOutcome, request_id: str, operation: str) -> None:
        if isinstance(outcome, TryAgain):
            self.queue.note(operation, request_id, outcome)
            tracing.polled(outcome.queue_state, outcome.queue_state_reason)
        _note_progress(operation, request_id, last_seen(outcome))
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


def _acknowledge(source: CompletionSource | None, request_id: str) -> None:
    if source is not None:
        source.acknowledge(request_id)


def _note_progress(operation: str, request_id: str, seen: str) -> None:
    progress = current_progress.get()
    if progress is not None:
        progress.operation, progress.request_id, progress.last_seen = operation, request_id, seen


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
