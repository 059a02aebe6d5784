"""The `*_async` names of the official SDK, derived from the methods they belong to.

Each keeps its method's parameters, with names and defaults, for type checkers, editors and
`inspect.signature`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Coroutine
from functools import update_wrapper
from typing import Any, Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")


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
