"""Errors have the details that handlers need, can be pickled, and contain no credentials."""

from __future__ import annotations

import copy
import inspect
import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinker_ext import errors
from tinker_ext.errors import (
    APIConnectionError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    CircuitOpenError,
    ClientClosedError,
    ConfigurationError,
    DeadlineExceededError,
    DownloadError,
    InternalServerError,
    InvalidInputError,
    NotFoundError,
    RateLimitError,
    RequestErrorCategory,
    RequestFailedError,
    SessionLostError,
    TinkerError,
    status_error,
)

KEY = "tml-0123456789abcdefABCDEF"
PLAIN_KEY = "not-like-the-others"

STATUS_CLASSES: tuple[type[APIStatusError], ...] = (
    APIStatusError,
    *errors.STATUS_ERRORS.values(),
    InternalServerError,
)
EXAMPLES: list[TinkerError] = [
    TinkerError("plain"),
    errors.APIError("api", operation="forward", request_id="r1", body={"error": ["a", 1, None]}),
    *(
        kind(
            "status",
            status_code=429,
            headers={"Retry-After": "3"},
            retry_after=3.0,
            category=RequestErrorCategory.SERVER,
            operation="forward",
            request_id="r1",
            body={"detail": "words"},
        )
        for kind in STATUS_CLASSES
    ),
    APIConnectionError("broken", fault="read", operation="forward"),
    APITimeoutError("slow", fault="timeout", operation="forward"),
    CircuitOpenError(retry_after=12.0, operation="forward"),
    DeadlineExceededError("over", last_seen="HTTP 503", deadline=9.5, request_id="r1"),
    APIResponseValidationError("odd", status_code=200, body="<html>", operation="forward"),
    RequestFailedError("bad", "r1", RequestErrorCategory.USER, operation="forward"),
    InvalidInputError("too long", where="data[3].loss_fn_inputs['weights']"),
    ConfigurationError("bad", setting="TINKER_TELEMETRY"),
    ClientClosedError(),
    DownloadError("disk full", path="/models/a.part"),
    SessionLostError("lost", session_id="s1", silent_for=130.0),
]


def every_class() -> set[type[TinkerError]]:
    result = {TinkerError}
    while new := {sub for kind in result for sub in kind.__subclasses__()} - result:
        result |= new
    return {kind for kind in result if kind.__module__ == errors.__name__}


def test_every_class_has_an_example() -> None:
    assert {type(error) for error in EXAMPLES} == every_class()


def test_docstring_tree_matches_classes() -> None:
    drawn: dict[str, str] = {}
    path: list[str] = []
    for line in inspect.getdoc(errors).splitlines():  # type: ignore[union-attr]  # it has one
        if result := re.match(r"([ │├└─]*)([A-Z]\w+Error)\b", line):
            depth = (len(result[1]) - 4) // 4
            path[depth:] = [result[2]]
            drawn[result[2]] = path[depth - 1] if depth else "Exception"
    assert drawn == {kind.__name__: kind.__bases__[0].__name__ for kind in every_class()}


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickled_and_copied_errors_are_equal(error: TinkerError, protocol: int) -> None:
    if isinstance(error, errors.APIError):
        error.gave_up(reason="status 429", attempts=3, elapsed=2.0)
    error.add_note("noted")
    for twin in (
        pickle.loads(pickle.dumps(error, protocol)),
        copy.deepcopy(error),
        copy.copy(error),
    ):
        assert type(twin) is type(error)
        assert twin is not error
        assert twin.args == error.args
        assert vars(twin) == vars(error)
        assert (str(twin), repr(twin)) == (str(error), repr(error))


def test_deep_copy_copies_body() -> None:
    error = errors.APIError("api", body={"a": [1]})
    twin = copy.deepcopy(error)
    assert twin.body == error.body
    assert twin.body is not error.body


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (DeadlineExceededError(), TimeoutError),
        (InvalidInputError("x"), ValueError),
        (ConfigurationError("x"), ValueError),
        (ClientClosedError(), RuntimeError),
    ],
)
def test_builtin_base_classes(error: TinkerError, builtin: type[Exception]) -> None:
    assert isinstance(error, builtin)


def test_timeout_of_one_attempt_is_not_builtin_timeout_error() -> None:
    # Otherwise `except TimeoutError` around a wait would catch the timeout of an attempt.
    assert not isinstance(APITimeoutError("x"), TimeoutError)


def test_message_with_all_details() -> None:
    error = status_error(
        503,
        headers={"x-request-id": "req-7", "cf-ray": "88aa-FRA", "content-type": "text/html"},
        body="<html><head><title>Service down</title></head></html>",
        operation="forward_backward",
        retry_after=400.0,
    )
    error.gave_up(
        reason="status 503, a wait of 400 s does not fit in 287.5 s", attempts=4, elapsed=12.5
    )
    assert str(error) == (
        "forward_backward: HTTP 503 Service Unavailable: Service down [request id req-7; "
        "retry after 400 s; cf-ray 88aa-FRA; 4 attempts in 12.5 s; "
        "gave up: status 503, a wait of 400 s does not fit in 287.5 s]"
    )


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TinkerError("plain"), "plain"),
        (errors.APIError("api"), "api"),
        (
            APIConnectionError("reset", fault="read", operation="asample").gave_up(
                reason="x-should-retry: false", attempts=1, elapsed=0.04
            ),
            "asample: reset [read fault; 1 attempt in 0.0 s; not retried: x-should-retry: false]",
        ),
        (
            DeadlineExceededError("no result", deadline=60, request_id="r1", operation="forward"),
            "forward: no result [request id r1; allowed 60 s; last seen: nothing] "
            "Pass a longer timeout, or set a longer future_timeout in the configuration.",
        ),
        (
            APIResponseValidationError("a list came", status_code=200),
            "a list came [HTTP 200] "
            "The server may implement a different version of the API, "
            "or a proxy may have altered the response.",
        ),
        (APIResponseValidationError("x").gave_up(reason="r", attempts=2, elapsed=1), None),
        (
            RequestFailedError("bad", "r1", RequestErrorCategory.USER, operation="forward"),
            "forward: bad [request id r1; category user]",
        ),
        (RequestFailedError("bad"), "bad [category unknown]"),
        (InvalidInputError("too long", where="data[3]"), "data[3]: too long"),
        (InvalidInputError("too long"), "too long"),
        (ConfigurationError("bad"), "bad"),
        (ClientClosedError(), "the client is closed; create a new one"),
        (
            SessionLostError("no heartbeat"),
            "no heartbeat Resume from the last saved state with create_training_client_from_state.",
        ),
    ],
)
def test_messages(error: TinkerError, words: str | None) -> None:
    assert words is None or str(error) == words


def test_answered_is_deprecated() -> None:
    error = APIConnectionError("reset").gave_up(
        reason="r", attempts=2, elapsed=1, previous_response="HTTP 503"
    )
    assert error.previous_response == "HTTP 503"
    assert "previous response: HTTP 503" in str(error)
    with pytest.warns(DeprecationWarning, match="use previous_response"):
        assert error.answered == "HTTP 503"


def test_status_error_attributes() -> None:
    error = status_error(
        429,
        headers={"Retry-After": "3", "X-Request-Id": "req-7", "Set-Cookie": "session=1"},
        body={"detail": "slow down", "category": "server"},
        operation="asample",
        retry_after=3.0,
    )
    assert type(error) is RateLimitError
    assert error.status_code == 429
    assert error.headers == {"retry-after": "3", "x-request-id": "req-7"}
    assert error.retry_after == 3.0
    assert error.category is RequestErrorCategory.SERVER
    assert error.operation == "asample"
    assert error.request_id == "req-7"
    assert error.body == {"detail": "slow down", "category": "server"}
    assert (error.attempts, error.elapsed, error.reason) == (None, None, None)


def test_request_id_argument_takes_precedence_over_header() -> None:
    error = status_error(
        404, headers={"x-request-id": "hop"}, body=None, operation=None, request_id="future-1"
    )
    assert error.request_id == "future-1"
    assert str(error) == "HTTP 404 Not Found [request id future-1]"


@pytest.mark.parametrize(
    ("status", "phrase"),
    [(404, "404 Not Found"), (524, "524 Origin Timed Out"), (599, "599")],
)
def test_status_phrase(status: int, phrase: str) -> None:
    assert errors.status_phrase(status) == phrase


@pytest.mark.parametrize(
    ("status", "category", "is_user_error"),
    [
        (400, None, True),
        (404, None, True),
        (408, None, False),
        (429, None, False),
        (500, None, False),
        (400, "server", False),
        (500, "user", True),
        (500, "unknown", False),
        (422, "unknown", True),
    ],
)
def test_is_user_error(status: int, category: str | None, is_user_error: bool) -> None:
    body = {"category": category} if category else {}
    error = status_error(status, headers={}, body=body, operation=None)
    assert error.is_user_error is is_user_error


def all_text_of(error: BaseException) -> str:
    return f"{error} {error!r} {vars(error)} {error.args} {pickle.dumps(error)!r}"


HIDING_PLACES: list[object] = [
    f"key {KEY} is bad",
    f"key {PLAIN_KEY} is bad",
    {"detail": f"key {KEY} and {PLAIN_KEY}"},
    {"detail": [{"loc": ["header", KEY], "msg": PLAIN_KEY}]},
    {KEY: {PLAIN_KEY: [KEY, (PLAIN_KEY,)]}},
    f"<html><title>{KEY} {PLAIN_KEY}</title></html>",
    f"{KEY} {PLAIN_KEY}".encode(),
    "x" * (500 - len(KEY) // 2) + KEY,
    "h" * 50 + KEY,
    "x" * (500 - len(PLAIN_KEY) // 2) + PLAIN_KEY,
    "x" * (2000 - len(PLAIN_KEY) // 2) + PLAIN_KEY,
]


@pytest.mark.parametrize("body", HIDING_PLACES, ids=range(len(HIDING_PLACES)))
def test_key_in_response_is_redacted(body: object) -> None:
    error = status_error(
        401,
        headers={
            "x-api-key": KEY,
            "authorization": PLAIN_KEY,
            "set-cookie": KEY,
            "x-request-id": f"for {KEY}",
            "www-authenticate": f'Bearer error="invalid_token", realm="{PLAIN_KEY}"',
        },
        body=body,
        operation="create_session",
        secrets=[PLAIN_KEY, ""],
    )
    text = all_text_of(error)
    for fragment in (KEY, KEY[:12], PLAIN_KEY, PLAIN_KEY[:8]):
        assert fragment not in text
    assert 'error="invalid_token"' in error.headers["www-authenticate"]


def test_key_is_redacted_in_every_error_class() -> None:
    message = f"used {KEY}"
    for error in (
        errors.APIError(message, body=message),
        DeadlineExceededError(message, last_seen=message),
        RequestFailedError(message),
        ConfigurationError(message),
        DownloadError(message),
        SessionLostError(message),
    ):
        assert KEY not in all_text_of(error)


def test_authentication_error_hint_names_setting() -> None:
    error = status_error(401, headers={}, body={"detail": "no"}, operation="create_session")
    assert isinstance(error, AuthenticationError)
    assert "TINKER_API_KEY" in str(error)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.binary() | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
)


@given(st.integers(100, 599), json_values, st.dictionaries(st.text(), st.text()))
def test_error_size_is_bounded(status: int, body: object, headers: dict[str, str]) -> None:
    error = status_error(status, headers=headers, body=body, operation="forward")
    assert len(str(error)) < 2000
    assert isinstance(pickle.loads(pickle.dumps(error)), APIStatusError)


def deep(levels: int) -> object:
    body: object = "bottom"
    for _ in range(levels):
        body = {"error": [body]}
    return body


@pytest.mark.parametrize(
    "body",
    ["x" * 10_000_000, {"detail": "x" * 10_000_000}, ["x"] * 1_000_000, deep(100_000)],
    ids=["text", "detail", "list", "depth"],
)
def test_oversized_response_is_truncated(body: object) -> None:
    error = status_error(
        500, headers={"x-request-id": "x" * 100_000}, body=body, operation="forward"
    )
    assert len(str(error)) < 2000
    assert len(pickle.dumps(error)) < 100_000


def test_reason_is_none_without_retry_engine() -> None:
    with pytest.raises(errors.APIError) as caught:
        raise NotFoundError("gone", status_code=404)
    assert caught.value.reason is None


@pytest.mark.parametrize(
    ("message", "expected"),
    [("no id", "op: no id. Look."), ("Really?", "op: Really? Look."), ("Done.", "op: Done. Look.")],
)
def test_hint_is_a_sentence_of_its_own(message: str, expected: str) -> None:
    error = errors.APIError(message, operation="op")
    error.hint = "Look."
    assert str(error) == expected
    error.gave_up(reason="x", attempts=1, elapsed=0.0)
    assert str(error) == f"op: {message} [1 attempt in 0.0 s; not retried: x] Look."
