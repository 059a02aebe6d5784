"""The way to one server with one configuration: opened on first use, in the dialect it learns."""

from __future__ import annotations

import asyncio
import copy
import math
import uuid
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import evolve
from tinker_api.retry_table import RETRY

from tinker_ext import tracing
from tinker_ext.errors import APIError, APIStatusError
from tinker_ext.protocol.hints import advice
from tinker_ext.protocol.server_protocol import BASELINE, ServerProtocol, learn_from_error
from tinker_ext.rules.retry import BACKOFF_BASE, RetryPolicy
from tinker_ext.rules.token_validity import should_renegotiate
from tinker_ext.runtime.concurrency import tasks
from tinker_ext.runtime.concurrency.clock import REAL_CLOCK
from tinker_ext.runtime.connection.client_limits import ClientLimits
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

# Seconds; ours. What only makes others cheaper is given up sooner: they do without it.
_WINDOWS = {"cancel_future": 30.0, "retrieve_futures": 30.0}
# Seconds before it is asked again; release 0.38.0.
_BACKOFFS = {"retrieve_futures": 1.0}


class Connection:
    """Sends for everybody who shares it, on the event loop only.

    It knows nobody who uses it: what goes on in the background (heartbeats, telemetry) holds this
    and not the client, which can so be collected when its user drops it.

    Attributes:
        dialect: what has been learnt of how the server wants to be asked.
        base_url: where the server is, once that was found.
        keys: what is sent to prove who asks.
        in_flight: how much of what may be under way at once.
    """

    def __init__(
        self,
        config: ClientConfig,
        find_base_url: Callable[[], str],
        retrier: Retrier,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.retrier = retrier
        self.dialect = BASELINE
        self.base_url: str | None = None
        self._config = config
        self._find_base_url = find_base_url
        self._transport = transport
        # Tokens end by the clock of the retries, but their renewal keeps real time, as heartbeats.
        self.keys = CredentialSource(config, evolve(retrier.clock, sleep=REAL_CLOCK.sleep))
        self.limits = ClientLimits(config)
        self._connecting: asyncio.Task[Gateway] | None = None
        self._introduction = Negotiator(self._introduced, self._admitted, retrier.clock)
        self._renewing: asyncio.Task[None] | None = None

    async def call(
        self,
        operation: str,
        send: Callable[[Gateway], Awaitable[T]],
        *,
        session_id: str | None = None,
    ) -> T:
        """One logical call, retried by the rules, under one idempotency key."""
        key = str(uuid.uuid4())
        connected = (await self.gateway()).with_idempotency_key(key)
        spoken = self.dialect
        sent = told = asked_again = False

        async def attempt() -> T:
            nonlocal spoken, sent, told
            sent = False
            await self._introduce(connected, operation)
            spoken, sent, told = self.dialect, True, self._introduction.has_responded
            tracing.annotate_detailed({tracing.DIALECT: spoken.release})
            return await send(connected.with_protocol(spoken))

        while True:
            try:
                with tracing.submitting(session_id, key):
                    return await self.retrier.run(
                        attempt, operation=operation, policy=self.policy(operation)
                    )
            except APIStatusError as error:
                if not sent or error.operation == TOKEN_OPERATION != operation:
                    raise  # It answers what comes before the request.
                if should_renegotiate(
                    error.status_code, error.headers, told=told, asked=asked_again
                ):
                    asked_again = True
                    self._introduction.require()
                    log.info("%s: the key is no token, is one wanted? %s", operation, error.message)
                elif not self._learn(spoken, operation, error):
                    error.mark_unsupported(advice(operation, error.status_code, error.body, spoken))
                    raise

    def policy(self, operation: str) -> RetryPolicy:
        """For how long, and how often, an operation is tried again."""
        flags = self.dialect.flags
        once = flags is not None and flags.sample_no_retries and operation == "asample"
        retries = self._config.max_retries
        most = None if retries is None else retries + 1
        return RetryPolicy(
            max_elapsed=min(self._config.retry_window, _WINDOWS.get(operation, math.inf)),
            max_attempts=1 if once else most,
            backoff_base=_BACKOFFS.get(operation, BACKOFF_BASE),
            billing_max_elapsed=self._billing_window(),
            # As the specification marks it (x-retry).
            repeatable=RETRY.get(operation) != "never",
        )

    def _billing_window(self) -> float:
        flags = self.dialect.flags
        if flags is None or not self._config.is_default("billing_window"):
            return self._config.billing_window
        return float(flags.billing_exception_max_pause_duration_sec)

    async def _introduce(self, gateway: Gateway, operation: str) -> None:
        """See that the server has been asked what it speaks."""
        if not self._introduction.done:
            try:
                await self._introduction.ensure(gateway)
            except APIError as error:
                mine = copy.copy(error)  # Others wait for the same answer, each with its call.
                mine.operation = operation
                raise mine from None
        if self._introduction.refresh_due():
            self._renewing = tasks.create_detached_task(self._renew(gateway))

    async def _renew(self, gateway: Gateway) -> None:
        dynamic = await self._introduction.refresh(gateway, self.dialect.dynamic)
        self.dialect = evolve(self.dialect, dynamic=dynamic)  # It may have learnt since.

    async def _admitted(self, gateway: Gateway, flags: Flags) -> None:
        """Do what a server that has these flags wants before it answers anything else.

        That is to be sent tokens in place of the key, from now on.

        Raises:
            ConfigurationError: the server wants a key that a command makes, and there is none.
            APIError: there is no token, and why.
        """
        if not flags.pjwt_auth_enabled:
            return

        async def exchange() -> Secret:
            return await gateway.with_idempotency_key(str(uuid.uuid4())).create_auth_token()

        command_only = flags.credential_default_source == "credential_cmd"
        await self.keys.enable_exchange(exchange, command_only=command_only)

    def _introduced(self, dialect: ServerProtocol) -> None:
        self.dialect = dialect
        log.info("%s speaks %s", self.base_url, dialect)
        if dialect.flags is not None:
            self.limits.apply_server_flags(dialect.flags)

    def _learn(self, spoken: ServerProtocol, operation: str, error: APIStatusError) -> bool:
        """Whether the server's refusal taught us how to ask; then the request is worth repeating.

        Each thing is learnt once, so that this ends.
        """
        if not self.dialect.same_requests_as(spoken):
            return True  # Another request has learnt something since this one was sent.
        better = learn_from_error(self.dialect, operation, error.status_code, error.body)
        if better is None:
            return False
        self.dialect = better
        log.info("%s: the server speaks another dialect: %s", operation, better)
        return not better.same_requests_as(spoken)

    async def gateway(self) -> Gateway:
        """The operations of the server, which is connected to if need be."""
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
        """Ask once for a result; unless it is to be `whole`, its size may come instead."""
        gateway = (await self.gateway()).with_protocol(self.dialect)
        return await gateway.retrieve_future(
            request_id, operation=operation, iteration=iteration, whole=whole
        )

    async def beat(self, session_id: str) -> None:
        """Send one heartbeat, once."""
        await (await self.gateway()).session_heartbeat(session_id)

    async def send_telemetry(self, body: models.TelemetrySendRequest) -> None:
        """Send events, once."""
        await (await self.gateway()).with_protocol(self.dialect).send_telemetry(body)

    async def close(self) -> None:
        """End its questions and the renewal of tokens, close its sockets."""
        await self.keys.close()
        await self._introduction.close()
        for task in (self._renewing, self._connecting):
            if task is not None:
                task.cancel()
                [found] = await asyncio.gather(task, return_exceptions=True)
                if isinstance(found, Gateway):
                    await found.close()
