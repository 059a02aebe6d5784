"""Every response has an outcome, and polls are separated by delays."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinker_ext.errors import RequestErrorCategory
from tinker_ext.rules.polling import (
    MIN_PAUSE,
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
    describe_queue,
    last_seen,
    poll_delay,
    should_poll_again,
)

BODY_KEYS = (
    *("type", "error", "category", "queue_state", "queue_state_reason", "status", "detail"),
    *("response_payload_size", "message", "loc", "msg"),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(BODY_KEYS),
            inner | st.sampled_from(["try_again", "request_failed", "complete_metadata", "active"]),
            max_size=4,
        )
    ),
    max_leaves=10,
)
outcomes = st.builds(classify, st.integers(100, 599), json_values)


@given(st.integers(100, 599), json_values)
def test_every_response_has_an_outcome(status: int, body: object) -> None:
    outcome = classify(status, body)
    assert isinstance(outcome, PollOutcome)
    assert last_seen(outcome)


@given(outcomes, st.integers(1, 10**6), st.floats(0, 1, exclude_max=True), st.floats(0, 0.99))
def test_next_poll_is_delayed_unless_server_held_the_last_one(
    outcome: PollOutcome, consecutive: int, jitter: float, held: float
) -> None:
    delay = poll_delay(outcome, consecutive, jitter, held=held)
    assert math.isfinite(delay)
    if should_poll_again(outcome, consecutive) and not isinstance(outcome, MetadataOnly):
        assert delay >= MIN_PAUSE


@given(outcomes)
def test_polling_stops_if_polls_keep_failing(outcome: PollOutcome) -> None:
    pending = isinstance(outcome, TryAgain | MetadataOnly)
    assert should_poll_again(outcome, 10**9, streak=3600.0) is pending


def test_by_default_poll_was_not_held_and_did_not_fail_before() -> None:
    assert poll_delay(TryAgain(), 1, 0.5) == MIN_PAUSE
    assert should_poll_again(Retry(500), 1, window=0.5)


@pytest.mark.parametrize("state", ["active", "paused_capacity", "paused_rate_limit"])
def test_known_queue_state_is_parsed(state: str) -> None:
    assert QueueState.parse(state).value == state


@pytest.mark.parametrize("state", ["ACTIVE", "resting", "", None, 7, [], {}])
def test_other_queue_state_is_unknown(state: object) -> None:
    assert QueueState.parse(state) is QueueState.UNKNOWN


@pytest.mark.parametrize(
    ("outcome", "description"),
    [
        (TryAgain(QueueState.ACTIVE, "busy"), None),
        (TryAgain(QueueState.PAUSED_CAPACITY), "the service is out of capacity"),
        (TryAgain(QueueState.PAUSED_RATE_LIMIT), "the limit on concurrent models is reached"),
        (TryAgain(), "the service gives no reason"),
        (TryAgain(QueueState.PAUSED_CAPACITY, "all seats taken"), "all seats taken"),
    ],
)
def test_reason_of_the_server_describes_the_queue_if_present(
    outcome: TryAgain, description: str | None
) -> None:
    assert describe_queue(outcome) == description


@pytest.mark.parametrize(
    ("outcome", "description"),
    [
        (TryAgain(QueueState.ACTIVE), "queue state active"),
        (TryAgain(QueueState.ACTIVE, "soon"), "queue state active (soon)"),
        (Retry(503), "HTTP 503"),
        (Retry(None), "no response"),
        (Refused(404, "no"), "HTTP 404"),
        (Failed("no", RequestErrorCategory.USER, 422), "HTTP 422"),
        (Malformed("a list"), "a list"),
        (MetadataOnly(12), "a result of 12 bytes"),
        (Gone(), "HTTP 410"),
        (Ready({}), "the result"),
    ],
)
def test_last_outcome_is_summarized(outcome: PollOutcome, description: str) -> None:
    assert last_seen(outcome) == description


def test_queue_state_reason_is_shortened_and_redacted() -> None:
    body = {"type": "try_again", "queue_state_reason": "tml-0123456789 waits " + "x" * 1000}
    outcome = classify(200, body)
    assert isinstance(outcome, TryAgain)
    assert outcome.queue_state_reason is not None
    assert outcome.queue_state_reason.startswith("*** waits xxx")
    assert len(outcome.queue_state_reason) < 250


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("<html>hotel</html>", "got the text '<html>hotel</html>'"),
        ("", "got an empty body"),
        (None, "got an empty body"),
        ([1], "got a list"),
    ],
)
def test_malformed_response_describes_the_body(body: object, problem: str) -> None:
    outcome = classify(200, body)
    assert isinstance(outcome, Malformed)
    assert problem in outcome.why
