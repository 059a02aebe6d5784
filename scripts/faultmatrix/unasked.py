"""The rows of what a client sends by itself to a server of a later release."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from faultmatrix import by_itself as calls
from faultmatrix.background import MANY
from faultmatrix.cases import TOKEN_REFUSED
from faultmatrix.later_server import LaterServer
from faultmatrix.operation import LATER, Operation
from faultmatrix.outcomes import AGAIN, VALUE, WITHOUT, Ends

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from faultmatrix.scene import Scene

# Nothing else gets through, either.
_DOWN = {"refused always": "APIConnectionError"}
_AWAY = {
    **_DOWN,
    "answers lost always": "APIConnectionError",
    "429, Retry-After: 1000": "RateLimitError",
    "429 always": "RateLimitError",
    "402 always": "BillingError",
}
# Of the exchange: answers that say that there are no tokens to be had.
_NO_TOKENS = dict.fromkeys(
    ("400", "404", "422", "410", "410 always", "418", "501", "a redirect"),
    "APIResponseValidationError",
)
_REFUSED = {TOKEN_REFUSED: AGAIN}


def _itself(scene: Scene) -> Scene:
    return scene


def _of_config() -> Iterator[Operation]:
    """The question what a server speaks, without which it is spoken to as 0.4.1's."""
    # What passes, or can't be read, is asked again with the next call; what is refused is not.
    asked_again = dict.fromkeys(
        ("503, x-should-retry: false", "500, category user", "2 MB, 1 MB allowed", "a gzip bomb"),
        AGAIN,
    )
    storm = {"a storm of everything": WITHOUT}
    yield _operation(
        "client/config",
        "get_client_config",
        calls.introduce,
        Ends(AGAIN, WITHOUT, {**_AWAY, **asked_again, **storm}),
        server=partial(LaterServer, pjwt_auth_enabled=False),
    )
    # The key is then refused, so that it is asked again, until it answers.
    no_answer = {"410 always": "AuthenticationError"}
    failing = dict.fromkeys(("503 always", "520 always"), "InternalServerError")
    unreadable = dict.fromkeys(
        ("no JSON always", "another shape always"), "APIResponseValidationError"
    )
    yield _operation(
        "client/config, tokens wanted",
        "get_client_config",
        calls.introduce,
        Ends(AGAIN, AGAIN, {**_AWAY, **no_answer, **failing, **unreadable}),
    )


def _of_dynamic_config() -> Iterator[Operation]:
    """The question for what may change, without which the client knows what it knew before."""
    endpoint = "get_client_dynamic_config"
    yield _operation(
        "client/dynamic_config",
        endpoint,
        calls.introduce_wholly,
        Ends(WITHOUT, WITHOUT, {**_DOWN, **_REFUSED}),
    )
    yield _operation(
        "client/dynamic_config, due again",
        endpoint,
        calls.ask_when_due,
        Ends(VALUE, VALUE),
        prepare=calls.introduced,
        sends=MANY,
    )


def _of_tokens() -> Iterator[Operation]:
    """The exchange of the key for a token, without which nothing is answered."""
    endpoint = "create_auth_token"
    ends = Ends(AGAIN, but=_NO_TOKENS)
    yield _operation("auth/token", endpoint, calls.introduce_wholly, ends)
    yield _operation(
        "auth/token, the last refused",
        endpoint,
        calls.call_after_a_revocation,
        ends,
        prepare=calls.introduced,
    )
    yield _operation(
        "auth/token, the last near its end",
        endpoint,
        calls.call_near_the_end,
        Ends(WITHOUT, WITHOUT, {**_DOWN, "401": "AuthenticationError"}),
        prepare=calls.introduced,
    )


def _of_samples() -> Iterator[Operation]:
    """What makes many samples cheaper, and is done without where it can't be had."""
    lacking = dict.fromkeys(("404", "501"), WITHOUT)
    yield _operation(
        "join_sampling_session",
        "join_sampling_session",
        calls.sample_in_a_copy,
        Ends(AGAIN, but={**lacking, **_REFUSED}),
        prepare=calls.opened,
        counts=1,
    )
    # It is tried for 30 s in all.
    too_long = {"429, Retry-After: 30": WITHOUT}
    yield _operation(
        "retrieve_futures",
        "retrieve_futures",
        calls.sample,
        Ends(AGAIN, WITHOUT, {**_DOWN, **_REFUSED, **too_long, "400": AGAIN}),
        prepare=calls.opened,
        counts=1,
    )
    # It reads nothing, and the server has done it though no answer arrives.
    done = dict.fromkeys(
        (
            *("silence", "a body without end", "half of the body", "reset in the middle"),
            *("200, HTML of a portal", "half of the JSON", "no JSON", "no JSON always"),
            *("another shape always", "2 MB, 1 MB allowed", "a gzip bomb"),
        ),
        VALUE,
    )
    yield _operation(
        "cancel_future",
        "cancel_future",
        calls.give_one_up,
        Ends(AGAIN, WITHOUT, {**too_long, **_REFUSED, **done, "answers lost always": AGAIN}),
        server=partial(LaterServer, sample_use_retrieve_futures=False),
        counts=3,
    )


def _operation(
    name: str,
    endpoint: str,
    run: Callable[[Any], Any],
    ends: Ends,
    *,
    prepare: Callable[[Scene], Any] = _itself,
    server: Callable[[], LaterServer] = LaterServer,
    sends: int = 1,
    counts: int = 0,
) -> Operation:
    return Operation(
        name, LATER, endpoint, prepare, run, sends, counts=counts, server=server, ends=ends
    )


OPERATIONS = [*_of_config(), *_of_dynamic_config(), *_of_tokens(), *_of_samples()]
