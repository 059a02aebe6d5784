"""The faults, and the expected outcome of each operation under each of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any, Literal

from attrs import evolve, field, frozen

from conformance.faultmatrix.environment import MAX_RESPONSE_BYTES
from conformance.faultmatrix.late_protocol_server import TOKEN_REJECTED, TOKENLESS
from conformance.faultmatrix.operation import LATE_PROTOCOL, Group, OperationUnderTest
from conformance.faultmatrix.outcomes import RETRIED, VALUE, Expectation
from tinker_ext.testing import Reply, faults

Kind = Literal["transient", "harmless", "permanent"]

#: Request timeout in seconds for cases in which the server does not respond.
SHORT_TIMEOUT = 0.5


@frozen
class FaultCase:
    """A fault and its expected outcomes.

    Attributes:
        replies: the faulty responses, each sent once, in order; with `always` the only one, sent
            every time.
        expect: the outcome of all groups that `by_group` does not list. Background requests never
            fail the user's call, unless `exceptions` lists them.
        exceptions: the outcomes of single operations, by name.
        settings: client settings.
        restarts_after: the number of pauses after which the server accepts connections again.
        kind: whether the fault passes, stays, or does no harm.
    """

    name: str
    replies: tuple[Any, ...]
    expect: str
    by_group: dict[Group, str] = field(factory=dict)
    exceptions: dict[str, str] = field(factory=dict)
    always: bool = False
    settings: dict[str, Any] = field(factory=dict)
    restarts_after: int | None = None
    kind: Kind = "permanent"

    def expected(self, operation: OperationUnderTest) -> str:
        """The expected outcome of an operation."""
        if operation.expectation is not None:
            return self._expected_by_kind(operation.expectation)
        if operation.name == "get_client_config" and self.name not in _NO_ASSUMPTION:
            return VALUE
        return self.exceptions.get(operation.name, self.expected_of_group(operation.group))

    def expected_of_group(self, group: Group) -> str:
        """The expected outcome of a group of operations."""
        return self.by_group.get(group, VALUE if group == "background" else self.expect)

    def _expected_by_kind(self, expectation: Expectation) -> str:
        if self.name in expectation.exceptions:
            return expectation.exceptions[self.name]
        match self.kind:
            case "harmless":
                return VALUE
            case "transient":
                return expectation.transient
        if expectation.permanent is None:
            return self.expected_of_group("synchronous")
        return expectation.permanent


def _html_page(status: int) -> faults.Fault:
    return faults.proxy_page(status)


def _date(seconds: float) -> str:
    return formatdate(time.time() + seconds, usegmt=True)


UNREADABLE = "APIResponseValidationError"
# The client does not read the bodies of these responses.
_IGNORED_BODIES = dict.fromkeys(
    (
        "delete_checkpoint",
        "publish_checkpoint",
        "unpublish_checkpoint",
        "set_checkpoint_ttl",
        "set_session_project",
    ),
    VALUE,
)
# The response of release 0.38.0 to a heartbeat of an ended session.
_SESSION_LOST = {"session_heartbeat": "SessionLostError"}
# After any other fault of `client/config` the client assumes the protocol of release 0.4.1.
_NO_ASSUMPTION = frozenset(
    {
        "429",
        "429, Retry-After: 30",
        "429, Retry-After: 1000",
        "429 always",
        "402",
        "402 always",
        "connection closed before processing",
        "connection closed before the response",
        "connection closed in the body",
        "connection reset in the body",
        "response is not HTTP",
        "TLS alert",
        "connection always closed before the response",
        "connections refused temporarily",
        "connections always refused",
        "seven faults in a row",
    }
)
# Its response is a redirect.
_ARCHIVE = "get_checkpoint_archive_url"
# It follows redirects.
_AUDIT = "get_audit_log"
#: A case of operations that are sent with a token.
TOKEN_REJECTED_ONCE = "401, token rejected once"
# It is polled until it is ready; unknown statuses mean that it is not.
_TRACE = "get_session_trace_export"
_FAILED: dict[Group, str] = {"result": "RequestFailedError"}
_SHORT = {"timeout": SHORT_TIMEOUT, "archive_timeout": SHORT_TIMEOUT, "connect_timeout": 5.0}


# Results whose counts and types the client checks against the request.
_CHECKED_RESULTS = dict.fromkeys(
    (
        *("result of forward", "result of forward_backward", "result of asample"),
        *("result of custom loss: forward", "result of custom loss: forward_backward"),
    ),
    UNREADABLE,
)


def _transient() -> Iterator[FaultCase]:
    """Faults that pass."""
    for status in (408, 409, 429):
        special: dict[Group, str] = _FAILED if status == 409 else {}
        yield FaultCase(f"{status}", (Reply(status, {"detail": "no"}),), RETRIED, special)
    yield FaultCase("429, Retry-After: 30", (Reply(429, None, {"Retry-After": "30"}),), RETRIED)
    yield FaultCase("402", (Reply(402, {"detail": "pay"}),), RETRIED)
    yield FaultCase("500, plain text", (Reply(500, "Internal Server Error"),), RETRIED)
    yield FaultCase("502, HTML page of a proxy", (_html_page(502),), RETRIED)
    http_date = {"Retry-After": _date(20)}
    yield FaultCase("503, Retry-After: HTTP date", (Reply(503, None, http_date),), RETRIED)
    yield FaultCase("504", (Reply(504),), RETRIED)
    yield FaultCase("520 from Cloudflare", (Reply(520, "error code: 520"),), RETRIED)
    yield FaultCase("524 from Cloudflare", (Reply(524, "error code: 524"),), RETRIED)
    retry = {"x-should-retry": "true"}
    yield FaultCase("400, x-should-retry: true", (Reply(400, {"detail": "no"}, retry),), RETRIED)
    yield FaultCase("connection closed before processing", (faults.lost_request(),), RETRIED)
    yield FaultCase("connection closed before the response", (faults.dropped(),), RETRIED)
    yield FaultCase(
        "connection closed in the body",
        (faults.half_sent(),),
        RETRIED,
        exceptions=_ignored_or_empty(),
    )
    yield FaultCase(
        "connection reset in the body", (faults.reset(),), RETRIED, exceptions=_ignored_or_empty()
    )
    yield FaultCase("response is not HTTP", (faults.not_http(),), RETRIED)
    yield FaultCase("TLS alert", (faults.tls_alert(),), RETRIED)
    yield FaultCase(
        "connections refused temporarily", (faults.refused(),), RETRIED, restarts_after=3
    )
    yield FaultCase("no response", (faults.silent(),), RETRIED, settings=_SHORT)
    yield FaultCase(
        "endless body",
        (faults.endless(),),
        RETRIED,
        exceptions=_IGNORED_BODIES,
        settings=_SHORT,
    )
    yield FaultCase(
        "200, HTML page of a captive portal",
        (_html_page(200),),
        RETRIED,
        exceptions=_IGNORED_BODIES,
    )
    yield FaultCase("200, empty body", (Reply(200, ""),), RETRIED, exceptions=_IGNORED_BODIES)
    yield FaultCase(
        "truncated JSON", (faults.truncated_json(),), RETRIED, exceptions=_ignored_or_empty()
    )
    yield FaultCase(
        "invalid JSON", (faults.invalid_json(),), RETRIED, exceptions=_ignored_or_empty()
    )
    yield FaultCase("seven faults in a row", _seven_faults(), RETRIED)


def _ignored_or_empty() -> dict[str, str]:
    # Half of an empty body is the complete body.
    return {**_IGNORED_BODIES, _ARCHIVE: VALUE}


def _seven_faults() -> tuple[Any, ...]:
    return (
        faults.lost_request(),
        Reply(503, None, {"Retry-After": "2"}),
        faults.dropped(),
        Reply(429),
        _html_page(502),
        faults.not_http(),
        Reply(520, "error code: 520"),
    )


def _harmless() -> Iterator[FaultCase]:
    yield FaultCase("delayed response", (Reply, 0.05), VALUE)
    yield FaultCase("body in small pieces", (faults.trickled(),), VALUE)
    yield FaultCase("wrong content type", (faults.wrong_content_type(),), VALUE)
    yield FaultCase("non-ASCII headers", (faults.not_ascii_headers(),), VALUE)
    yield FaultCase("extra response", (faults.surplus_response(),), VALUE)
    yield FaultCase("NaN and Infinity in metrics", (faults.not_a_number(),), VALUE)
    yield FaultCase("unknown fields", (faults.unknown_fields(),), VALUE)
    yield FaultCase(
        "unknown enum values", (faults.unknown_values(),), VALUE, exceptions={_TRACE: RETRIED}
    )


def _permanent() -> Iterator[FaultCase]:
    """Faults that stay, and responses that must not be retried."""
    for status, error in (
        (400, "BadRequestError"),
        (401, "AuthenticationError"),
        (403, "PermissionDeniedError"),
        (404, "NotFoundError"),
        (422, "UnprocessableEntityError"),
    ):
        special: dict[Group, str] = _FAILED if status in (400, 422) else {}
        yield FaultCase(f"{status}", (Reply(status, {"detail": "no"}),), error, special)
    yield FaultCase(
        "410",
        (Reply(410),),
        "GoneError",
        exceptions={"result of asample": RETRIED, **_SESSION_LOST},
    )
    yield FaultCase("410 always", (Reply(410),), "GoneError", exceptions=_SESSION_LOST, always=True)
    yield FaultCase("418", (Reply(418, {"detail": "no"}),), "APIStatusError")
    yield FaultCase("501", (Reply(501),), "InternalServerError")
    stop = {"x-should-retry": "false"}
    yield FaultCase("503, x-should-retry: false", (Reply(503, None, stop),), "InternalServerError")
    user_error = {"error": "no such thing", "category": "user"}
    yield FaultCase("500, category user", (Reply(500, user_error),), "InternalServerError")
    long_delay = {"Retry-After": "1000"}
    yield FaultCase("429, Retry-After: 1000", (Reply(429, None, long_delay),), "RateLimitError")
    redirect = (faults.redirect("http://127.0.0.1:9/elsewhere"),)
    yield FaultCase(
        "redirect", redirect, "APIStatusError", exceptions={_ARCHIVE: VALUE, _AUDIT: RETRIED}
    )
    yield FaultCase("429 always", (Reply(429),), "RateLimitError", always=True)
    yield FaultCase("402 always", (Reply(402),), "BillingError", always=True)
    yield FaultCase("503 always", (Reply(503),), "InternalServerError", always=True)
    yield FaultCase("520 always", (Reply(520),), "InternalServerError", always=True)
    yield FaultCase(
        "connection always closed before the response",
        (faults.dropped(),),
        "APIConnectionError",
        always=True,
    )
    yield FaultCase(
        "connections always refused", (faults.refused(),), "APIConnectionError", always=True
    )
    ignored = {**_IGNORED_BODIES, _ARCHIVE: VALUE}
    yield FaultCase(
        "invalid JSON always", (faults.invalid_json(),), UNREADABLE, exceptions=ignored, always=True
    )
    yield FaultCase(
        "unexpected JSON structure always",
        (faults.another_shape(),),
        UNREADABLE,
        exceptions=ignored,
        always=True,
    )
    huge = (faults.huge(2 * MAX_RESPONSE_BYTES),)
    yield FaultCase("2 MB body, limit 1 MB", huge, UNREADABLE, exceptions=_IGNORED_BODIES)
    yield FaultCase("gzip bomb", (faults.bomb(5 * MAX_RESPONSE_BYTES),), UNREADABLE)


def _result_cases() -> Iterator[FaultCase]:
    """Responses that only a poll for a result can get."""
    waiting = Reply(200, {"type": "try_again", "request_id": "x", "queue_state": "active"})
    paused = Reply(200, {"type": "try_again", "queue_state": "paused_capacity"})
    failed = Reply(200, {"error": "out of memory", "category": "server"})
    announced = Reply(200, {"status": "complete_metadata", "response_payload_size": 100})
    yield FaultCase("try_again, paused queue, 408", (waiting, paused, Reply(408)), RETRIED)
    yield FaultCase("try_again always", (waiting,), "DeadlineExceededError", always=True)
    yield FaultCase("complete_metadata first", (announced,), RETRIED)
    yield FaultCase("failed request", (failed,), "RequestFailedError")
    yield FaultCase(
        "more outputs than requested", (faults.other_counts(),), VALUE, exceptions=_CHECKED_RESULTS
    )
    yield FaultCase(
        "null tokens, wrong shapes", (faults.wrong_values(),), VALUE, exceptions=_CHECKED_RESULTS
    )


def _token_cases() -> Iterator[FaultCase]:
    """Responses of a server that requires tokens."""
    yield FaultCase(TOKEN_REJECTED_ONCE, (TOKEN_REJECTED,), RETRIED)
    yield FaultCase(
        "401, tokens always rejected", (TOKEN_REJECTED,), "AuthenticationError", always=True
    )


def _of_kind(kind: Kind, cases: Iterator[FaultCase]) -> list[FaultCase]:
    return [evolve(case, kind=kind) for case in cases]


CASES = [
    *_of_kind("transient", _transient()),
    *_of_kind("harmless", _harmless()),
    *_of_kind("permanent", _permanent()),
]
RESULT_CASES = list(_result_cases())
TOKEN_CASES = list(_token_cases())
# Pairs that are not faults, or are tested elsewhere.
_EXCLUDED = {
    # The client then uses `forward_backward` with a flag: tests/wire/test_dialects.py.
    ("forward", "501"),
    # The default reply.
    ("cancel_future", "200, empty body"),
}


def cases_for(operation: OperationUnderTest) -> list[FaultCase]:
    """The cases of one operation."""
    cases = [case for case in CASES if (operation.endpoint, case.name) not in _EXCLUDED]
    if operation.group == "result":
        return cases + RESULT_CASES
    with_token = operation.group == LATE_PROTOCOL and operation.endpoint not in TOKENLESS
    return cases + (TOKEN_CASES if with_token else [])
