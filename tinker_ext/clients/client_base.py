"""Members that all clients share, because programs for the official SDK use them.

Clients are also futures of themselves, as releases 0.4.1 and 0.38.0 return them. The `*_async`
methods are derived from the methods they belong to, and keep their parameters, with names and
defaults, for type checkers, editors and `inspect.signature`.

Programs also use `client.holder`, which is internal in the official SDK, to run their own
coroutines on the SDK's loop, to get the session's id, or to end the session. This works. Requests
over the connection pool of the official SDK do not, because its HTTP client does not exist here.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Coroutine, Generator
from concurrent.futures import Future
from enum import Enum
from functools import update_wrapper
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Generic,
    NoReturn,
    ParamSpec,
    Self,
    TypeVar,
    cast,
)

from tinker_ext.config import DEFAULT_BASE_URL

if TYPE_CHECKING:
    from tinker_ext.runtime.concurrency.futures import APIFuture
    from tinker_ext.runtime.core import ClientCore

C = TypeVar("C", bound="AwaitableClient")
P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
T = TypeVar("T")

#: The console of the hosted service (release 0.38.0).
CONSOLE_URL = "https://tinker.thinkingmachines.ai"
# Prefixes of the attributes that notebooks look up on displayed objects; clients have none.
_DISPLAY_HOOKS = ("_repr_", "_ipython_")


class AwaitableClient:
    """A client that is its own future: 0.38.0 returns futures of clients, 0.4.1 clients."""

    #: Shared with the proxy that was returned for this client, so that both hash alike.
    _hashed: object = None

    def __hash__(self) -> int:
        return object.__hash__(self if self._hashed is None else self._hashed)

    def result(self, timeout: float | None = None) -> Self:
        """The client itself."""
        return self

    async def result_async(self, timeout: float | None = None) -> Self:
        """The client itself."""
        return self

    async def coroutine(self) -> Self:
        """The client itself, for functions that accept only coroutines."""
        return self

    def future(self) -> Future[Self]:
        """The client itself as a standard future that is already done."""
        done: Future[Self] = Future()
        done.set_result(self)
        return done

    def __await__(self) -> Generator[Any, None, Self]:
        return self.result_async().__await__()


def resolve_client(future: APIFuture[C], kind: type[C]) -> C:
    """Block until the client of a future exists, unless an event loop runs on this thread.

    Blocking would stop the loop, and code written for release 0.38.0 awaits the result. The caller
    then gets a proxy, which blocks only if it is used as the client without being awaited.
    """
    if _has_running_loop():
        return cast("C", _PendingClientProxy(future, kind))
    return future.result()


def _has_running_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class _PendingClientProxy(Generic[C]):
    """A client that is still being created: its future and a stand-in for it.

    Equals its client and has the same hash; neither comparison nor hashing waits for the client.
    Copying returns the proxy itself, as copying a client returns the client.
    """

    def __init__(self, future: APIFuture[C], kind: type[C]) -> None:
        identity = object()

        def identify(client: C) -> C:
            client._hashed = identity
            return client

        self._identity = identity
        self._future = future.map(identify)
        self._kind = kind

    def result(self, timeout: float | None = None) -> C:
        return self._future.result(timeout)

    async def result_async(self, timeout: float | None = None) -> C:
        return await self._future.result_async(timeout)

    async def coroutine(self) -> C:
        return await self._future

    def future(self) -> Future[C]:
        return self._future.future()

    def __await__(self) -> Generator[Any, None, C]:
        return self._future.__await__()

    def __getattr__(self, name: str) -> Any:
        if name.startswith(_DISPLAY_HOOKS):
            raise AttributeError(name)
        return getattr(self._future.result(), name)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __eq__(self, other: object) -> bool:
        if type(other) is _PendingClientProxy:
            return self._identity is other._identity
        # A client that can be compared has been returned by its future, which set `_hashed`.
        return isinstance(other, AwaitableClient) and self._identity is other._hashed

    def __hash__(self) -> int:
        return hash(self._identity)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self._future.result().__reduce_ex__(protocol)

    def __repr__(self) -> str:
        return (
            repr(self._future.result())
            if self._future.done()
            else f"<{self._kind.__name__} pending>"
        )

    @property  # type: ignore[misc]  # Read-only.
    def __class__(self) -> type[C]:  # type: ignore[override]  # For isinstance().
        return self._kind


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
    """Members of all clients that the official SDK has and this client needs no more.

    Copying a client within a process returns the same object.
    """

    _core: ClientCore

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

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


def async_result(
    method: Callable[Concatenate[S, P], Awaitable[R]],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, R]]:
    """A coroutine method that calls `method` and awaits what it returns."""

    async def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        bound: Callable[P, Awaitable[R]] = getattr(self, method.__name__)  # May be overridden.
        return await bound(*args, **kwargs)

    returns = re.sub(r"^APIFuture\[(.*)\]$", r"\1", method.__annotations__["return"])
    _describe(call, method, "awaited", returns)
    return call


def async_submit(
    method: Callable[Concatenate[S, P], R],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, R]]:
    """A coroutine method that calls `method` and returns its future without awaiting it."""

    async def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        bound: Callable[P, R] = getattr(self, method.__name__)
        return bound(*args, **kwargs)

    _describe(call, method, "from a coroutine", method.__annotations__["return"])
    return call


def _describe(twin: Callable[..., Any], method: Callable[..., Any], how: str, returns: str) -> None:
    update_wrapper(twin, method)
    vars(twin)["__signature__"] = inspect.signature(method).replace(return_annotation=returns)
    del vars(twin)["__wrapped__"]
    twin.__name__ += "_async"
    twin.__qualname__ += "_async"
    twin.__annotations__ = {**method.__annotations__, "return": returns}
    twin.__doc__ = f"As `{method.__name__}`, {how}.\n\n{inspect.cleandoc(method.__doc__ or '')}"
