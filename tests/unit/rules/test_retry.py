"""Retry decisions are bounded, respect the server's delay, and have a reason."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinker_ext.errors import RequestErrorCategory
from tinker_ext.rules.retry import (
    Decision,
    Failure,
    RetryPolicy,
    TransportFault,
    backoff,
    decide,
    retry_after_seconds,
)

NOW = 1_700_000_000.0
header_values = st.one_of(
    st.floats(0, 1e6).map(lambda seconds: f"{seconds:.3f}"),
    st.integers(0, 10**6).map(str),
    st.text(max_size=80),
)
failures = st.builds(
    Failure,
    status=st.none() | st.integers(100, 599),
    headers=st.dictionaries(
        st.sampled_from(["retry-after", "Retry-After-Ms", "x-should-retry", "date"]),
        header_values | st.sampled_from(["true", "false"]),
    ),
    fault=st.none() | st.sampled_from(TransportFault),
    category=st.none() | st.sampled_from(RequestErrorCategory),
)
jitters = st.floats(0, 1, exclude_max=True)


def decision_after(failure: Failure, **changes: float) -> Decision:
    arguments = {"attempt": 1, "elapsed": 0.0, "now": NOW, "jitter": 0.5} | changes
    policy = RetryPolicy()
    return decide(failure, policy=policy, **arguments)  # type: ignore[arg-type] # attempt is an int


@given(failures, st.integers(1, 10**9), st.floats(0, 1e5), jitters)
def test_no_attempt_starts_after_the_window(
    failure: Failure, attempt: int, elapsed: float, jitter: float
) -> None:
    policy = RetryPolicy(max_elapsed=50, billing_max_elapsed=500)
    decision = decide(
        failure, policy=policy, attempt=attempt, elapsed=elapsed, now=NOW, jitter=jitter
    )
    assert decision.reason
    assert 0 <= decision.delay < math.inf
    if decision.retry:
        assert elapsed + decision.delay <= policy.window(failure) * (1 + 1e-12)


@given(failures, jitters)
def test_server_delay_is_never_shortened(failure: Failure, jitter: float) -> None:
    server_delay = retry_after_seconds(failure.headers, NOW) or 0.0
    decision = decision_after(failure, jitter=jitter)
    assert decision.delay >= server_delay
    assert decision.server_delay is (server_delay > 0)


@given(failures)
def test_policy_limited_to_a_deadline_keeps_it(failure: Failure) -> None:
    policy = RetryPolicy().within(7.0)
    assert policy.window(failure) == 7.0
    decision = decide(failure, policy=policy, attempt=1, elapsed=7.0, now=NOW, jitter=0.5)
    assert not decision.retry


def test_limit_longer_than_the_windows_does_not_change_the_policy() -> None:
    assert RetryPolicy().within(math.inf) == RetryPolicy()


@given(st.integers(1, 10**9), jitters)
def test_backoff_stays_within_its_exponential_bound(attempt: int, jitter: float) -> None:
    bound = min(10.0, 0.5 * 2.0 ** min(attempt - 1, 50))
    assert 0.0 <= backoff(attempt, jitter) <= bound
    assert backoff(attempt, 0.5) == bound / 2


@given(st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)))
def test_http_date_is_parsed(moment: datetime) -> None:
    date = moment.replace(microsecond=0, tzinfo=UTC)
    seconds = retry_after_seconds({"retry-after": format_datetime(date, usegmt=True)}, NOW)
    assert seconds == max(0.0, date.timestamp() - NOW)


@given(header_values, header_values)
def test_any_header_value_is_handled(first: str, second: str) -> None:
    seconds = retry_after_seconds({"retry-after-ms": first, "retry-after": second}, NOW)
    assert seconds is None or (seconds >= 0 and math.isfinite(seconds))


@pytest.mark.parametrize(
    ("failure", "changes", "reason"),
    [
        (Failure(status=503), {}, "status 503"),
        (Failure(status=404), {}, "status 404"),
        (Failure(status=402), {}, "status 402, paused until the account can pay"),
        (Failure(fault=TransportFault.READ), {}, "read fault"),
        (Failure(headers={"x-should-retry": "false"}), {}, "x-should-retry: false"),
        (Failure(category=RequestErrorCategory.USER), {}, "the server reports a user error"),
        (Failure(), {}, "nothing indicates that a retry would help"),
        (Failure(status=500), {"elapsed": 300}, "status 500, the retry window of 300 s has passed"),
        (
            Failure(status=429, headers={"retry-after": "90"}),
            {"elapsed": 250},
            "status 429, a wait of 90 s does not fit in 50.0 s",
        ),
    ],
)
def test_reason(failure: Failure, changes: dict[str, float], reason: str) -> None:
    assert decision_after(failure, **changes).reason == reason


@pytest.mark.parametrize(("limit", "words"), [(1, "1 attempt"), (2, "2 attempts")])
def test_reason_if_limit_of_attempts_is_reached(limit: int, words: str) -> None:
    policy = RetryPolicy(max_attempts=limit)
    decision = decide(
        Failure(status=500), policy=policy, attempt=limit, elapsed=1.0, now=NOW, jitter=0.5
    )
    assert decision.reason == f"status 500, the limit of {words} is reached"


def test_parsed_retry_after_takes_precedence_over_the_header() -> None:
    failure = Failure(status=503, headers={"retry-after": "7"}, retry_after=3.0)
    decision = decision_after(failure)
    assert (decision.retry, decision.delay, decision.server_delay) == (True, 3.0, True)


@pytest.mark.parametrize("parsed", [True, False])
def test_parsed_should_retry_takes_precedence_over_the_header(parsed: bool) -> None:
    header = str(not parsed).lower()
    failure = Failure(status=503, headers={"x-should-retry": header}, should_retry=parsed)
    assert decision_after(failure).retry is parsed
