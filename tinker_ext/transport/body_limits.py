"""Reads and decompresses a response body up to a size limit.

A body may be larger than memory, by mistake or on purpose: a few kilobytes of compressed zeros
decompress to gigabytes. So bytes are counted as they arrive and as they are decompressed.
"""

from __future__ import annotations

import zlib
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Protocol

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    Reserve = Callable[[int], AbstractAsyncContextManager[None]]

# Bytes decompressed at a time.
_STEP = 1024 * 1024
#: Bytes of a body that are read without a reservation; most bodies are smaller. Ours.
UNRESERVED = 1024 * 1024
# Detects gzip and zlib headers (zlib manual, inflateInit2).
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


class BodyError(Exception):
    """The body exceeds the limit, or does not match its Content-Encoding."""


class BufferedStream(httpx.AsyncByteStream):
    """A response body that can be read in one piece, which costs less than iterating over it."""

    async def read(self) -> bytes:
        """The rest of the body."""
        raise NotImplementedError


class _Decoder(Protocol):
    def feed(self, chunk: bytes, remaining: int) -> bytes: ...


class _Identity:
    def feed(self, chunk: bytes, remaining: int) -> bytes:
        return chunk


class _Inflater:
    """Decompresses gzip or deflate; stops once the output exceeds `remaining` bytes."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(_GZIP_OR_ZLIB)

    def feed(self, chunk: bytes, remaining: int) -> bytes:
        output = bytearray()
        while chunk and len(output) <= remaining:
            try:
                output += self._inflate.decompress(chunk, _STEP)
            except zlib.error as error:
                raise BodyError(f"the body does not match its Content-Encoding: {error}") from None
            chunk = self._inflate.unconsumed_tail
        return bytes(output)


def header_fields(headers: httpx.Headers) -> dict[bytes, bytes]:
    """The values by name in lower case; several of one name are joined, as httpx does.

    `httpx.Headers` decodes all headers for each access to one.
    """
    raw = headers.raw
    fields = {name.lower(): value for name, value in raw}
    if len(fields) < len(raw):
        for name in fields:
            fields[name] = b", ".join(value for other, value in raw if other.lower() == name)
    return fields


async def read_body_bytes(
    response: httpx.Response,
    limit: int,
    reserve: Reserve | None = None,
    fields: Mapping[bytes, bytes] | None = None,
) -> bytes:
    """Reads the decompressed body of a streamed response; does not close the stream.

    `fields` are the `header_fields` of the response, if the caller has them.

    A body of more than `UNRESERVED` bytes waits for a reservation of its size, or of `limit` bytes
    if the size is unknown, and releases it once the body is read.

    Raises:
        BodyError: the body has more than `limit` bytes, or does not match its Content-Encoding.
        httpx.HTTPError: the connection failed.
    """
    if fields is None:
        fields = header_fields(response.headers)
    encoding = fields.get(b"content-encoding", b"")
    announced = fields.get(b"content-length", b"")
    length = int(announced) if announced.isdigit() and len(announced) < 20 else None
    if length is not None and length > limit:
        raise BodyError(f"the body has {length} bytes; the limit is {limit}")
    if not encoding and length is not None and length <= UNRESERVED:
        # Most bodies. The transport reads no more than the announced length.
        if isinstance(response.stream, BufferedStream):
            return await response.stream.read()
        chunks = [chunk async for chunk in response.stream]  # type: ignore[union-attr]
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)
    decoder = _decoder(encoding)
    size = limit if length is None or not isinstance(decoder, _Identity) else length
    content = bytearray()
    async with AsyncExitStack() as reservation:
        async for chunk in response.stream:  # type: ignore[union-attr]  # an async transport's
            content += decoder.feed(chunk, limit - len(content))
            if len(content) > limit:
                raise BodyError(f"the body has more than {limit} bytes")
            if reserve is not None and len(content) > UNRESERVED:
                await reservation.enter_async_context(reserve(size))
                reserve = None
        return bytes(content)


def _decoder(encoding: bytes) -> _Decoder:
    match encoding.strip().lower():
        case b"" | b"identity":
            return _Identity()
        case b"gzip" | b"x-gzip" | b"deflate":
            return _Inflater()
        case other:
            # Requests accept only the encodings above.
            name = other[:40].decode("latin-1")
            raise BodyError(f"the body has the unsupported Content-Encoding {name!r}")
