"""Adapts the requests of one call to the responses of the server, by `protocol.adaptation`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from attrs import evolve

from tinker_ext.errors import (
    APIStatusError,
    RequestErrorCategory,
    SessionLostError,
    status_phrase,
)
from tinker_ext.protocol.adaptation import (
    after_error,
    after_success,
    first_attempt,
    learn_from_error,
    reports_first_error,
    server_error_attempts,
    with_known,
)
from tinker_ext.protocol.error_responses import advice, is_lost, restriction
from tinker_ext.rules.retry import parse_should_retry
from tinker_ext.tracing import log

if TYPE_CHECKING:
    from tinker_ext.protocol.server_protocol import ServerProtocol
    from tinker_ext.rules.retry import RetryPolicy

# Status codes of errors about a missing object.
_LOST_STATUSES = frozenset({400, 404, 410})


class _Server(Protocol):
    """Holds the protocol known of the server."""

    protocol: ServerProtocol


class Adapter:
    """The form of one call's requests. On the event loop only."""

    def __init__(self, server: _Server, operation: str) -> None:
        self._server = server
        self._operation = operation
        self._attempt = first_attempt(server.protocol, operation)
        self._first_error: APIStatusError | None = None

    def policy(self, policy: RetryPolicy) -> RetryPolicy:
        """The retry policy of the next request."""
        limit = server_error_attempts(self._attempt)
        return policy if limit is None else evolve(policy, server_error_attempts=limit)

    def next_protocol(self) -> ServerProtocol:
        """The protocol to build the next request with."""
        self._attempt = with_known(self._attempt, self._server.protocol, self._operation)
        return self._attempt.protocol

    def accepted(self) -> None:
        """Learn from the server's acceptance of the last request."""
        known = self._server.protocol
        learned = after_success(self._attempt, known, self._operation)
        if learned is not known:
            self._server.protocol = learned
            if self._attempt.resends:
                self._log_switch()

    def rejected(self, error: APIStatusError) -> None:
        """Prepare the next request after an error response.

        Raises:
            APIStatusError: the request is not sent again; this error, or that to the first form.
            SessionLostError: the server no longer knows the request's model or session.
        """
        operation, status, body = self._operation, error.status_code, error.body
        known = self._server.protocol
        learned = learn_from_error(known, operation, status, body)
        if learned != known:
            self._server.protocol = learned
            self._log_switch()
        attempt = after_error(
            self._attempt, learned, operation, status, body, final=_is_final(error)
        )
        if attempt is None:
            reported = self._reported(error)
            if reported.status_code in _LOST_STATUSES and is_lost(operation, reported.body):
                raise SessionLostError(reported.message) from reported
            raise reported
        if attempt.first_status is None:
            self._first_error = None
        elif self._attempt.first_status is None:
            self._first_error = error
            log.info(
                "%s: trying training data as %s after an error of the server: %s",
                operation,
                attempt.protocol.form_of(operation),
                error.message,
            )
        self._attempt = attempt

    def trial_failed(self) -> APIStatusError | None:
        """The error to report if the request can't be built in the form on trial."""
        return None if self._first_error is None else self._reported(self._first_error)

    def _reported(self, error: APIStatusError) -> APIStatusError:
        first, protocol = self._first_error, self._server.protocol
        if first is None or not reports_first_error(
            self._attempt, first.body, error.status_code, error.body
        ):
            first = error
        hint = advice(self._operation, first.status_code, first.body, protocol)
        first.mark_unsupported(hint)
        if hint is None and not first.hint:
            first.hint = restriction(self._operation, first.body) or ""
        if first is not error:
            form = self._attempt.protocol.form_of(self._operation)
            first.hint = (
                f"{first.hint} Sent with training data as {form}, the request was rejected too: "
                f"{status_phrase(error.status_code)}: {error.message}"
            ).lstrip()
        return first

    def _log_switch(self) -> None:
        log.info(
            "%s: switched protocol after an error of the server: %s",
            self._operation,
            self._server.protocol,
        )


def _is_final(error: APIStatusError) -> bool:
    """Whether the server has said that a retry would not help."""
    is_users = error.category is RequestErrorCategory.USER
    return is_users or parse_should_retry(error.headers) is False
