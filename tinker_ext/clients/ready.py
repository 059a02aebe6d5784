"""Clients that are ready when they are returned, for code that expects a future of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Generator


class Ready:
    """Is its own result: in release 0.38.0 clients are made as futures, in 0.4.1 at once."""

    def result(self, timeout: float | None = None) -> Self:
        """The client itself."""
        return self

    async def result_async(self, timeout: float | None = None) -> Self:
        return self

    def __await__(self) -> Generator[Any, None, Self]:
        return self.result_async().__await__()
