"""Clients that are also futures of themselves, as releases 0.4.1 and 0.38.0 return them."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Generator

    from tinker_ext.runtime.concurrency.futures import APIFuture

C = TypeVar("C", bound="AwaitableClient")

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
