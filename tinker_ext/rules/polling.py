"""What an answer to retrieve_future means, and how long to wait before the next poll.

====================================  ==============  ============================================
answer                                outcome         what the poller does
====================================  ==============  ============================================
2xx, a JSON object                    Ready           decodes it
2xx ``try_again`` or a queue state;   TryAgain        tells the observer, polls again
202 or 204 without a body; 408
2xx ``complete_metadata``             MetadataOnly    reserves the size, polls for the whole
2xx ``error`` or ``request_failed``   Failed          raises RequestFailedError
400 with words, 409, 422              Failed          the same: servers report failed jobs so
410                                   Gone            a sample is sent anew; training raises
402, 429, 5xx; no answer at all       Retry           polls again, after the pause
400 without a body                    Retry           the same, three times: some proxies do this
other status                          Refused         raises the error of that status
2xx, anything else                    Broken          polls again three times, then raises
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

#: Seconds a server must have held a poll to be polled again at once.
HELD_SECONDS = 1.0
#: Seconds; first and longest pause while a server answers try-again without holding the poll.
WAIT_BASE = 0.1
WAIT_CAP = 2.0
#: Seconds; no pause before another poll is shorter, whatever the jitter.
MIN_PAUSE = 0.05
#: How often in a row an answer that should not be is put down to something between (0.38.0
#: spares three 400s).
MAX_TOLERATED = 3
#: Seconds between two log lines about a queue (both official clients).
QUEUE_LOG_INTERVAL = 60.0
#: Seconds without a result until a request in an unpaused state is logged, at level INFO and at
#: level WARNING. Ours: most training steps take less than the first.
LONG_RUNNING_INFO = 10.0
LONG_RUNNING_WARNING = 60.0


class QueueState(StrEnum):
    """Why a future is not ready; a state this release does not know is UNKNOWN."""

    ACTIVE = "active"
    PAUSED_CAPACITY = "paused_capacity"
    PAUSED_RATE_LIMIT = "paused_rate_limit"
    UNKNOWN = "unknown"

    @classmethod
    def parse(cls, value: object) -> QueueState:
        """Read what a server says of its queue; anything unknown is UNKNOWN."""
        return cls(value) if isinstance(value, str) and value in set(cls) else cls.UNKNOWN


_QUEUE_REASONS = {
    QueueState.PAUSED_CAPACITY: "the service is out of capacity",
    QueueState.PAUSED_RATE_LIMIT: "the limit of models in use at once is reached",
    QueueState.UNKNOWN: "the service does not say why",
}


@frozen
class Ready:
    """The result itself, undecoded."""

    body: Any


@frozen
class TryAgain:
    """Not done yet. `queue_state_reason` is the server's, None if it gives none."""

    queue_state: QueueState = QueueState.UNKNOWN
    queue_state_reason: str | None = None


@frozen
class MetadataOnly:
    """Done, and too large to come unasked: `size` bytes."""

    size: int


@frozen
class Gone:
    """The result has expired."""


@frozen
class Failed:
    """The work failed; `status` is that of the answer which said so."""

    message: str
    category: RequestErrorCategory
    status: int = 200


@frozen
class Refused:
    """The server does not answer this poll: a wrong key, an unknown future."""

    status: int
    message: str


@frozen
class Retry:
    """Nothing learned about the future; `spare` is how often in a row that is bearable.

    `status` is None for a transport fault, which the poller makes into this outcome itself.
    """

    status: int | None
    tolerated: int | None = None


@frozen
class Malformed:
    """A success that is none: not a JSON object."""

    why: str
    tolerated: int = MAX_TOLERATED


PollOutcome = Ready | TryAgain | MetadataOnly | Gone | Failed | Refused | Retry | Malformed


def classify(status: int, body: object) -> PollOutcome:
    """Read one answer. `body` is parsed JSON, or the text where it is not JSON, or None."""
    if 200 <= status < 300:
        return _success(status, body)
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


def _success(status: int, body: object) -> PollOutcome:
    if not isinstance(body, dict):
        if status in (202, 204) and not body:
            return TryAgain()
        return Malformed(f"a JSON object was expected, not {_kind(body)}")
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
    words = shorten(redact(reason), 200) if isinstance(reason, str) else ""
    return TryAgain(QueueState.parse(body.get("queue_state")), words or None)


def _failed(status: int, body: object) -> Failed:
    words = server_words(body) or "the server gives no reason"
    # A refusal in place of a result blames the request, unless the body says otherwise.
    default = RequestErrorCategory.UNKNOWN if status < 300 else RequestErrorCategory.USER
    return Failed(words, body_category(body) or default, status)


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
    """Seconds to wait before the next poll; 0 where none follows.

    `consecutive` counts outcomes of this class in a row, this one included; `held` is how many
    seconds the server took to answer; `server_delay` what its headers ask for. `jitter` is a
    random number in [0, 1).
    """
    match outcome:
        case TryAgain():
            pause = 0.0 if held >= HELD_SECONDS else _idle_pause(outcome, consecutive, jitter)
        case MetadataOnly():  # the size was told in order to be asked for the rest, once
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

    `consecutive` counts outcomes of this class in a row, this one included, and `streak` is the
    seconds since the first of them. A server that only fails is left after `window` seconds, one
    that pauses for billing after `BILLING_WINDOW`; waiting as such is not bounded here, the
    deadline of the whole wait does that.
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
    """Why the work waits, for a log line; None while it is being worked on."""
    if outcome.queue_state is QueueState.ACTIVE:
        return None
    return outcome.queue_state_reason or _QUEUE_REASONS[outcome.queue_state]


def last_seen(outcome: PollOutcome) -> str:
    """An outcome in a few words, for the error that ends a wait too long."""
    match outcome:
        case TryAgain(queue_state=state, queue_state_reason=reason):
            return f"queue state {state}" + (f" ({reason})" if reason else "")
        case Retry(status=None):
            return "no answer"
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
