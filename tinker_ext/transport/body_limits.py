"""Reading an answer's body, of which only so much fits.

A body may be longer than memory, by mistake or on purpose, and a few kilobytes of compressed zeros
become gigabytes. So the bytes are counted as they come and as they unfold, and both are given up at
a limit.
"""

from __future__ import annotations

import zlib
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    import httpx

    Reserve = Callable[[int], AbstractAsyncContextManager[None]]

# What is unfolded at a time.
_STEP = 1024 * 1024
#: Bytes of a body that are read without a reservation; most bodies have fewer. Ours.
UNRESERVED = 1024 * 1024
# Automatic detection of gzip and zlib headers (zlib's manual, inflateInit2).
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


class BodyError(Exception):
    """The body can't be had: too long, or not in the encoding it says."""


class _Decoder(Protocol):
    def feed(self, part: bytes, remaining: int) -> bytes: ...


class _Plain:
    def feed(self, part: bytes, remaining: int) -> bytes:
        return part


class _Inflater:
    """gzip or deflate, at most `room` bytes and one at a time."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(_GZIP_OR_ZLIB)

    def feed(self, part: bytes, remaining: int) -> bytes:
        unfolded = bytearray()
        while part and len(unfolded) <= remaining:
            try:
                unfolded += self._inflate.decompress(part, _STEP)
            except zlib.error as error:
                raise BodyError(f"the body is not compressed as it says: {error}") from None
            part = self._inflate.unconsumed_tail
        return bytes(unfolded)


async def read_body_bytes(
    response: httpx.Response, limit: int, reserve: Reserve | None = None
) -> bytes:
    """The body of a streamed response, decompressed; the stream is left open.

    A body of more than `UNRESERVED` bytes waits for a reservation of its size, or of `limit` bytes
    if its size is not known, and holds it until it is read.

    Raises:
        BodyError: it has more than `limit` bytes, or is not encoded as its headers say.
        httpx.HTTPError: the connection failed on the way.
    """
    encoding = response.headers.get("content-encoding", "")
    announced = _announced(response)
    if announced is not None and announced > limit:
        raise BodyError(f"the body has {announced} bytes, more than {limit}")
    decoder = _decoder(encoding)
    size = limit if announced is None or not isinstance(decoder, _Plain) else announced
    content = bytearray()
    async with AsyncExitStack() as held:
        async for part in response.stream:  # type: ignore[union-attr]  # an async transport's
            content += decoder.feed(part, limit - len(content))
            if len(content) > limit:
                raise BodyError(f"the body has more than {limit} bytes")
            if reserve is not None and len(content) > UNRESERVED:
                await held.enter_async_context(reserve(size))
                reserve = None
        return bytes(content)


def _announced(response: httpx.Response) -> int | None:
    length = response.headers.get("content-length", "")
    return int(length) if length.isdecimal() and len(length) < 20 else None


def _decoder(encoding: str) -> _Decoder:
    match encoding.strip().lower():
        case "" | "identity":
            return _Plain()
        case "gzip" | "x-gzip" | "deflate":
            return _Inflater()
        case other:
            # None but the above is ever asked for.
            raise BodyError(f"the body is encoded as {other[:40]!r}")
