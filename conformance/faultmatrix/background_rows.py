"""Background requests that only servers of release 0.38.0 require."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from conformance.faultmatrix import background_calls as calls
from conformance.faultmatrix.cases import TOKEN_REJECTED_ONCE
from conformance.faultmatrix.environment import Environment
from conformance.faultmatrix.late_protocol_server import LateProtocolServer
from conformance.faultmatrix.operation import LATE_PROTOCOL, OperationUnderTest
from conformance.faultmatrix.outcomes import DEGRADED, RETRIED, VALUE, Expectation

# No other request gets through either.
_UNREACHABLE = {"connections always refused": "APIConnectionError"}
_UNAVAILABLE = {
    **_UNREACHABLE,
    "connection always closed before the response": "APIConnectionError",
    "429, Retry-After: 1000": "RateLimitError",
    "429 always": "RateLimitError",
    "402 always": "BillingError",
}
# Responses to the exchange that mean that the server issues no tokens.
_NO_TOKENS = dict.fromkeys(
    ("400", "404", "422", "410", "410 always", "418", "501", "redirect"),
    "APIResponseValidationError",
)
_REJECTED_ONCE = {TOKEN_REJECTED_ONCE: RETRIED}


def _same(env: Environment) -> Environment:
    return env


def _negotiation() -> Iterator[OperationUnderTest]:
    """Negotiation; if it fails, the client assumes the protocol of release 0.4.1."""
    # Transient faults and unreadable responses are retried by the next call, rejections are not.
    retried_later = dict.fromkeys(
        ("503, x-should-retry: false", "500, category user", "2 MB body, limit 1 MB", "gzip bomb"),
        RETRIED,
    )
    many = {"seven faults in a row": DEGRADED}
    yield _operation(
        "client/config",
        "get_client_config",
        calls.two_calls_with_flags,
        Expectation(RETRIED, DEGRADED, {**_UNAVAILABLE, **retried_later, **many}),
        server=partial(LateProtocolServer, pjwt_auth_enabled=False),
    )
    # The server then rejects the key, so that the client negotiates again.
    unanswered = {"410 always": "AuthenticationError"}
    failing = dict.fromkeys(("503 always", "520 always"), "InternalServerError")
    unreadable = dict.fromkeys(
        ("invalid JSON always", "unexpected JSON structure always"), "APIResponseValidationError"
    )
    yield _operation(
        "client/config, tokens required",
        "get_client_config",
        calls.two_calls_with_flags,
        Expectation(RETRIED, RETRIED, {**_UNAVAILABLE, **unanswered, **failing, **unreadable}),
    )


def _dynamic_flags() -> Iterator[OperationUnderTest]:
    """Dynamic flags; if the request fails, the client keeps the previous ones."""
    endpoint = "get_client_dynamic_config"
    yield _operation(
        "client/dynamic_config",
        endpoint,
        calls.call_with_dynamic_flags,
        Expectation(DEGRADED, DEGRADED, {**_UNREACHABLE, **_REJECTED_ONCE}),
    )
    yield _operation(
        "client/dynamic_config, refresh due",
        endpoint,
        calls.call_until_refreshed,
        Expectation(VALUE, VALUE),
        prepare=calls.negotiated,
        max_requests=calls.UNLIMITED,
    )


def _token_exchange() -> Iterator[OperationUnderTest]:
    """The exchange of the key for a token, which all other requests need."""
    endpoint = "create_auth_token"
    expectation = Expectation(RETRIED, exceptions=_NO_TOKENS)
    yield _operation("auth/token", endpoint, calls.call_with_dynamic_flags, expectation)
    yield _operation(
        "auth/token, current token rejected",
        endpoint,
        calls.call_with_revoked_token,
        expectation,
        prepare=calls.negotiated,
    )
    yield _operation(
        "auth/token, current token about to expire",
        endpoint,
        calls.call_near_expiry,
        Expectation(DEGRADED, DEGRADED, {**_UNREACHABLE, "401": "AuthenticationError"}),
        prepare=calls.negotiated,
    )


def _sampling() -> Iterator[OperationUnderTest]:
    """Features that make many samples cheaper; the client works without them."""
    unsupported = dict.fromkeys(("404", "501"), DEGRADED)
    yield _operation(
        "join_sampling_session",
        "join_sampling_session",
        calls.sample_in_copy,
        Expectation(RETRIED, exceptions={**unsupported, **_REJECTED_ONCE}),
        prepare=calls.open_session,
        counted=1,
    )
    # It is retried for 30 s in total.
    too_long = {"429, Retry-After: 30": DEGRADED}
    yield _operation(
        "retrieve_futures",
        "retrieve_futures",
        calls.sample,
        Expectation(
            RETRIED, DEGRADED, {**_UNREACHABLE, **_REJECTED_ONCE, **too_long, "400": RETRIED}
        ),
        prepare=calls.open_session,
        counted=1,
    )
    # The body is ignored, and the server has cancelled the sample even if no response arrives.
    cancelled = dict.fromkeys(
        (
            "no response",
            "endless body",
            "connection closed in the body",
            "connection reset in the body",
            "200, HTML page of a captive portal",
            "truncated JSON",
            "invalid JSON",
            "invalid JSON always",
            "unexpected JSON structure always",
            "2 MB body, limit 1 MB",
            "gzip bomb",
        ),
        VALUE,
    )
    yield _operation(
        "cancel_future",
        "cancel_future",
        calls.cancel_sample,
        Expectation(
            RETRIED,
            DEGRADED,
            {
                **too_long,
                **_REJECTED_ONCE,
                **cancelled,
                "connection always closed before the response": RETRIED,
            },
        ),
        server=partial(LateProtocolServer, sample_use_retrieve_futures=False),
        counted=3,
    )


def _operation(
    name: str,
    endpoint: str,
    run: Callable[[Any], Any],
    expectation: Expectation,
    *,
    prepare: Callable[[Environment], Any] = _same,
    server: Callable[[], LateProtocolServer] = LateProtocolServer,
    max_requests: int = 1,
    counted: int = 0,
) -> OperationUnderTest:
    return OperationUnderTest(
        name,
        LATE_PROTOCOL,
        endpoint,
        prepare,
        run,
        max_requests,
        counted=counted,
        server=server,
        expectation=expectation,
    )


OPERATIONS = [*_negotiation(), *_dynamic_flags(), *_token_exchange(), *_sampling()]
