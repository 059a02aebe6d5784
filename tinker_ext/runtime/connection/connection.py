"""A connection to one server: opened on first use, with the protocol negotiated on the way."""

from __future__ import annotations

import asyncio
import copy
import math
import uuid
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import evolve
from tinker_api.retry_table import RETRY

from tinker_ext import tracing
from tinker_ext.errors import APIError, APIStatusError, InvalidInputError
from tinker_ext.protocol.adaptation import FIELD_ERRORS, after_negotiation
from tinker_ext.protocol.server_protocol import BASELINE, ServerProtocol
from tinker_ext.rules.retry import BACKOFF_BASE, RetryPolicy
from tinker_ext.rules.token_validity import should_renegotiate
from tinker_ext.runtime.concurrency import tasks
from tinker_ext.runtime.concurrency.clock import REAL_CLOCK
from tinker_ext.runtime.connection.adapter import Adapter
from tinker_ext.runtime.connection.client_limits import ClientLimits
from tinker_ext.runtime.connection.first_contact import FirstContact
from tinker_ext.runtime.connection.negotiation import Negotiator
from tinker_ext.runtime.credentials.credentials import CredentialSource
from tinker_ext.tracing import log
from tinker_ext.transport.build import build_client
from tinker_ext.transport.gateway import Gateway
from tinker_ext.transport.operations.auth import TOKEN_OPERATION

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import httpx
    from tinker_api import models

    from tinker_ext.config import ClientConfig
    from tinker_ext.protocol.flags import Flags
    from tinker_ext.redaction.secret import Secret
    from tinker_ext.runtime.retry.retrying import Retrier

T = TypeVar("T")

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
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.retrier = retrier
        self.protocol = BASELINE
        self.base_url: str | None = None
        self._config = config
        self._find_base_url = find_base_url
        self._transport = transport
        # Credentials expire by the retry clock, but are refreshed in real time, as heartbeats are.
        self.keys = CredentialSource(config, evolve(retrier.clock, sleep=REAL_CLOCK.sleep))
        self.limits = ClientLimits(config)
        self._connecting: asyncio.Task[Gateway] | None = None
        self._negotiator = Negotiator(self._on_negotiated, self._on_flags, retrier.clock)
        self._refreshing: asyncio.Task[None] | None = None
        self._contact = FirstContact(retrier.throttle)

    async def call(
        self,
        operation: str,
        send: Callable[[Gateway], Awaitable[T]],
        *,
        session_id: str | None = None,
        adjust: Callable[[RetryPolicy], RetryPolicy] | None = None,
    ) -> T:
        """Execute one logical call, with retries, under one idempotency key.

        `adjust` changes the policy of the operation.
        """
        if self._contact.made:
            return await self._call(operation, send, session_id, adjust)
        await self.gateway()  # An embedded backend takes its own time to start.
        call = self._call(operation, send, session_id, adjust)
        return await self._contact.within(self._config.retry_window, operation, call)

    async def _call(
        self,
        operation: str,
        send: Callable[[Gateway], Awaitable[T]],
        session_id: str | None,
        adjust: Callable[[RetryPolicy], RetryPolicy] | None,
    ) -> T:
        key = str(uuid.uuid4())
        gateway = (await self.gateway()).with_idempotency_key(key)
        adapter = Adapter(self, operation)
        sent = has_responded = renegotiated = False

        async def attempt() -> T:
            nonlocal sent, has_responded
            sent = False
            await self._negotiate(gateway, operation)
            sent, has_responded = True, self._negotiator.has_responded
            protocol = adapter.next_protocol()
            tracing.annotate_detailed({tracing.DIALECT: protocol.release})
            try:
                value = await send(gateway.with_protocol(protocol))
            except APIStatusError:
                self._contact.make()
                raise
            self._contact.make()
            return value

        while True:
            try:
                with tracing.submitting(session_id, key):
                    policy = adapter.policy(self.policy(operation))
                    value = await self.retrier.run(
                        attempt,
                        operation=operation,
                        policy=policy if adjust is None else adjust(policy),
                    )
            except InvalidInputError:
                error_of_first_form = adapter.trial_failed()
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
                    adapter.rejected(error)
            else:
                adapter.accepted()
                return value

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
        """Ensure that the protocol is negotiated, and refresh the dynamic flags if due."""
        if not self._negotiator.done:
            try:
                await self._negotiator.ensure(gateway)
                if self._negotiator.has_responded:
                    self._contact.make()
            except APIError as shared:
                error = copy.copy(shared)  # Concurrent calls get the same error.
                error.operation = operation
                raise error from None
        if self._negotiator.refresh_due():
            self._refreshing = tasks.create_detached_task(self._refresh_flags(gateway))

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
            return await gateway.with_idempotency_key(str(uuid.uuid4())).create_auth_token()

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
        client = build_client(
            self._config,
            base_url,
            self._transport,
            keys=self.keys,
            reserve=self.limits.body_bytes.reserve,
        )
        return Gateway(client)

    async def poll(self, request_id: str, *, operation: str, iteration: int, whole: bool) -> Any:
        """Poll once for a result. Unless `whole` is set, the server may return its size instead."""
        gateway, adapter = await self.gateway(), Adapter(self, "retrieve_future")
        while True:
            try:
                body = await gateway.with_protocol(adapter.next_protocol()).retrieve_future(
                    request_id, operation=operation, iteration=iteration, whole=whole
                )
            except APIStatusError as error:
                if error.status_code not in FIELD_ERRORS:
                    raise
                adapter.rejected(error)
            else:
                adapter.accepted()
                return body

    async def beat(self, session_id: str) -> None:
        """Send one heartbeat, without retries."""
        await (await self.gateway()).session_heartbeat(session_id)

    async def send_telemetry(self, body: models.TelemetrySendRequest) -> None:
        """Send events, without retries."""
        await (await self.gateway()).with_protocol(self.protocol).send_telemetry(body)

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
