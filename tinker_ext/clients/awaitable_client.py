"""Clients as releases 0.4.1 and 0.38.0 hand them out: at once, and as futures."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Generator

    from tinker_ext.runtime.concurrency.futures import APIFuture

C = TypeVar("C", bound="AwaitableClient")

# What notebooks look for on whatever they display; clients have none of it.
_DISPLAY_HOOKS = ("_repr_", "_ipython_")


class AwaitableClient:
    """Is its own result: in release 0.38.0 clients are made as futures, in 0.4.1 at once."""

    #: Equal clients have equal hashes, and a stand-in is hashed before its client exists.
    _hashed: object = None

    def __hash__(self) -> int:
        return object.__hash__(self if self._hashed is None else self._hashed)

    def result(self, timeout: float | None = None) -> Self:
        """The client itself."""
        return self

    async def result_async(self, timeout: float | None = None) -> Self:
        return self

    async def coroutine(self) -> Self:
        """The client itself, for what takes nothing but a coroutine."""
        return self

    def future(self) -> Future[Self]:
        """The client itself as a standard future, which is done."""
        done: Future[Self] = Future()
        done.set_result(self)
        return done

    def __await__(self) -> Generator[Any, None, Self]:
        return self.result_async().__await__()


def resolve_client(future: APIFuture[C], kind: type[C]) -> C:
    """The client of a future: blocks, unless an event loop runs here.

    There code of release 0.38.0 awaits what it is given, and blocking would stop the loop. So it
    gets a stand-in, which blocks only when it is used as the client without being awaited.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return future.result()
    return cast("C", _PendingClientProxy(future, kind))


class _PendingClientProxy(Generic[C]):
    """A client that is being made: a future of it, and in the place of it.

    It is equal to its client and has the same hash; neither waits for the client. A copy is the
    stand-in itself, as a copy of a client is the client itself.
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
        # A client that another one can be compared with was taken from its future before.
        return isinstance(other, AwaitableClient) and self._identity is other._hashed

    def __hash__(self) -> int:
        return hash(self._identity)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self._future.result().__reduce_ex__(protocol)

    def __repr__(self) -> str:
        return (
            repr(self._future.result()) if self._future.done() else f"<{self._kind.__name__} soon>"
        )

    @property  # type: ignore[misc]  # It can only be read here.
    def __class__(self) -> type[C]:  # type: ignore[override]  # What isinstance() asks.
        return self._kind
