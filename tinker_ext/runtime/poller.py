"""Fetches the result of a submitted request: the loop around `rules.polling`."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any, Protocol

from attrs import field, frozen
from opentelemetry import trace

from tinker_ext import tracing
from tinker_ext.errors import (
    APIResponseValidationError,
    APIStatusError,
    DeadlineExceededError,
    GoneError,
    RequestFailedError,
)
from tinker_ext.rules.polling import (
    Broken,
    Failed,
    Gone,
    PollOutcome,
    Ready,
    Refused,
    Retry,
    TryAgain,
    classify,
    last_seen,
    poll_delay,
    worth_polling,
)
from tinker_ext.rules.retry import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tinker_ext.runtime.retrying import Retrier


class Poll(Protocol):
    """One `retrieve_future` request; `iteration` counts the polls before it."""

    def __call__(self, request_id: str, *, operation: str, iteration: int) -> Awaitable[Any]: ...


@frozen
class FuturePoller:
    """Waits for results of submitted requests; any number may be waited for at once.

    Attributes:
        deadline: seconds for a whole wait, from the submission.
        window: seconds for which polls may go on failing before that is an error.
        on_queue_state: told (operation, request id, state) whenever the server asks to wait.
    """

    poll: Poll
    retrier: Retrier
    deadline: float
    window: float
    on_queue_state: Callable[[str, str, TryAgain], None]
    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random
    sleep: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep)

    async def wait(self, request_id: str, *, operation: str) -> dict[str, Any]:
        """The result's body, as decoded JSON.

        Raises:
            RequestFailedError: the server did the work and it failed.
            GoneError: the server no longer has the result (410).
            DeadlineExceededError: `deadline` seconds passed without a result.
            APIResponseValidationError: answers that are no result, several times in a row.
            APIStatusError, APIConnectionError: polling itself failed for good.
        """
        until = self.clock() + self.deadline
        iteration = consecutive = 0
        kind: type[PollOutcome] | None = None
        while True:
            asked = self.clock()
            outcome = await self._ask(request_id, operation, iteration, until - asked)
            if isinstance(outcome, Ready):
                return outcome.body
            consecutive = consecutive + 1 if type(outcome) is kind else 1
            kind = type(outcome)
            if not worth_polling(outcome, consecutive):
                raise _final_error(outcome, request_id, operation)
            self._note(outcome, request_id, operation)
            now = self.clock()
            pause = poll_delay(outcome, consecutive, self.jitter(), held=now - asked)
            if now + pause >= until:
                raise DeadlineExceededError(
                    "no result",
                    last_seen=last_seen(outcome),
                    deadline=self.deadline,
                    operation=operation,
                    request_id=request_id,
                )
            await self.sleep(pause)
            iteration += 1

    async def _ask(
        self, request_id: str, operation: str, iteration: int, left: float
    ) -> PollOutcome:
        """One poll that got through; the retry engine sees to those that don't."""

        async def once() -> PollOutcome:
            try:
                body = await self.poll(request_id, operation=operation, iteration=iteration)
            except APIStatusError as error:
                outcome = classify(error.status_code, error.body)
                if isinstance(outcome, Refused) or outcome == Retry(error.status_code):
                    error.operation, error.request_id = operation, request_id
                    raise
                return outcome
            return classify(200, body)

        policy = RetryPolicy(max_elapsed=self.window).within(max(0.0, left))
        return await self.retrier.run(once, operation=operation, policy=policy)

    def _note(self, outcome: PollOutcome, request_id: str, operation: str) -> None:
        if isinstance(outcome, TryAgain):
            self.on_queue_state(operation, request_id, outcome)
        trace.get_current_span().add_event("tinker.poll", {tracing.QUEUE_STATE: last_seen(outcome)})


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
        case Broken(why=why):
            return APIResponseValidationError(why, operation=operation, request_id=request_id)
    return APIResponseValidationError(
        last_seen(outcome), operation=operation, request_id=request_id
    )
