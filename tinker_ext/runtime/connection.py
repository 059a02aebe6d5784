"""The way to one server with one configuration: opened on first use, in the dialect it learns."""

from __future__ import annotations

import asyncio
import uuid
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import evolve
from tinker_api.retry_table import RETRY

from tinker_ext import tracing
from tinker_ext.errors import APIStatusError
from tinker_ext.rules.dialect import FIRST, Dialect, corrected
from tinker_ext.rules.retry import RetryPolicy
from tinker_ext.runtime.clock import REAL_CLOCK
from tinker_ext.runtime.keys import Keys
from tinker_ext.tracing import log
from tinker_ext.transport.build import build_client
from tinker_ext.transport.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import httpx
    from tinker_api import models

    from tinker_ext.config import ClientConfig
    from tinker_ext.runtime.retrying import Retrier
    from tinker_ext.secret import Secret

T = TypeVar("T")


class Connection:
    """Sends for everybody who shares it, on the event loop only.

    It knows nobody who uses it: what goes on in the background (heartbeats, telemetry) holds this
    and not the client, which can so be collected when its user drops it.

    Attributes:
        dialect: what has been learnt of how the server wants to be asked.
        base_url: where the server is, once that was found.
        keys: what is sent to prove who asks.
    """

    def __init__(
        self,
        config: ClientConfig,
        find_base_url: Callable[[], str],
        retrier: Retrier,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.retrier = retrier
        self.dialect = FIRST
        self.base_url: str | None = None
        self._config = config
        self._find_base_url = find_base_url
        self._transport = transport
        # Tokens end by the clock of the retries, but their renewal keeps real time, as heartbeats.
        self.keys = Keys(config, evolve(retrier.clock, sleep=REAL_CLOCK.sleep))
        self._connecting: asyncio.Task[Gateway] | None = None

    async def call(
        self,
        operation: str,
        send: Callable[[Gateway], Awaitable[T]],
        *,
        session_id: str | None = None,
    ) -> T:
        """One logical call, retried by the rules, under one idempotency key."""
        key = str(uuid.uuid4())
        policy = retry_policy(self._config, operation)
        connected = await self.gateway()
        while True:
            gateway = connected.keyed(key).speaking(self.dialect)
            try:
                with tracing.submitting(session_id, key):
                    return await self.retrier.run(
                        partial(send, gateway), operation=operation, policy=policy
                    )
            except APIStatusError as error:
                if not self._learn(gateway.dialect, operation, error):
                    raise

    def _learn(self, spoken: Dialect, operation: str, error: APIStatusError) -> bool:
        """Whether the server's refusal taught us how to ask; then the request is worth repeating.

        Each thing is learnt once, so that this ends.
        """
        if self.dialect != spoken:
            return True  # Another request has learnt something since this one was sent.
        better = corrected(spoken, operation, error.status_code, error.body)
        if better is None:
            return False
        self.dialect = better
        log.info("%s: the server speaks another dialect: %s", operation, better)
        return True

    async def gateway(self) -> Gateway:
        """The operations of the server, which is connected to if need be."""
        if self._connecting is None or (
            self._connecting.done() and self._connecting.exception() is not None
        ):
            self._connecting = asyncio.get_running_loop().create_task(
                self._connect(), context=Context()
            )
        if not self._connecting.done():
            with tracing.stage(tracing.Stage.CONNECT):
                return await asyncio.shield(self._connecting)
        return self._connecting.result()

    async def _connect(self) -> Gateway:
        base_url = self.base_url = await asyncio.to_thread(self._find_base_url)
        client = build_client(self._config, base_url, self._transport, keys=self.keys)
        return Gateway(client)

    async def exchange_tokens(self, gateway: Gateway, *, command_only: bool) -> None:
        """Send tokens in place of the key from now on, and get the first one.

        Raises:
            ConfigurationError: the server wants a key that a command makes, and there is none.
            APIError: there is no token, and why.
        """
        operation = "create_auth_token"

        async def exchange() -> Secret:
            return await gateway.keyed(str(uuid.uuid4())).create_auth_token()

        await self.retrier.run(
            partial(self.keys.exchange_with, exchange, command_only=command_only),
            operation=operation,
            policy=retry_policy(self._config, operation),
        )

    async def poll(self, request_id: str, *, operation: str, iteration: int) -> Any:
        """Ask once for a result."""
        gateway = (await self.gateway()).speaking(self.dialect)
        return await gateway.retrieve_future(request_id, operation=operation, iteration=iteration)

    async def beat(self, session_id: str) -> None:
        """Send one heartbeat, once."""
        await (await self.gateway()).session_heartbeat(session_id)

    async def send_telemetry(self, body: models.TelemetrySendRequest) -> None:
        """Send events, once."""
        await (await self.gateway()).send_telemetry(body)

    async def close(self) -> None:
        """End the renewal of tokens, and close the sockets."""
        await self.keys.close()
        if self._connecting is not None:
            self._connecting.cancel()
            [gateway] = await asyncio.gather(self._connecting, return_exceptions=True)
            if isinstance(gateway, Gateway):
                await gateway.close()


def retry_policy(config: ClientConfig, operation: str) -> RetryPolicy:
    """For how long an operation is tried again."""
    return RetryPolicy(
        max_elapsed=config.retry_window,
        billing_max_elapsed=config.billing_window,
        # As the specification marks it (x-retry).
        repeatable=RETRY.get(operation) != "never",
    )
