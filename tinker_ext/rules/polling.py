"""The meaning of a retrieve_future response, and the delay before the next poll.

====================================  ==============  ============================================
response                              outcome         action of the poller
====================================  ==============  ============================================
2xx, a JSON object                    Ready           decodes the result
2xx ``try_again`` or a queue state;   TryAgain        notifies the observer, polls again
202 or 204 without a body; 408
2xx ``complete_metadata``             MetadataOnly    reserves the size, polls for the result
2xx ``error`` or ``request_failed``   Failed          raises RequestFailedError
400 with a message, 409, 422          Failed          the same: some servers report failures so
410                                   Gone            resubmits a sample, raises for training
402, 429, 5xx; no response            Retry           polls again after a delay
400 without a message                 Retry           the same, three times: some proxies send it
other status codes                    Refused         raises the error of the status code
2xx, anything else                    Malformed       polls again six times, then raises
====================================  ==============  ============================================
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from attrs import frozen

from tinker_ext.errors import RequestErrorCategory, body_category
from tinker_ext.redaction.redactor import redact, server_words, shorten
from tinker_ext.rules.retry import (
    BACKOFF_BASE,
    BACKOFF_CAP,
    BILLING_PAUSE,
    BILLING_WINDOW,
    RETRY_WINDOW,
    backoff,
)

#: Seconds of one poll, which the server may hold until the result is ready (0.4.1 and 0.38.0).
POLL_TIMEOUT = 45.0
#: Seconds after which a held poll is repeated without a delay.
HELD_SECONDS = 1.0
#: Initial and maximum delay in seconds if the server returns try_again without holding the poll.
WAIT_BASE = 0.1
WAIT_CAP = 2.0
#: Minimum delay before another poll, in seconds, regardless of the jitter.
MIN_PAUSE = 0.05
#: Consecutive responses with status 400 and no message tolerated as a proxy's doing (0.38.0).
MAX_TOLERATED = 3
#: Consecutive malformed successes tolerated as a proxy's doing; ours. The delays between them give
#: a proxy that serves a page of its own 13 s on average. If one response in 25 is damaged, one
#: request in a billion fails; with a limit of 3, one in 20,000 would fail every twentieth time.
MAX_MALFORMED = 6
#: Seconds between log messages about a queue (both official clients).
QUEUE_LOG_INTERVAL = 60.0
#: Seconds after which a request that is not paused is logged at level INFO and at level WARNING.
#: Our choice: most training steps take less than the first.
LONG_RUNNING_INFO = 10.0
LONG_RUNNING_WARNING = 60.0


class QueueState(StrEnum):
    """Why a future is not ready; UNKNOWN includes states of later releases."""

    ACTIVE = "active"
    PAUSED_CAPACITY = "paused_capacity"
    PAUSED_RATE_LIMIT = "paused_rate_limit"
    UNKNOWN = "unknown"

    @classmethod
    def parse(cls, value: object) -> QueueState:
        """Parses the state of a queue; any other value is UNKNOWN."""
        return cls(value) if isinstance(value, str) and value in set(cls) else cls.UNKNOWN


_QUEUE_REASONS = {
    QueueState.PAUSED_CAPACITY: "the service is out of capacity",
    QueueState.PAUSED_RATE_LIMIT: "the limit on concurrent models is reached",
    QueueState.UNKNOWN: "the service gives no reason",
}


@frozen
class Ready:
    """The result, not yet decoded."""

    body: Any


@frozen
class TryAgain:
    """The result is not ready. `queue_state_reason` is the server's explanation, if any."""

    queue_state: QueueState = QueueState.UNKNOWN
    queue_state_reason: str | None = None


@frozen
class MetadataOnly:
    """The result is ready but too large to be sent unrequested: `size` bytes."""

    size: int


@frozen
class Gone:
    """The result has expired."""


@frozen
class Failed:
    """The operation failed; `status` is that of the response that reported it."""

    message: str
    category: RequestErrorCategory
    status: int = 200


@frozen
class Refused:
    """The server rejected the poll: an invalid key, an unknown future."""

    status: int
    message: str


@frozen
class Retry:
    """The poll failed; `tolerated` limits consecutive outcomes of this kind, None does not.

    `status` is None for a transport fault, for which the poller creates this outcome.
    """

    status: int | None
    tolerated: int | None = None


@frozen
class Malformed:
    """A success whose body is not a JSON object or lacks a field."""

    why: str
    tolerated: int = MAX_MALFORMED


PollOutcome = Ready | TryAgain | MetadataOnly | Gone | Failed | Refused | Retry | Malformed


def classify(status: int, body: object) -> PollOutcome:
    """Classifies a response. `body` is parsed JSON, the text if it isn't JSON, or None."""
    if 200 <= status < 300:
        return classify_success(status, body)
    if status == 408:
        return _try_again(body if isinstance(body, dict) else {})
    if status == 410:
        return Gone()
    if status in (402, 429) or status >= 500:
        return Retry(status)
    if status == 400 and not server_words(body):
        return Retry(status, tolerated=MAX_TOLERATED)
    if status in (400, 409, 422):
        return _failed(status, body)
    return Refused(status, server_words(body))


def classify_success(status: int, body: object) -> PollOutcome:
    """Classifies a response with a 2xx status, as `classify`."""
    if not isinstance(body, dict):
        if status in (202, 204) and not body:
            return TryAgain()
        return Malformed(f"expected a JSON object, got {_kind(body)}")
    kind = body.get("type")
    if kind == "try_again" or (kind is None and "queue_state" in body):
        return _try_again(body)
    if kind == "request_failed" or body.get("error") is not None:
        return _failed(status, body)
    if body.get("status") == "complete_metadata":
        return _metadata(body)
    return Ready(body)


def _kind(body: object) -> str:
    if isinstance(body, str):
        return f"the text {shorten(redact(body), 80)!r}" if body.strip() else "an empty body"
    return "an empty body" if body is None else f"a {type(body).__name__}"


def _try_again(body: dict[str, Any]) -> TryAgain:
    reason = body.get("queue_state_reason")
    text = shorten(redact(reason), 200) if isinstance(reason, str) else ""
    return TryAgain(QueueState.parse(body.get("queue_state")), text or None)


def _failed(status: int, body: object) -> Failed:
    message = server_words(body) or "the server gives no reason"
    # A client error instead of a result is a user error unless the body names another category.
    default = RequestErrorCategory.UNKNOWN if status < 300 else RequestErrorCategory.USER
    return Failed(message, body_category(body) or default, status)


def _metadata(body: dict[str, Any]) -> PollOutcome:
    size = body.get("response_payload_size")
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        return Malformed("complete_metadata without a size")
    return MetadataOnly(size)


def poll_delay(
    outcome: PollOutcome,
    consecutive: int,
    jitter: float,
    *,
    held: float = 0.0,
    server_delay: float | None = None,
) -> float:
    """Seconds to wait before the next poll; 0 if none follows.

    `consecutive` is the number of consecutive outcomes of this class, including this one; `held`
    is the response time in seconds; `server_delay` is the delay that the headers specify. `jitter`
    is a random number in [0, 1).
    """
    match outcome:
        case TryAgain():
            pause = 0.0 if held >= HELD_SECONDS else _idle_pause(outcome, consecutive, jitter)
        case MetadataOnly():  # The first is followed by a poll for the result itself.
            pause = 0.0 if consecutive <= 1 else _pause(consecutive - 1, jitter)
        case Retry(status=402):
            pause = BILLING_PAUSE
        case Retry() | Malformed():
            pause = _pause(consecutive, jitter)
        case _:
            return 0.0
    return max(pause, server_delay or 0.0)


def _idle_pause(outcome: TryAgain, consecutive: int, jitter: float) -> float:
    paused = outcome.queue_state in (QueueState.PAUSED_CAPACITY, QueueState.PAUSED_RATE_LIMIT)
    if paused:
        return _pause(consecutive, jitter)
    return _pause(consecutive, jitter, base=WAIT_BASE, cap=WAIT_CAP)


def _pause(
    attempt: int, jitter: float, *, base: float = BACKOFF_BASE, cap: float = BACKOFF_CAP
) -> float:
    return max(MIN_PAUSE, backoff(attempt, jitter, base=base, cap=cap))


def should_poll_again(
    outcome: PollOutcome, consecutive: int, *, streak: float = 0.0, window: float = RETRY_WINDOW
) -> bool:
    """Whether another poll may follow this outcome.

    `consecutive` is the number of consecutive outcomes of this class, including this one, and
    `streak` is the time since the first of them, in seconds. Polls that keep failing stop after
    `window` seconds, or after `BILLING_WINDOW` for a 402. Waiting for a result is not bounded here
    but by the deadline of the call.
    """
    match outcome:
        case TryAgain() | MetadataOnly():
            return True
        case Retry(status=402):
            return streak < max(window, BILLING_WINDOW)
        case Retry(tolerated=None):
            return streak < window
        case Retry(tolerated=int(tolerated)) | Malformed(tolerated=tolerated):
            return consecutive <= tolerated and streak < window
        case _:
            return False


def describe_queue(outcome: TryAgain) -> str | None:
    """Why a request is waiting, for a log message; None if it is being processed."""
    if outcome.queue_state is QueueState.ACTIVE:
        return None
    return outcome.queue_state_reason or _QUEUE_REASONS[outcome.queue_state]


def last_seen(outcome: PollOutcome) -> str:
    """Summarizes an outcome for the error raised at the deadline."""
    match outcome:
        case TryAgain(queue_state=state, queue_state_reason=reason):
            return f"queue state {state}" + (f" ({reason})" if reason else "")
        case Retry(status=None):
            return "no response"
        case Retry(status=status) | Refused(status=status) | Failed(status=status):
            return f"HTTP {status}"
        case Malformed(why=why):
            return why
        case MetadataOnly(size=size):
            return f"a result of {size} bytes"
        case Gone():
            return "HTTP 410"
        case _:
            return "the result"
