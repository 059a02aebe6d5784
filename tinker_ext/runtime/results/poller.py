"""Fetches the result of a submitted request: the loop around `rules.polling`."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
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
)
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
from tinker_ext.timeouts import expire_after
from tinker_ext.transport.results import ProtobufResult

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tinker_ext.rules.retry import RetryPolicy
    from tinker_ext.runtime.concurrency.budget import Budget
    from tinker_ext.runtime.results.queue_log import QueueLog
    from tinker_ext.runtime.retry.retrying import Retrier


class Poll(Protocol):
    """One `retrieve_future` request; `iteration` counts the polls before it.

    Unless it is to be `whole`, a large result may be announced by its size.
    """

    def __call__(
        self, request_id: str, *, operation: str, iteration: int, whole: bool
    ) -> Awaitable[Any]: ...


class CompletionSource(Protocol):
    """Tells of requests that have ended, so that not each is polled for (`runtime.completions`)."""

    async def ended(self, request_id: str, within: float) -> tuple[bool, int | None]:
        """Return when the request is to be polled for: whether it ended, its result's size."""

    def acknowledge(self, request_id: str) -> None:
        """The request's end has been seen."""


@frozen
class FuturePoller:
    """Waits for results of submitted requests; any number may be waited for at once.

    Attributes:
        deadline: seconds for a whole wait, from the submission, pauses included.
        policy: tells for how long polls may go on failing before that is an error.
        queue: told whenever the server asks to wait.
        slots, result_bytes: budgets of polls, and of results that announced their size.
        alive: whether the server answers other requests. If so, a poll that it holds for longer
            than we let it is no failure: some servers hold them until the result is there.
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
        """The result's body, as decoded JSON. With `news` it is polled for once it is there.

        Raises:
            RequestFailedError: the server did the work and it failed.
            GoneError: the server no longer has the result (410).
            DeadlineExceededError: `deadline` seconds passed without a result.
            APIResponseValidationError: answers that are no result, several times in a row.
            APIStatusError, APIConnectionError: polling itself failed for good.
        """
        if len(request_id) > LONGEST_ID:
            raise APIResponseValidationError(
                f"the request id has {len(request_id)} characters, more than {LONGEST_ID}",
                operation=operation,
                request_id=request_id[:LONGEST_ID],
            )
        _note_progress(operation, request_id, "submitted")
        self.queue.begin(request_id)
        limit = asyncio.timeout(None)
        try:
            async with AsyncExitStack() as held, limit:
                expire_after(limit, self.deadline)  # Even while a poll hangs or trickles.
                held.enter_context(tracing.on_server(request_id))
                body = await self._poll_until_done(request_id, operation, held, source)
        except TimeoutError:
            if not limit.expired():
                raise
            progress = current_progress.get()
            seen = None if progress is None else progress.last_seen
            raise self._too_late(request_id, operation, seen) from None
        except RequestFailedError:
            _fetched(source, request_id)
            raise
        finally:
            self.queue.done(request_id)
        _fetched(source, request_id)
        return body

    async def _poll_until_done(
        self, request_id: str, operation: str, held: AsyncExitStack, source: CompletionSource | None
    ) -> Any:
        """`held` takes what is reserved until the result is there."""
        clock = self.retrier.clock
        until = clock.now() + self.deadline
        iteration = consecutive = 0
        kind: type[PollOutcome] | None = None
        announced = False
        while True:
            if source is not None:
                ended, size = await source.ended(request_id, until - clock.now())
                if ended:
                    source = None
                if size:
                    announced = True
                    await held.enter_async_context(self.result_bytes.reserve(size))
            async with self.slots.reserve(1):
                asked = clock.now()
                ask = partial(self.poll, request_id, operation=operation, iteration=iteration)
                outcome, wish = await self._ask(
                    partial(ask, whole=announced), request_id, operation, until - asked
                )
                took = clock.now() - asked
            if isinstance(outcome, Ready):
                return outcome.body
            consecutive = consecutive + 1 if type(outcome) is kind else 1
            kind = type(outcome)
            if not should_poll_again(outcome, consecutive):
                raise _final_error(outcome, request_id, operation)
            self._note(outcome, request_id, operation)
            if isinstance(outcome, MetadataOnly) and not announced:
                announced = True
                await held.enter_async_context(self.result_bytes.reserve(outcome.size))
            pause = poll_delay(outcome, consecutive, clock.jitter(), held=took, server_delay=wish)
            if clock.now() + pause >= until:
                raise self._too_late(request_id, operation, last_seen(outcome))
            await clock.sleep(pause)
            iteration += 1

    def _too_late(self, request_id: str, operation: str, seen: str | None) -> DeadlineExceededError:
        return DeadlineExceededError(
            "no result",
            last_seen=seen,
            deadline=self.deadline,
            operation=operation,
            request_id=request_id,
        )

    async def _ask(
        self, ask: Callable[[], Awaitable[Any]], request_id: str, operation: str, left: float
    ) -> tuple[PollOutcome, float | None]:
        """One poll that got through, and the pause its headers ask for.

        The retry engine sees to those that don't get through.
        """

        async def once() -> tuple[PollOutcome, float | None]:
            try:
                body = await ask()
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

        policy = self.policy().within(max(0.0, left))
        return await self.retrier.run(once, operation=operation, policy=policy)

    def _note(self, outcome: PollOutcome, request_id: str, operation: str) -> None:
        if isinstance(outcome, TryAgain):
            self.queue.note(operation, request_id, outcome)
            tracing.polled(outcome.queue_state, outcome.queue_state_reason)
        _note_progress(operation, request_id, last_seen(outcome))
        if not isinstance(outcome, TryAgain):
            tracing.polled(last_seen(outcome))


def _left_to_retry_engine(outcome: PollOutcome, error: APIStatusError) -> bool:
    """Whether the retry engine decides what follows: no news, or the server has its own opinion."""
    match parse_should_retry(error.headers):
        case True:
            return True
        case False if isinstance(outcome, TryAgain | Retry):
            return True
    return isinstance(outcome, Refused) or outcome == Retry(error.status_code)


def _fetched(source: CompletionSource | None, request_id: str) -> None:
    if source is not None:
        source.acknowledge(request_id)


def _note_progress(operation: str, request_id: str, seen: str) -> None:
    progress = current_progress.get()
    if progress is not None:
        progress.operation, progress.request_id, progress.last_seen = operation, request_id, seen


def _final_error(outcome: PollOutcome, request_id: str, operation: str) -> Exception:
    match outcome:
        case Failed(message=message, category=category):
            return RequestFailedError(
                message, request_id=request_id, category=category, operation=operation
            )
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
