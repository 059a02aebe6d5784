"""The columns: what happens to requests, and what is to come of it."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Literal

from attrs import evolve, field, frozen

from faultmatrix.later_server import REFUSED, TOKENLESS
from faultmatrix.operation import LATER
from faultmatrix.outcomes import AGAIN, VALUE
from faultmatrix.scene import MOST_BYTES
from tinker_ext.testing import Reply, faults

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faultmatrix.operation import Group, Operation

Kind = Literal["passing", "harmless", "lasting"]

#: Seconds for one request where it is about silence.
SHORT_TIMEOUT = 0.5


@frozen
class Case:
    """A column: what happens to requests, and what is to come of it.

    Attributes:
        answers: given once, in order; or with `always` the one given every time.
        expect: the outcome of all groups that `by_group` does not name; what is sent in the
            background is no trouble of the user's in any case that `but` does not name.
        but: the outcome of single operations, by their row's name.
        settings: of the client.
        comes_back: after how many waits the server listens again.
        kind: whether it passes, lasts, or does no harm.
    """

    name: str
    answers: tuple[Any, ...]
    expect: str
    by_group: dict[Group, str] = field(factory=dict)
    but: dict[str, str] = field(factory=dict)
    always: bool = False
    settings: dict[str, Any] = field(factory=dict)
    comes_back: int | None = None
    kind: Kind = "lasting"

    def expected(self, operation: Operation) -> str:
        if operation.ends is not None:
            return operation.ends.of(self)
        if operation.name == "get_client_config" and self.name not in _SAYS_NOTHING:
            return VALUE
        return self.but.get(operation.name, self.default_reply(operation.group))

    def default_reply(self, group: Group) -> str:
        """The outcome of a group's operations."""
        return self.by_group.get(group, VALUE if group == "background" else self.expect)


def _html(status: int) -> faults.Fault:
    return faults.proxy_page(status)


def _date(seconds: float) -> str:
    return formatdate(time.time() + seconds, usegmt=True)


UNREADABLE = "APIResponseValidationError"
# These read no body, so nothing can be wrong with it.
_READ_NOTHING = dict.fromkeys(
    (
        "delete_checkpoint",
        "publish_checkpoint",
        "unpublish_checkpoint",
        "set_checkpoint_ttl",
        "set_session_project",
    ),
    VALUE,
)
# What the server says of a session that it has ended (0.38.0).
_ENDED = {"session_heartbeat": "SessionLostError"}
# Whatever else comes of asking a server what it speaks says that it speaks what 0.4.1 does.
_SAYS_NOTHING = frozenset(
    {"429", "429, Retry-After: 30", "429, Retry-After: 1000", "429 always", "402", "402 always"}
    | {"request lost", "answer lost", "half of the body", "reset in the middle", "no HTTP at all"}
    | {"a TLS alert"}
    | {"answers lost always", "refused, then back", "refused always", "a storm of everything"}
)
# Its answer is a redirect.
_ARCHIVE = "get_checkpoint_archive_url"
# Its answer may be elsewhere.
_AUDIT = "get_audit_log"
#: A case of an operation that is sent with a token.
TOKEN_REFUSED = "401, the token refused"
# Is asked again while it is not ready, and any unknown word is taken for that.
_TRACE = "get_session_trace_export"
_FAILED: dict[Group, str] = {"result": "RequestFailedError"}
_SHORT = {"timeout": SHORT_TIMEOUT, "archive_timeout": SHORT_TIMEOUT, "connect_timeout": 5.0}


# These hold what was asked for: tokens, tensors, a number of them.
_MISFITS = dict.fromkeys(
    (
        *("result of forward", "result of forward_backward", "result of asample"),
        *("result of custom loss: forward", "result of custom loss: forward_backward"),
    ),
    UNREADABLE,
)


def _once() -> Iterator[Case]:
    """Faults that pass."""
    for status in (408, 409, 429):
        special: dict[Group, str] = _FAILED if status == 409 else {}
        yield Case(f"{status}", (Reply(status, {"detail": "no"}),), AGAIN, special)
    yield Case("429, Retry-After: 30", (Reply(429, None, {"Retry-After": "30"}),), AGAIN)
    yield Case("402", (Reply(402, {"detail": "pay"}),), AGAIN)
    yield Case("500 as text", (Reply(500, "Internal Server Error"),), AGAIN)
    yield Case("502, HTML of a proxy", (_html(502),), AGAIN)
    later = {"Retry-After": _date(20)}
    yield Case("503, Retry-After: a date", (Reply(503, None, later),), AGAIN)
    yield Case("504", (Reply(504),), AGAIN)
    yield Case("520 of Cloudflare", (Reply(520, "error code: 520"),), AGAIN)
    yield Case("524 of Cloudflare", (Reply(524, "error code: 524"),), AGAIN)
    again = {"x-should-retry": "true"}
    yield Case("400, x-should-retry: true", (Reply(400, {"detail": "no"}, again),), AGAIN)
    yield Case("request lost", (faults.lost_request(),), AGAIN)
    yield Case("answer lost", (faults.dropped(),), AGAIN)
    yield Case("half of the body", (faults.half_sent(),), AGAIN, but=_whole_when_empty())
    yield Case("reset in the middle", (faults.reset(),), AGAIN, but=_whole_when_empty())
    yield Case("no HTTP at all", (faults.not_http(),), AGAIN)
    yield Case("a TLS alert", (faults.tls_alert(),), AGAIN)
    yield Case("refused, then back", (faults.refused(),), AGAIN, comes_back=3)
    yield Case("silence", (faults.silent(),), AGAIN, settings=_SHORT)
    yield Case("a body without end", (faults.endless(),), AGAIN, but=_READ_NOTHING, settings=_SHORT)
    yield Case("200, HTML of a portal", (_html(200),), AGAIN, but=_READ_NOTHING)
    yield Case("200, no body", (Reply(200, ""),), AGAIN, but=_READ_NOTHING)
    yield Case("half of the JSON", (faults.truncated_json(),), AGAIN, but=_whole_when_empty())
    yield Case("no JSON", (faults.invalid_json(),), AGAIN, but=_whole_when_empty())
    yield Case("a storm of everything", _storm(), AGAIN)


def _whole_when_empty() -> dict[str, str]:
    # Half of nothing is nothing: the answer is whole, and the connection ends after it.
    return {**_READ_NOTHING, _ARCHIVE: VALUE}


def _storm() -> tuple[Any, ...]:
    return (
        faults.lost_request(),
        Reply(503, None, {"Retry-After": "2"}),
        faults.dropped(),
        Reply(429),
        _html(502),
        faults.not_http(),
        Reply(520, "error code: 520"),
    )


def _harmless() -> Iterator[Case]:
    yield Case("a delay", (Reply, 0.05), VALUE)
    yield Case("a trickle", (faults.trickled(),), VALUE)
    yield Case("wrong content type", (faults.wrong_content_type(),), VALUE)
    yield Case("non-ASCII headers", (faults.not_ascii_headers(),), VALUE)
    yield Case("a surplus response", (faults.surplus_response(),), VALUE)
    yield Case("NaN and Infinity", (faults.not_a_number(),), VALUE)
    yield Case("unknown fields", (faults.unknown_fields(),), VALUE)
    yield Case("unknown words", (faults.unknown_values(),), VALUE, but={_TRACE: AGAIN})


def _lasting() -> Iterator[Case]:
    """What is refused, or never gets better."""
    for status, error in (
        (400, "BadRequestError"),
        (401, "AuthenticationError"),
        (403, "PermissionDeniedError"),
        (404, "NotFoundError"),
        (422, "UnprocessableEntityError"),
    ):
        special: dict[Group, str] = _FAILED if status in (400, 422) else {}
        yield Case(f"{status}", (Reply(status, {"detail": "no"}),), error, special)
    yield Case("410", (Reply(410),), "GoneError", but={"result of asample": AGAIN, **_ENDED})
    yield Case("410 always", (Reply(410),), "GoneError", but=_ENDED, always=True)
    yield Case("418", (Reply(418, {"detail": "no"}),), "APIStatusError")
    yield Case("501", (Reply(501),), "InternalServerError")
    stop = {"x-should-retry": "false"}
    yield Case("503, x-should-retry: false", (Reply(503, None, stop),), "InternalServerError")
    blamed = {"error": "no such thing", "category": "user"}
    yield Case("500, category user", (Reply(500, blamed),), "InternalServerError")
    patience = {"Retry-After": "1000"}
    yield Case("429, Retry-After: 1000", (Reply(429, None, patience),), "RateLimitError")
    elsewhere = (faults.redirect("http://127.0.0.1:9/elsewhere"),)
    yield Case("a redirect", elsewhere, "APIStatusError", but={_ARCHIVE: VALUE, _AUDIT: AGAIN})
    yield Case("429 always", (Reply(429),), "RateLimitError", always=True)
    yield Case("402 always", (Reply(402),), "BillingError", always=True)
    yield Case("503 always", (Reply(503),), "InternalServerError", always=True)
    yield Case("520 always", (Reply(520),), "InternalServerError", always=True)
    yield Case("answers lost always", (faults.dropped(),), "APIConnectionError", always=True)
    yield Case("refused always", (faults.refused(),), "APIConnectionError", always=True)
    nothing = {**_READ_NOTHING, _ARCHIVE: VALUE}
    yield Case("no JSON always", (faults.invalid_json(),), UNREADABLE, but=nothing, always=True)
    yield Case(
        "another shape always", (faults.another_shape(),), UNREADABLE, but=nothing, always=True
    )
    huge = (faults.huge(2 * MOST_BYTES),)
    yield Case("2 MB, 1 MB allowed", huge, UNREADABLE, but=_READ_NOTHING)
    yield Case("a gzip bomb", (faults.bomb(5 * MOST_BYTES),), UNREADABLE)


def _of_results() -> Iterator[Case]:
    """What only the result of submitted work can be."""
    waiting = Reply(200, {"type": "try_again", "request_id": "x", "queue_state": "active"})
    paused = Reply(200, {"type": "try_again", "queue_state": "paused_capacity"})
    failed = Reply(200, {"error": "out of memory", "category": "server"})
    announced = Reply(200, {"status": "complete_metadata", "response_payload_size": 100})
    yield Case("try again, queue paused, 408", (waiting, paused, Reply(408)), AGAIN)
    yield Case("try again always", (waiting,), "DeadlineExceededError", always=True)
    yield Case("a result announced", (announced,), AGAIN)
    yield Case("failed work", (failed,), "RequestFailedError")
    yield Case("more than was asked for", (faults.other_counts(),), VALUE, but=_MISFITS)
    yield Case("null tokens, wrong shapes", (faults.wrong_values(),), VALUE, but=_MISFITS)


def _of_tokens() -> Iterator[Case]:
    """What only a server can answer that wants tokens, and not where it is asked for one."""
    yield Case(TOKEN_REFUSED, (REFUSED,), AGAIN)
    yield Case("401, any token refused", (REFUSED,), "AuthenticationError", always=True)


def _of_kind(kind: Kind, cases: Iterator[Case]) -> list[Case]:
    return [evolve(case, kind=kind) for case in cases]


CASES = [
    *_of_kind("passing", _once()),
    *_of_kind("harmless", _harmless()),
    *_of_kind("lasting", _lasting()),
]
RESULT_CASES = list(_of_results())
TOKEN_CASES = list(_of_tokens())
# What is no fault of the operation, or is another one's trouble.
_NOT_MEANT = {
    # A server without `forward` is asked in another dialect from then on: tests/wire/test_dialects.
    ("forward", "501"),
    # Its usual answer.
    ("cancel_future", "200, no body"),
}


def columns(operation: Operation) -> list[Case]:
    """The cases of one operation."""
    default_reply = [case for case in CASES if (operation.endpoint, case.name) not in _NOT_MEANT]
    if operation.group == "result":
        return default_reply + RESULT_CASES
    with_token = operation.group == LATER and operation.endpoint not in TOKENLESS
    return default_reply + (TOKEN_CASES if with_token else [])
