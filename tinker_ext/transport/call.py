"""What one call adds to a request: its name, headers and time limit.

The generated functions have no argument for any of these, so they travel in a context variable
that the HTTP client reads when it builds the request.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal

from attrs import field, frozen

from tinker_ext.redaction.redactor import REQUEST_ID, kept_headers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tinker_ext.redaction.secret import Secret

#: What a call proves itself with: what is current, or the user's own key whatever is current.
Credential = Literal["current", "key"]


@frozen
class Call:
    """The operation's name, its extra headers, its limit in seconds (None: the default)."""

    operation: str
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    timeout: float | None = None
    # Redirects are an answer for the one operation whose answer is a redirect.
    redirect_is_answer: bool = False
    # The answer may be in a storage that the server only points to.
    follows_redirect: bool = False
    # What must not be shown of what is sent, beside the credentials of every request.
    secrets: tuple[Secret, ...] = ()
    # The key itself for what comes before there is a token: the configuration, and the exchange.
    credential: Credential = "current"
    # Whether a success is handed on as it is, though it may say a secret that we know.
    answer_is_secret: bool = False
    # Fields that the server has no use for: they are left out where nothing is said by them.
    omit_if_default: frozenset[str] = frozenset()
    # The server's names for the answers that came: for errors of what is done with them later.
    request_ids: list[str] = field(factory=list, repr=False, eq=False)

    @property
    def request_id(self) -> str | None:
        """The name of the last answer, fit to be shown."""
        if not self.request_ids:
            return None
        return kept_headers({REQUEST_ID: self.request_ids[-1]})[REQUEST_ID]


_current: ContextVar[Call] = ContextVar("tinker_ext_call")


def current_call() -> Call:
    return _current.get()


@contextmanager
def call_context(call: Call) -> Iterator[None]:
    """Make `call` the current one of this task."""
    token = _current.set(call)
    try:
        yield
    finally:
        _current.reset(token)
