"""A connection to one server: opened on first use, with the protocol negotiated on the way."""

from __future__ import annotations

import asyncio
import copy
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import evolve
from tinker_api import models
from tinker_api.retry_table import RETRY

from tinker_ext import tracing
from tinker_ext.config import ClientConfig
from tinker_ext.errors import (
    APIConnectionError,
    APIError,
    APIStatusError,
    InvalidInputError,
    RequestErrorCategory,
    SessionLostError,
    status_phrase,
)
from tinker_ext.protocol.adaptation import (
    FIELD_ERRORS,
    after_error,
    after_negotiation,
    after_success,
    first_attempt,
    learn_from_error,
    reports_first_error,
    server_error_attempts,
    with_known,
)
from tinker_ext.protocol.error_responses import advice, is_lost, restriction
from tinker_ext.protocol.server_protocol import BASELINE, Flags, ServerProtocol
from tinker_ext.redaction.secret import Secret
from tinker_ext.rules.retry import BACKOFF_BASE, RetryPolicy, parse_should_retry
from tinker_ext.rules.token_validity import should_renegotiate
from tinker_ext.runtime.concurrency import tasks
from tinker_ext.runtime.connection.client_limits import ClientLimits
from tinker_ext.runtime.connection.negotiation import FirstContact, Negotiator
from tinker_ext.runtime.credentials import CredentialSource
from tinker_ext.runtime.retrying import Retrier
from tinker_ext.timeouts import REAL_CLOCK
from tinker_ext.tracing import log
from tinker_ext.transport import operations
from tinker_ext.transport.auth import TOKEN_OPERATION, exchange_key, read_token
from tinker_ext.transport.connections import build_gateway
from tinker_ext.transport.gateway import Gateway
from tinker_ext.transport.operations import Request, new_idempotency_key

if TYPE_CHECKING:
    import httpx


T = TypeVar("T")

#: The operation that polls for a result.
RETRIEVE = "retrieve_future"
# Retry windows in seconds; ours. Operations that only save work are given up sooner.
_WINDOWS = {"cancel_future": 30.0, "retrieve_futures": 30.0}
# Operations that only read.
_READS = frozenset(name for name in RETRY if name.startswith(("get_", "list_", "search_")))
# First backoff in seconds; release 0.38.0.
_BACKOFFS = {"retrieve_futures": 1.0}


class Connection:
    """Sends requests for all clients that share it, on the event loop only.

    It holds no reference to its clients. Background tasks (heartbeats, telemetry) refer to the
    connection and not to the client, so that a dropped client can be garbage-collected.

    Attributes:
        protocol: the protocol negotiated with the server, and what its errors have shown since.
        base_url: the server's URL; None until it is known.
        keys: the credentials to send.
        limits: the budgets of work in flight.
    """

    def __init__(
        self,
        config: ClientConfig,
        find_base_url: Callable[[], str],
        retrier: Retrier,
        check_server: Callable[[], None],
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        """`check_server` raises an error if no later request can succeed."""
        self.retrier = retrier
        self.protocol = BASELINE
        self.base_url: str | None = None
        self._config = config
        self._find_base_url = find_base_url
        self._transport = transport
        self._check_server = check_server
        # Credentials expire by the retry clock, but are refreshed in real time, as heartbeats are.
        self.keys = CredentialSource(config, evolve(retrier.clock, sleep=REAL_CLOCK.sleep))
        self.limits = ClientLimits(config)
        self._connecting: asyncio.Task[Gateway] | None = None
        self._gateway: Gateway | None = None
        self._negotiator = Negotiator(self._on_negotiated, self._on_flags, retrier.clock)
        self._refreshing: asyncio.Task[None] | None = None
        self._contact = FirstContact(retrier.throttle)
        # The protocol, by operation, about which the acceptance of a request teaches nothing more.
        self._accepted_by: dict[str, ServerProtocol] = {}

    async def call(
        self,
        request: Request[T],
        *,
        session_id: str | None = None,
        adjust: Callable[[RetryPolicy], RetryPolicy] | None = None,
        is_bounded: bool = False,
    ) -> T:
        """Execute one logical call, with retries, under one idempotency key.

        `adjust` changes the policy of the operation. Unless the call `is_bounded`, it fails soon if
        the server does not respond to the first requests.
        """
        operation = request.operation.name
        gateway = self._gateway or await self.gateway()
        if not (is_bounded or self._contact.made):
            call = self.call(request, session_id=session_id, adjust=adjust, is_bounded=True)
            return await self._contact.within(self._config.retry_window, operation, call)
        key = request.idempotency_key = request.idempotency_key or new_idempotency_key()
        protocol = self.protocol
        adapter: Adapter | None = None
        traced = tracing.observed_operation.get()
        sent = has_responded = renegotiated = False

        async def attempt() -> T:
            nonlocal sent, has_responded, protocol
            sent = False
            if not self._negotiator.done:
                await self._negotiate(gateway, operation)
            if self.retrier.clock.now() >= self._negotiator.refresh_at:
                self._negotiator.refresh_at = math.inf
                self._refreshing = tasks.create_detached_task(self._refresh_flags(gateway))
            sent, has_responded = True, self._negotiator.has_responded
            protocol = self.protocol if adapter is None else adapter.next_protocol()
            if traced is not None and traced.detailed:  # The other operations have equal values.
                traced.set({tracing.DIALECT: protocol.release})
            try:
                value = await gateway.send(request, protocol)
            except APIStatusError:
                self._contact.make()
                raise
            except APIConnectionError:
                self._check_server()
                raise
            if not self._contact.made:
                self._contact.make()
            return value

        def policy() -> RetryPolicy:
            nonlocal adapter
            adapter = adapter or Adapter(self, operation, protocol)
            adapted = adapter.policy(self.policy(operation))
            return adapted if adjust is None else adjust(adapted)

        while True:
            try:
                logged = tracing.log_request_id.set(key)
                try:
                    if traced is None:
                        value = await self.retrier.run(attempt, operation=operation, policy=policy)
                    else:
                        with tracing.submitting(traced, session_id, key):
                            value = await self.retrier.run(
                                attempt, operation=operation, policy=policy
                            )
                finally:
                    tracing.log_request_id.reset(logged)
            except InvalidInputError:
                error_of_first_form = None if adapter is None else adapter.trial_failed()
                if error_of_first_form is None:
                    raise
                raise error_of_first_form from None
            except APIStatusError as error:
                if not sent or error.operation == TOKEN_OPERATION != operation:
                    raise  # The error belongs to a request that precedes the operation.
                if should_renegotiate(
                    error.status_code,
                    error.headers,
                    negotiated=has_responded,
                    renegotiated=renegotiated,
                ):
                    renegotiated = True
                    self._negotiator.require()
                    log.info(
                        "%s: key rejected as an invalid token; "
                        "re-checking whether the server requires tokens: %s",
                        operation,
                        error.message,
                    )
                else:
                    adapter = adapter or Adapter(self, operation, protocol)
                    adapter.rejected(error)
            else:
                if adapter or not (protocol is self.protocol is self._accepted_by.get(operation)):
                    self._learn_from_success(operation, protocol, adapter)
                return value

    def _learn_from_success(
        self, operation: str, protocol: ServerProtocol, adapter: Adapter | None
    ) -> None:
        """Learn from the acceptance of a request, which `adapter` may have changed."""
        (adapter or Adapter(self, operation, protocol)).accepted()
        if protocol is self.protocol:
            self._accepted_by[operation] = protocol

    def policy(self, operation: str) -> RetryPolicy:
        """The retry policy of an operation."""
        flags = self.protocol.flags
        once = flags is not None and flags.sample_no_retries and operation == "asample"
        retries = self._config.max_retries
        max_attempts = None if retries is None else retries + 1
        return RetryPolicy(
            max_elapsed=min(self._config.retry_window, _WINDOWS.get(operation, math.inf)),
            max_attempts=1 if once else max_attempts,
            backoff_base=_BACKOFFS.get(operation, BACKOFF_BASE),
            billing_max_elapsed=self._billing_window(),
            reads=operation in _READS,
            # Marked in the specification (x-retry).
            repeatable=RETRY.get(operation) != "never",
        )

    def _billing_window(self) -> float:
        flags = self.protocol.flags
        if flags is None or not self._config.is_default("billing_window"):
            return self._config.billing_window
        return float(flags.billing_exception_max_pause_duration_sec)

    async def _negotiate(self, gateway: Gateway, operation: str) -> None:
        """Ensure that the protocol is negotiated."""
        try:
            await self._negotiator.ensure(gateway)
            if self._negotiator.has_responded:
                self._contact.make()
        except APIError as shared:
            error = copy.copy(shared)  # Concurrent calls get the same error.
            error.operation = operation
            raise error from None

    async def _refresh_flags(self, gateway: Gateway) -> None:
        dynamic = await self._negotiator.refresh(gateway, self.protocol.dynamic)
        self.protocol = evolve(self.protocol, dynamic=dynamic)  # It may have changed meanwhile.

    async def _on_flags(self, gateway: Gateway, flags: Flags) -> None:
        """Exchange the key for a token if the server requires tokens, before other requests.

        Raises:
            ConfigurationError: the server requires a key from a command, and none is configured.
            APIError: the exchange failed.
        """
        if not flags.pjwt_auth_enabled:
            return

        async def exchange() -> Secret:
            request = exchange_key()
            request.idempotency_key = new_idempotency_key()
            return read_token(request, await gateway.send(request))

        command_only = flags.credential_default_source == "credential_cmd"
        await self.keys.enable_exchange(exchange, command_only=command_only)

    def _on_negotiated(self, protocol: ServerProtocol) -> None:
        protocol = self.protocol = after_negotiation(self.protocol, protocol)
        log.info("%s: negotiated protocol: %s", self.base_url, protocol)
        if protocol.flags is not None:
            self.limits.apply_server_flags(protocol.flags)

    async def gateway(self) -> Gateway:
        """The gateway to the server's operations; connects on first use."""
        if self._connecting is None or tasks.has_failed(self._connecting):
            self._connecting = tasks.create_shared_task(self._connect())
        if not self._connecting.done():
            with tracing.stage(tracing.Stage.CONNECT):
                return await asyncio.shield(self._connecting)
        return self._connecting.result()

    async def _connect(self) -> Gateway:
        base_url = self.base_url = await asyncio.to_thread(self._find_base_url)
        self._gateway = build_gateway(
            self._config,
            base_url,
            self._transport,
            keys=self.keys,
            reserve=self.limits.body_bytes.reserve,
        )
        return self._gateway

    async def send(self, request: Request[T]) -> T:
        """Send a request once, without retries."""
        gateway = self._gateway or await self.gateway()
        return await gateway.send(request, self.protocol)

    async def negotiated(self, operation: str) -> ServerProtocol:
        """The protocol, after the negotiation that precedes the first request.

        Retries and errors are those of `operation`.
        """
        gateway = await self.gateway()
        await self.retrier.run(
            lambda: self._negotiate(gateway, operation),
            operation=operation,
            policy=lambda: self.policy(operation),
        )
        return self.protocol

    async def poll(self, request_id: str, *, operation: str, iteration: int, whole: bool) -> Any:
        """Poll once for a result. Unless `whole` is set, the server may return its size instead."""
        gateway = self._gateway or await self.gateway()
        adapter: Adapter | None = None
        while True:
            request = operations.PollRequest(request_id, operation, iteration, whole=whole)
            protocol = self.protocol if adapter is None else adapter.next_protocol()
            try:
                body = await gateway.send(request, protocol)
            except APIStatusError as error:
                if error.status_code not in FIELD_ERRORS:
                    raise
                adapter = adapter or Adapter(self, RETRIEVE, protocol)
                adapter.rejected(error)
            except APIConnectionError:
                self._check_server()
                raise
            else:
                if adapter or not (protocol is self.protocol is self._accepted_by.get(RETRIEVE)):
                    self._learn_from_success(RETRIEVE, protocol, adapter)
                return body

    async def beat(self, session_id: str) -> None:
        """Send one heartbeat, without retries."""
        body = models.SessionHeartbeatRequest(session_id=session_id)
        await self.send(operations.session_heartbeat(body=body))

    async def send_telemetry(self, body: models.TelemetrySendRequest) -> None:
        """Send events, without retries."""
        await self.send(operations.send_telemetry(body=body))

    async def close(self) -> None:
        """Stop all background tasks and close the sockets."""
        await self.keys.close()
        await self._negotiator.close()
        for task in (self._refreshing, self._connecting):
            if task is not None:
                task.cancel()
                [result] = await asyncio.gather(task, return_exceptions=True)
                if isinstance(result, Gateway):
                    await result.close()


# Status codes of errors about a missing object.
_LOST_STATUSES = frozenset({400, 404, 410})


class Adapter:
    """The form of one call's requests, by `protocol.adaptation`. On the event loop only.

    `protocol` is that of the first request.
    """

    def __init__(self, server: Connection, operation: str, protocol: ServerProtocol) -> None:
        self._server = server
        self._operation = operation
        self._attempt = first_attempt(protocol, operation)
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
