"""Clients as releases 0.4.1 and 0.38.0 hand them out: at once, and as futures."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Generator

    from tinker_ext.runtime.futures import APIFuture

C = TypeVar("C")

# What notebooks look for on whatever they display; clients have none of it.
_DISPLAY_HOOKS = ("_repr_", "_ipython_")


class Ready:
    """Is its own result: in release 0.38.0 clients are made as futures, in 0.4.1 at once."""

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


def made(future: APIFuture[C], kind: type[C]) -> C:
    """The client of a future: blocks, unless an event loop runs here.

    There code of release 0.38.0 awaits what it is given, and blocking would stop the loop. So it
    gets a stand-in, which blocks only when it is used as the client without being awaited.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return future.result()
    return cast("C", _StandIn(future, kind))


class _StandIn(Generic[C]):
    """A client that is being made: a future of it, and in the place of it."""

    def __init__(self, future: APIFuture[C], kind: type[C]) -> None:
        self._future = future
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

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self._future.result().__reduce_ex__(protocol)

    def __repr__(self) -> str:
        return (
            repr(self._future.result()) if self._future.done() else f"<{self._kind.__name__} soon>"
        )

    @property  # type: ignore[misc]  # It can only be read here.
    def __class__(self) -> type[C]:  # type: ignore[override]  # What isinstance() asks.
        return self._kind
