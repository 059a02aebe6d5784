"""Whether and when to retry a failed request.

Criteria, strongest first:

====================  ==========================================================================
the policy            operation not repeatable, window or number of attempts used up: stop
``x-should-retry``    exactly ``true`` or ``false`` decides, regardless of the status code
the error category    ``user``: stop, the same request would fail the same way
the status code       408, 409, 429, 5xx except 501, 505, 511: retry; 402: pause; others: stop
the transport fault   tls, proxy: stop; others: retry, which the idempotency key makes safe
====================  ==========================================================================

The delay is the server's (``retry-after-ms``, then ``retry-after`` in seconds or as a date) if it
fits into the remaining window; if it doesn't fit, retrying stops at once and the decision reports
the delay. Without a server delay, it is exponential backoff with full jitter. A delay of zero or a
date in the past counts as no server delay. The window bounds the total time.

Time during which the process was suspended (a sleeping laptop, a paused container) does not count,
since no attempt was possible. After a suspension one more attempt is made even if the window is
used up.

A 500 that returns identical and immediate, attempt after attempt, is likely caused by the request
itself. The tenth ends a read, which can be repeated by the user without a loss. Other requests use
their window, because a server that fails for minutes may recover, and the result of an hour of
training may depend on it; the reason then says that all responses were the same. Only 500 counts:
other codes say that the fault is temporary, or that a retry can't help. Nor does a 500 count whose
``x-should-retry`` is ``true``.

A transport fault decides if there is no status code, or if the body of a success was cut off. A
failure with neither is not retried. The delay of a 402 or 429 that is retried applies to all
requests with the same base URL and key. A 402 has the longer of the two windows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum

from attrs import evolve, field, frozen

from tinker_ext.errors import RequestErrorCategory

#: Initial and maximum backoff, in seconds (0.4.1 _constants.py).
BACKOFF_BASE = 0.5
BACKOFF_CAP = 10.0
#: Seconds for all attempts of one call (0.4.1 execute_with_retries).
RETRY_WINDOW = 300.0
#: Seconds within which a response is immediate, and identical immediate 500s that end a read; ours.
#: With their backoff, ten attempts take half a minute, longer than the restart of a process.
IMMEDIATE = 1.0
MAX_IDENTICAL = 10
#: Seconds between attempts after a 402, and for all of them (0.38.0's billing pause and its flag
#: billing_exception_max_pause_duration_sec).
BILLING_PAUSE = 5.0
BILLING_WINDOW = 3600.0

#: Client errors that may not recur: timeout, conflict, rate limit.
RETRIED_STATUSES = frozenset({408, 409, 429})
#: Server errors that a retry can't change: not implemented, HTTP version not supported (RFC 9110,
#: 15.6), network authentication required (RFC 6585, 6).
PERMANENT_5XX = frozenset({501, 505, 511})
#: Status codes of proxies, which may have forwarded the request; the last are Cloudflare's.
PROXY_STATUSES = frozenset({502, 503, 504, *range(520, 525)})

#: Longest Retry-After value that is parsed; a date has 29 characters.
_MAX_VALUE_LENGTH = 64
_DECIMAL = re.compile(r"\d+(?:\.\d*)?|\.\d+", re.ASCII)


class TransportFault(StrEnum):
    """The stage at which a request without a complete response failed."""

    CONNECT = "connect"
    READ = "read"
    WRITE = "write"
    TIMEOUT = "timeout"
    PROTOCOL = "protocol"
    POOL = "pool"
    #: A TLS certificate or version is not accepted; a proxy refuses to connect.
    TLS = "tls"
    PROXY = "proxy"


#: Faults that persist until a setting changes.
PERMANENT_FAULTS = frozenset({TransportFault.TLS, TransportFault.PROXY})


@frozen(kw_only=True)
class Failure:
    """A failed attempt: a response (status, headers, category of its body) or a transport fault."""

    status: int | None = None
    headers: Mapping[str, str] = field(factory=dict)
    fault: TransportFault | None = None
    category: RequestErrorCategory | None = None
    #: Consecutive attempts, including this one, with the same status and body, within `IMMEDIATE`.
    identical: int = 0
    #: Parsed from the headers; if set, the headers are not parsed again.
    retry_after: float | None = None
    should_retry: bool | None = None


@frozen(kw_only=True)
class RetryPolicy:
    """Limits and delays of the retries of one operation. All times in seconds."""

    max_elapsed: float = RETRY_WINDOW
    max_attempts: int | None = None
    backoff_base: float = BACKOFF_BASE
    backoff_cap: float = BACKOFF_CAP
    repeatable: bool = True
    #: The number of attempts after which a 500 is not retried, because it may mean that the server
    #: does not accept the form of the request (`protocol.adaptation`).
    server_error_attempts: int | None = None
    #: The operation only reads, so that its failure loses nothing.
    reads: bool = False
    billing_pause: float = BILLING_PAUSE
    billing_max_elapsed: float = BILLING_WINDOW

    def within(self, seconds: float) -> RetryPolicy:
        """Returns the policy with its windows limited to `seconds`."""
        return evolve(
            self,
            max_elapsed=min(self.max_elapsed, seconds),
            billing_max_elapsed=min(self.billing_max_elapsed, seconds),
        )

    def window(self, failure: Failure) -> float:
        """Seconds for all attempts that fail like this one."""
        if failure.status == 402:
            return max(self.max_elapsed, self.billing_max_elapsed)
        return self.max_elapsed


@frozen(kw_only=True)
class Decision:
    """Whether to retry after `delay` seconds; `reason` is for logs, spans and the exception.

    If `retry` is false, `delay` is the server's, or 0. `server_delay` is true if the server
    specified the delay. `shared` is true if the delay before a retry applies to all requests with
    the same base URL and key. `same_responses` is true if retrying stops after identical immediate
    500s.
    """

    retry: bool
    delay: float
    reason: str
    server_delay: bool = False
    shared: bool = False
    same_responses: bool = False


def decide(
    failure: Failure,
    *,
    policy: RetryPolicy,
    attempt: int,
    elapsed: float,
    now: float,
    jitter: float,
    resumed: bool = False,
) -> Decision:
    """Decides whether to retry after a failed attempt.

    `attempt` is the number of attempts so far, from 1. `elapsed` is the time since the first one
    began, in seconds without suspensions. `now` is the Unix time, to which Retry-After dates are
    relative. `jitter` is a random number in [0, 1). `resumed` is true if the process was suspended
    since the failed attempt began.
    """
    retry, reason = _is_retryable(failure, policy)
    server_delay = failure.retry_after
    if server_delay is None:
        server_delay = retry_after_seconds(failure.headers, now) or 0.0
    shared = failure.status in (402, 429)
    window = policy.window(failure)
    left = window - elapsed
    last_chance = resumed and left <= 0
    same_responses = False
    if retry and policy.max_attempts is not None and attempt >= policy.max_attempts:
        plural = "" if policy.max_attempts == 1 else "s"
        retry, reason = (
            False,
            f"{reason}, the limit of {policy.max_attempts} attempt{plural} is reached",
        )
    elif retry and _may_be_the_form(failure, policy, attempt):
        retry, reason = False, f"{reason}, the server may not accept the form of the request"
    elif retry and policy.reads and _is_lasting(failure, MAX_IDENTICAL):
        retry, same_responses = False, True
        reason = f"{reason}, {failure.identical} identical responses in a row"
    elif retry and left <= 0 and not last_chance:
        retry, reason = False, f"{reason}, the retry window of {window:g} s has passed"
        same_responses = attempt > 1 and _is_lasting(failure, attempt)
        if same_responses:
            reason = f"{reason}, all {attempt} responses were the same: the request may cause them"
    elif retry and server_delay > max(left, 0.0):
        retry, reason = (
            False,
            f"{reason}, a wait of {server_delay:g} s does not fit in {left:.1f} s",
        )
    if not retry or server_delay > 0:
        return Decision(
            retry=retry,
            delay=server_delay,
            reason=reason,
            server_delay=server_delay > 0,
            shared=shared,
            same_responses=same_responses,
        )
    if failure.status == 402:
        delay = policy.billing_pause
    else:
        delay = backoff(attempt, jitter, base=policy.backoff_base, cap=policy.backoff_cap)
    if last_chance:
        reason = f"{reason}, after a suspension"
    else:
        delay = min(delay, left)  # The last attempt starts when the window ends.
    return Decision(retry=True, delay=delay, reason=reason, shared=shared)


def _may_be_the_form(failure: Failure, policy: RetryPolicy, attempt: int) -> bool:
    limit = policy.server_error_attempts
    return failure.status == 500 and limit is not None and attempt >= limit


def _is_lasting(failure: Failure, attempts: int) -> bool:
    """Whether the last `attempts` responses were identical immediate 500s."""
    is_requested = _should_retry(failure) is True
    return failure.status == 500 and failure.identical >= attempts and not is_requested


def _should_retry(failure: Failure) -> bool | None:
    if failure.should_retry is not None:
        return failure.should_retry
    return parse_should_retry(failure.headers)


def _is_retryable(failure: Failure, policy: RetryPolicy) -> tuple[bool, str]:
    """Whether a retry may succeed, and the reason; the window and attempts are not considered."""
    if not policy.repeatable:
        return False, "the operation is never repeated"
    should_retry = _should_retry(failure)
    if should_retry is not None:
        return should_retry, f"x-should-retry: {str(should_retry).lower()}"
    if failure.category is not None and failure.category.value == "user":
        return False, "the server reports a user error"
    if failure.status is not None and failure.status >= 400:
        return _repeatable_status(failure.status)
    if failure.fault is not None:
        return failure.fault not in PERMANENT_FAULTS, f"{failure.fault} fault"
    return False, "nothing indicates that a retry would help"


def parse_should_retry(headers: Mapping[str, str]) -> bool | None:
    """Parses `x-should-retry`; None if it is absent or neither "true" nor "false"."""
    return {"true": True, "false": False}.get(header(headers, "x-should-retry") or "")


def _repeatable_status(status: int) -> tuple[bool, str]:
    if status == 402:
        return True, "status 402, paused until the account can pay"
    if status in RETRIED_STATUSES:
        return True, f"status {status}"
    return status >= 500 and status not in PERMANENT_5XX, f"status {status}"


def backoff(
    attempt: int, jitter: float, *, base: float = BACKOFF_BASE, cap: float = BACKOFF_CAP
) -> float:
    """Seconds to wait after `attempt` attempts: exponential backoff with full jitter.

    Full jitter spreads clients that failed together better than a jittered fraction does
    (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
    """
    # The exponent is bounded because a large one would overflow a float.
    return jitter * min(cap, base * 2.0 ** min(attempt - 1, 62))


def retry_after_seconds(headers: Mapping[str, str], now: float) -> float | None:
    """Parses the server's retry delay in seconds; None if absent or invalid, 0 for a past date.

    ``retry-after-ms`` takes precedence over ``retry-after``, which holds decimal seconds or a date
    of RFC 9110, section 5.6.7. Signs, exponents, "nan" and other invalid values count as absent.
    """
    milliseconds = _decimal(header(headers, "retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000.0
    value = header(headers, "retry-after")
    seconds = _decimal(value)
    return seconds if seconds is not None else _until(value, now)


def _decimal(value: str | None) -> float | None:
    if value is None or len(value) > _MAX_VALUE_LENGTH or not _DECIMAL.fullmatch(value.strip()):
        return None
    return float(value)


def _until(value: str | None, now: float) -> float | None:
    """Seconds from `now` to an HTTP date, at least 0."""
    if value is None or len(value) > _MAX_VALUE_LENGTH:
        return None
    try:
        date = parsedate_to_datetime(value)
        # HTTP dates are in GMT even if they name no zone.
        moment = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return max(0.0, moment - now) if math.isfinite(moment) else None


def header(headers: Mapping[str, str], name: str) -> str | None:
    """Looks up a header by its lower-case name, ignoring the case of the received names."""
    value = headers.get(name)
    if value is not None:
        return value
    return next((value for key, value in headers.items() if key.lower() == name), None)
