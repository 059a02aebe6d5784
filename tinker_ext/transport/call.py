"""The name, headers, timeout and secrets of one API call.

The generated functions take no such parameters, so a context variable passes them to the HTTP
client, which reads it when it builds the request.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal

from attrs import evolve, field, frozen

from tinker_ext.redaction.redactor import REQUEST_ID, kept_headers
from tinker_ext.redaction.secret import remembered

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx

    from tinker_ext.redaction.secret import Secret

# Minimum characters of a signed URL's query value that may be part of its signature.
_SIGNATURE = 16

#: The credential of a call: the current one (a token, if the server issues them), or the API key.
Credential = Literal["current", "key"]


@frozen
class Call:
    """An operation's name, additional headers, and timeout in seconds (None: the default)."""

    operation: str
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    timeout: float | None = None
    # Return a redirect as a success: its headers are the result of the operation.
    accepts_redirect: bool = False
    # Follow a redirect to storage, without credentials.
    follows_redirect: bool = False
    # Secrets of the request to redact, besides the credentials of every request.
    secrets: tuple[Secret, ...] = ()
    # "key" for the requests that precede a token: the configuration, and the exchange.
    credential: Credential = "current"
    # Don't redact a successful response: a secret is what was requested.
    response_is_secret: bool = False
    # Fields this server rejects; omitted from the request while they hold their default.
    omit_if_default: frozenset[str] = frozenset()
    # The request ids of the responses, for errors raised after the response was received.
    request_ids: list[str] = field(factory=list, repr=False, eq=False)

    @property
    def request_id(self) -> str | None:
        """The request id of the last response, redacted."""
        if not self.request_ids:
            return None
        return kept_headers({REQUEST_ID: self.request_ids[-1]})[REQUEST_ID]

    def with_url_secrets(self, url: httpx.URL) -> Call:
        """A copy that also redacts the signature in the query of a signed URL."""
        values = (value for value in url.params.values() if len(value) >= _SIGNATURE)
        return evolve(self, secrets=(*self.secrets, *remembered(values)))


_current: ContextVar[Call] = ContextVar("tinker_ext_call")


def current_call() -> Call:
    return _current.get()


@contextmanager
def call_context(call: Call) -> Iterator[None]:
    """Makes `call` the current call of this task."""
    token = _current.set(call)
    try:
        yield
    finally:
        _current.reset(token)
