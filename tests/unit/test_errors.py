"""Errors carry what a handler needs, travel between processes, and show no key."""

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
SPECIMENS: list[TinkerError] = [
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


def test_there_is_a_specimen_of_every_class() -> None:
    assert {type(error) for error in SPECIMENS} == every_class()


def test_the_tree_in_the_docstring_is_the_real_one() -> None:
    drawn: dict[str, str] = {}
    path: list[str] = []
    for line in inspect.getdoc(errors).splitlines():  # type: ignore[union-attr] # it has one
        if result := re.match(r"([ │├└─]*)([A-Z]\w+Error)\b", line):
            depth = (len(result[1]) - 4) // 4
            path[depth:] = [result[2]]
            drawn[result[2]] = path[depth - 1] if depth else "Exception"
    assert drawn == {kind.__name__: kind.__bases__[0].__name__ for kind in every_class()}


@pytest.mark.parametrize("error", SPECIMENS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickled_and_copied_errors_are_the_same(error: TinkerError, protocol: int) -> None:
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


def test_a_deep_copy_shares_nothing() -> None:
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
def test_some_are_builtin_errors_too(error: TinkerError, builtin: type[Exception]) -> None:
    assert isinstance(error, builtin)


def test_one_request_out_of_time_is_no_builtin_timeout() -> None:
    # Otherwise `except TimeoutError` around a wait would take a retried request's for its own.
    assert not isinstance(APITimeoutError("x"), TimeoutError)


def test_a_message_for_two_in_the_morning() -> None:
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
        "the server asks to wait 400 s; cf-ray 88aa-FRA; 4 attempts in 12.5 s; "
        "not retried: status 503, a wait of 400 s does not fit in 287.5 s]"
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
            "A longer timeout, or future_timeout in the configuration, waits longer.",
        ),
        (
            APIResponseValidationError("a list came", status_code=200),
            "a list came [HTTP 200] "
            "The server speaks another dialect, or something between changed the answer.",
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
        (ClientClosedError(), "the client is closed; make a new one"),
        (
            SessionLostError("no heartbeat"),
            "no heartbeat Resume from the last saved state with create_training_client_from_state.",
        ),
    ],
)
def test_messages(error: TinkerError, words: str | None) -> None:
    assert words is None or str(error) == words


def test_a_status_error_carries_what_a_handler_needs() -> None:
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


def test_the_callers_request_id_comes_before_the_headers() -> None:
    error = status_error(
        404, headers={"x-request-id": "hop"}, body=None, operation=None, request_id="future-1"
    )
    assert error.request_id == "future-1"
    assert str(error) == "HTTP 404 Not Found [request id future-1]"


@pytest.mark.parametrize(
    ("status", "phrase"),
    [(404, "404 Not Found"), (524, "524 Origin Timed Out"), (599, "599")],
)
def test_a_status_is_named(status: int, phrase: str) -> None:
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
def test_whose_error_it_is(status: int, category: str | None, is_user_error: bool) -> None:
    body = {"category": category} if category else {}
    error = status_error(status, headers={}, body=body, operation=None)
    assert error.is_user_error is is_user_error


def everything_of(error: BaseException) -> str:
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
def test_no_key_gets_out_of_an_answer(body: object) -> None:
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
    shown = everything_of(error)
    for piece in (KEY, KEY[:12], PLAIN_KEY, PLAIN_KEY[:8]):
        assert piece not in shown
    assert 'error="invalid_token"' in error.headers["www-authenticate"]


def test_what_looks_like_a_key_is_hidden_in_every_error() -> None:
    said = f"used {KEY}"
    for error in (
        errors.APIError(said, body=said),
        DeadlineExceededError(said, last_seen=said),
        RequestFailedError(said),
        ConfigurationError(said),
        DownloadError(said),
        SessionLostError(said),
    ):
        assert KEY not in everything_of(error)


def test_a_key_error_says_what_to_check() -> None:
    error = status_error(401, headers={}, body={"detail": "no"}, operation="create_session")
    assert isinstance(error, AuthenticationError)
    assert "TINKER_API_KEY" in str(error)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.binary() | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
)


@given(st.integers(100, 599), json_values, st.dictionaries(st.text(), st.text()))
def test_any_answer_makes_an_error_of_bounded_size(
    status: int, body: object, headers: dict[str, str]
) -> None:
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
def test_absurd_answers_are_cut(body: object) -> None:
    error = status_error(
        500, headers={"x-request-id": "x" * 100_000}, body=body, operation="forward"
    )
    assert len(str(error)) < 2000
    assert len(pickle.dumps(error)) < 100_000


def test_not_found_is_not_retryable_by_its_class_alone() -> None:
    with pytest.raises(errors.APIError) as caught:
        raise NotFoundError("gone", status_code=404)
    assert caught.value.reason is None
