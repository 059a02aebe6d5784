"""Whether a failed request is sent again, and when.

Authority, strongest first:

====================  ==========================================================================
the policy            an operation marked not repeatable, a window or a count used up: stop
``x-should-retry``    exactly ``true`` or ``false`` decides, whatever the status
the failure's words   category ``user``: stop, the same request fails the same way again
the status            408, 409, 429, 5xx but 501, 505, 511: again; 402: pause; other: stop
the transport fault   tls, proxy: stop; others: again, the idempotency key makes it safe
====================  ==========================================================================

The wait is the server's (``retry-after-ms``, then ``retry-after`` in seconds or as a date) when
it fits into what is left of the window; when it does not, the answer is to stop at once and hand
the value on. Without one it is exponential backoff with full jitter. Time bounds the whole. A wait
of zero and a date gone by are no wish of the server's.

Time in which the process was suspended (a laptop asleep, a paused container) is not counted, as no
attempt was possible then. After it one more attempt is made even if the window is used up.

A fault decides where there is no status, or that of a success that broke off; a failure without
either is not repeated. What a 402 or a 429 makes wait is everybody with the same base URL and key,
stopped or not. A 402 has the longer of the two windows.
"""

from __future__ import annotations

import math
import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from attrs import evolve, field, frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinker_ext.errors import RequestErrorCategory

#: Seconds; first and longest backoff of the base client (0.4.1 _constants.py).
BACKOFF_BASE = 0.5
BACKOFF_CAP = 10.0
#: Seconds one logical call may take with all its attempts (0.4.1 execute_with_retries).
RETRY_WINDOW = 300.0
#: Seconds between attempts while an account cannot pay, and for how long (0.38.0's billing pause
#: and its flag billing_exception_max_pause_duration_sec).
BILLING_PAUSE = 5.0
BILLING_WINDOW = 3600.0

#: Statuses that say nothing about the request itself: timeout, conflict, rate.
RETRIED_STATUSES = frozenset({408, 409, 429})
#: Server errors that stay as they are: not implemented, HTTP version (RFC 9110, 15.6), and a
#: network that wants a login first (RFC 6585, 6).
PERMANENT_5XX = frozenset({501, 505, 511})
#: Answers of something between us and the server, which may or may not have passed the request on;
#: the last are Cloudflare's.
PROXY_STATUSES = frozenset({502, 503, 504, *range(520, 525)})

#: Longest Retry-After value looked at; a date has 29 characters.
_LONGEST_VALUE = 64
_DECIMAL = re.compile(r"\d+(?:\.\d*)?|\.\d+", re.ASCII)


class TransportFault(StrEnum):
    """Where a request without a complete answer broke off."""

    CONNECT = "connect"
    READ = "read"
    WRITE = "write"
    TIMEOUT = "timeout"
    PROTOCOL = "protocol"
    POOL = "pool"
    #: A certificate or protocol that does not fit, and a proxy that refuses to connect.
    TLS = "tls"
    PROXY = "proxy"


#: Faults that stay until a setting is changed.
LASTING_FAULTS = frozenset({TransportFault.TLS, TransportFault.PROXY})


@frozen(kw_only=True)
class Failure:
    """One failed attempt: an answer (status, headers, category of its body) or a fault."""

    status: int | None = None
    headers: Mapping[str, str] = field(factory=dict)
    fault: TransportFault | None = None
    category: RequestErrorCategory | None = None
    #: Already parsed from the headers, which then need not be given.
    retry_after: float | None = None
    should_retry: bool | None = None


@frozen(kw_only=True)
class RetryPolicy:
    """How long and how patiently one operation is retried. All times in seconds."""

    max_elapsed: float = RETRY_WINDOW
    max_attempts: int | None = None
    backoff_base: float = BACKOFF_BASE
    backoff_cap: float = BACKOFF_CAP
    repeatable: bool = True
    billing_pause: float = BILLING_PAUSE
    billing_max_elapsed: float = BILLING_WINDOW

    def within(self, seconds: float) -> RetryPolicy:
        """The same policy, ending after `seconds` at the latest."""
        return evolve(
            self,
            max_elapsed=min(self.max_elapsed, seconds),
            billing_max_elapsed=min(self.billing_max_elapsed, seconds),
        )

    def window(self, failure: Failure) -> float:
        """Seconds that attempts may take together when they fail like this."""
        if failure.status == 402:
            return max(self.max_elapsed, self.billing_max_elapsed)
        return self.max_elapsed


@frozen(kw_only=True)
class Decision:
    """Send again after `delay` seconds, or stop; `reason` is for logs, spans and the exception.

    When `retry` is false, `delay` is what the server asked for, 0 if nothing. `server_delay`
    says that the server named the delay. `shared` says that the delay concerns everybody who
    uses the same base URL and key, not this call alone.
    """

    retry: bool
    delay: float
    reason: str
    server_delay: bool = False
    shared: bool = False


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
    """Decide what follows a failed attempt.

    `attempt` counts attempts made so far, from 1; `elapsed` is the seconds since the first
    began, without those in which the process was suspended; `now` is the time in seconds since
    1970 (Retry-After dates are relative to it); `jitter` is a random number in [0, 1). `resumed`
    says that the process was suspended after the failed attempt began.
    """
    again, reason = _worth_repeating(failure, policy)
    asked = failure.retry_after
    if asked is None:
        asked = retry_after_seconds(failure.headers, now) or 0.0
    shared = failure.status in (402, 429)
    window = policy.window(failure)
    left = window - elapsed
    last_chance = resumed and left <= 0
    if again and policy.max_attempts is not None and attempt >= policy.max_attempts:
        again, reason = False, f"{reason}, {policy.max_attempts} attempts are used up"
    elif again and left <= 0 and not last_chance:
        again, reason = False, f"{reason}, the window of {window:g} s is used up"
    elif again and asked > max(left, 0.0):
        again, reason = False, f"{reason}, a wait of {asked:g} s does not fit in {left:.1f} s"
    if not again or asked > 0:
        return Decision(
            retry=again, delay=asked, reason=reason, server_delay=asked > 0, shared=shared
        )
    if failure.status == 402:
        delay = policy.billing_pause
    else:
        delay = backoff(attempt, jitter, base=policy.backoff_base, cap=policy.backoff_cap)
    if last_chance:
        reason = f"{reason}, after a suspension"
    else:
        delay = min(delay, left)  # The last attempt comes at the end of the window, not before.
    return Decision(retry=True, delay=delay, reason=reason, shared=shared)


def _worth_repeating(failure: Failure, policy: RetryPolicy) -> tuple[bool, str]:
    """Whether the same request may do better next time, and why; time is not considered."""
    if not policy.repeatable:
        return False, "the operation is never repeated"
    wish = failure.should_retry
    if wish is None:
        wish = parse_should_retry(failure.headers)
    if wish is not None:
        return wish, f"x-should-retry: {str(wish).lower()}"
    if failure.category is not None and failure.category.value == "user":
        return False, "the server calls it the user's error"
    if failure.status is not None and failure.status >= 400:
        return _repeatable_status(failure.status)
    if failure.fault is not None:
        return failure.fault not in LASTING_FAULTS, f"{failure.fault} fault"
    return False, "nothing says that another attempt would help"


def parse_should_retry(headers: Mapping[str, str]) -> bool | None:
    """Whether the server wants the request again; None where it does not say."""
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
    """Seconds to wait after `attempt` attempts: full jitter below a doubling, capped bound.

    Full jitter spreads callers that failed together better than a jittered fraction does
    (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
    """
    # Beyond 2**62 the cap has long been reached, and a float would overflow in the end.
    return jitter * min(cap, base * 2.0 ** min(attempt - 1, 62))


def retry_after_seconds(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds the server asks to wait; 0 for a date gone by; None if it names none it can mean.

    ``retry-after-ms`` comes first, then ``retry-after`` as decimal seconds or as a date of
    RFC 9110, section 5.6.7. Signs, exponents, "nan" and other unreadable values count as absent.
    """
    milliseconds = _decimal(header(headers, "retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000.0
    value = header(headers, "retry-after")
    seconds = _decimal(value)
    return seconds if seconds is not None else _until(value, now)


def _decimal(value: str | None) -> float | None:
    if value is None or len(value) > _LONGEST_VALUE or not _DECIMAL.fullmatch(value.strip()):
        return None
    return float(value)


def _until(value: str | None, now: float) -> float | None:
    """Seconds from `now` to an HTTP date, not below 0."""
    if value is None or len(value) > _LONGEST_VALUE:
        return None
    try:
        date = parsedate_to_datetime(value)
        # HTTP dates are in GMT even where they do not say so.
        moment = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return max(0.0, moment - now) if math.isfinite(moment) else None


def header(headers: Mapping[str, str], name: str) -> str | None:
    """A header's value by its lower-case name, in whatever case it arrived."""
    direct = headers.get(name)
    if direct is not None:
        return direct
    return next((value for key, value in headers.items() if key.lower() == name), None)
