"""Retry decisions are bounded, never early, and say why."""

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


def after(failure: Failure, **given: float) -> Decision:
    told = {"attempt": 1, "elapsed": 0.0, "now": NOW, "jitter": 0.5} | given
    policy = RetryPolicy()
    return decide(failure, policy=policy, **told)  # type: ignore[arg-type] # attempt is an int


@given(failures, st.integers(1, 10**9), st.floats(0, 1e5), jitters)
def test_no_attempt_begins_after_the_window(
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
def test_the_wait_a_server_asks_for_is_never_shortened(failure: Failure, jitter: float) -> None:
    asked = retry_after_seconds(failure.headers, NOW) or 0.0
    decision = after(failure, jitter=jitter)
    assert decision.delay >= asked
    assert decision.server_delay is (asked > 0)


@given(failures)
def test_a_policy_within_a_deadline_keeps_it(failure: Failure) -> None:
    policy = RetryPolicy().within(7.0)
    assert policy.window(failure) == 7.0
    decision = decide(failure, policy=policy, attempt=1, elapsed=7.0, now=NOW, jitter=0.5)
    assert not decision.retry


def test_within_a_deadline_longer_than_the_windows_changes_nothing() -> None:
    assert RetryPolicy().within(math.inf) == RetryPolicy()


@given(st.integers(1, 10**9), jitters)
def test_backoff_stays_below_its_doubling_bound(attempt: int, jitter: float) -> None:
    bound = min(10.0, 0.5 * 2.0 ** min(attempt - 1, 50))
    assert 0.0 <= backoff(attempt, jitter) <= bound
    assert backoff(attempt, 0.5) == bound / 2


@given(st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)))
def test_every_http_date_is_read(moment: datetime) -> None:
    date = moment.replace(microsecond=0, tzinfo=UTC)
    result = retry_after_seconds({"retry-after": format_datetime(date, usegmt=True)}, NOW)
    assert result == max(0.0, date.timestamp() - NOW)


@given(header_values, header_values)
def test_no_header_breaks_the_reader(first: str, second: str) -> None:
    result = retry_after_seconds({"retry-after-ms": first, "retry-after": second}, NOW)
    assert result is None or (result >= 0 and math.isfinite(result))


@pytest.mark.parametrize(
    ("failure", "given", "reason"),
    [
        (Failure(status=503), {}, "status 503"),
        (Failure(status=404), {}, "status 404"),
        (Failure(status=402), {}, "status 402, paused until the account can pay"),
        (Failure(fault=TransportFault.READ), {}, "read fault"),
        (Failure(headers={"x-should-retry": "false"}), {}, "x-should-retry: false"),
        (Failure(category=RequestErrorCategory.USER), {}, "the server calls it the user's error"),
        (Failure(), {}, "nothing says that another attempt would help"),
        (Failure(status=500), {"elapsed": 300}, "status 500, the window of 300 s is used up"),
        (
            Failure(status=429, headers={"retry-after": "90"}),
            {"elapsed": 250},
            "status 429, a wait of 90 s does not fit in 50.0 s",
        ),
    ],
)
def test_the_reason_can_be_read(failure: Failure, given: dict[str, float], reason: str) -> None:
    assert after(failure, **given).reason == reason


def test_a_count_used_up_is_the_reason() -> None:
    policy = RetryPolicy(max_attempts=2)
    decision = decide(
        Failure(status=500), policy=policy, attempt=2, elapsed=1.0, now=NOW, jitter=0.5
    )
    assert decision.reason == "status 500, 2 attempts are used up"
