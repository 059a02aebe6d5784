"""What clients without a session of their own have in common: how they call, what they check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, TypeVar

from tinker_ext import tracing
from tinker_ext.clients.argument_checks import check_int, check_nonempty_str
from tinker_ext.clients.embedded import new_core
from tinker_ext.clients.hints import explaining_run_id
from tinker_ext.config import unshown
from tinker_ext.errors import InvalidInputError
from tinker_ext.types.responses.checkpoints import DOT_SEGMENTS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tinker_ext.runtime.concurrency.futures import APIFuture
    from tinker_ext.runtime.core import ClientCore
    from tinker_ext.transport.gateway import Gateway

R = TypeVar("R")
T = TypeVar("T")

#: Whose things: the caller's own, or all that the caller may see.
AccessScope: TypeAlias = Literal["owned", "accessible"]


class RestClientBase:
    """Calls that are answered at once, over the connection of a `ServiceClient` or one's own.

    Args:
        core: the connection of another client; None for one of its own, which ends with the last
            reference to it.
        config: as for `ServiceClient`, for a connection of its own.
    """

    def __init__(self, core: ClientCore | None = None, **config: Any) -> None:
        config = unshown(config)
        if core is not None and config:
            raise TypeError("a client has the connection of another, or settings of its own")
        self._core = new_core(**config) if core is None else core

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._core,)

    def _call(
        self,
        operation: str,
        send: Callable[[Gateway], Awaitable[R]],
        finish: Callable[[R], T],
        *,
        run: str = "",
    ) -> APIFuture[T]:
        """`run` is the id or a path of the training run that the call is about."""

        async def sent() -> R:
            with explaining_run_id(run):
                return await self._core.call(operation, send)

        with tracing.operation(operation):
            return self._core.start(sent(), finish)


def require_id(value: str, where: str) -> str:
    """The value, which must say something: it becomes a part of the URL, or of what is sent."""
    check_nonempty_str(value, where)
    if value in DOT_SEGMENTS:
        raise InvalidInputError(f"expected an id, got {value!r}", where=where)
    return value


def check_page(limit: int, offset: int) -> None:
    """Refuse a page that can't be."""
    check_int(limit, 1, "limit")
    check_int(offset, 0, "offset")


def check_scope(access_scope: str | None) -> None:
    """Refuse a scope that servers don't know."""
    if access_scope not in (None, "owned", "accessible"):
        raise InvalidInputError(
            f"expected 'owned' or 'accessible', got {access_scope!r}", where="access_scope"
        )
