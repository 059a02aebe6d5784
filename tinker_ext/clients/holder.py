"""The members of clients that are internal in the official SDK and that programs use anyway.

Programs reach for `client.holder` to run their own coroutines on the SDK's loop, to get the
session's id, or to end the session. This works. Requests over the connection pool of the official
SDK do not, because its HTTP client does not exist here.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from tinker_ext.config import DEFAULT_BASE_URL

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Coroutine

    from tinker_ext.runtime.concurrency.futures import APIFuture
    from tinker_ext.runtime.core import ClientCore

T = TypeVar("T")

#: The console of the hosted service (release 0.38.0).
CONSOLE_URL = "https://tinker.thinkingmachines.ai"


class ClientConnectionPoolType(Enum):
    """The connection pools of the official SDK. This client has one pool for all requests."""

    SESSION = "session"
    SAMPLE = "sample"
    TRAIN = "train"
    REST_SUPPORT_REDIRECT = "rest_support_redirect"
    RETRIEVE_PROMISE = "retrieve_promise"
    RETRIEVE_FUTURES = "retrieve_futures"
    TELEMETRY = "telemetry"


class ClientHolder:
    """What programs use of the official SDK's `InternalClientHolder`."""

    def __init__(self, core: ClientCore) -> None:
        self.core = core

    def get_session_id(self) -> str:
        """The id of the session; blocks until the server has assigned it."""
        return self.core.start(self.core.session.id(), str).result()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of the client, which runs on a thread of its own."""
        return self.core.loop.asyncio_loop

    def run_coroutine_threadsafe(self, coro: Coroutine[Any, Any, T]) -> APIFuture[T]:
        """Run a coroutine on the client's event loop."""
        return self.core.start(coro, lambda value: value)

    async def execute_with_retries(
        self, func: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any
    ) -> T:
        """Call a coroutine function again while it fails with errors that are worth retrying."""
        connection = self.core.connection

        async def attempt() -> T:
            return await func(*args, **kwargs)

        operation = getattr(func, "__name__", "call")
        return await connection.retrier.run(
            attempt, operation=operation, policy=lambda: connection.policy(operation)
        )

    def get_telemetry(self) -> None:
        """None: the events of the official SDK's telemetry have no equivalent."""

    def close(self) -> None:
        """End the session, as `ServiceClient.close` does."""
        self.core.close(timeout=0.0)

    def aclient(self, client_pool_type: ClientConnectionPoolType) -> NoReturn:
        """Not available.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(
            "holder.aclient is the HTTP client of the official SDK, which tinker_ext does not "
            "have; use the methods of the clients, or the generated bindings of tinker_api "
            "(docs/low-level.md)"
        )

    def __repr__(self) -> str:
        return f"<ClientHolder {self.core.config.base_url}>"


class OfficialMembers:
    """Members of all clients that the official SDK has and this client needs no more."""

    _core: ClientCore

    @property
    def holder(self) -> ClientHolder:
        """The part of the official SDK's internal holder that programs use."""
        return ClientHolder(self._core)

    def get_telemetry(self) -> None:
        """None: the events of the official SDK's telemetry have no equivalent.

        docs/observability.md describes the traces and metrics of this client.
        """


def page_url(core: ClientCore, path: str) -> str:
    """The page of the hosted service's console; elsewhere the record in the server's API."""
    base_url = core.config.base_url
    if base_url == DEFAULT_BASE_URL:
        return f"{CONSOLE_URL}/{path}"
    return f"{(core.connection.base_url or base_url).rstrip('/')}/api/v1/{path}"
