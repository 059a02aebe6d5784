"""Received responses: read up to a size limit, freed of echoed secrets, decoded on request.

A body may be larger than memory, by mistake or on purpose: a few kilobytes of compressed zeros
decompress to gigabytes. So bytes are counted as they arrive and as they are decompressed.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

import httpx
import orjson
from attrs import define, frozen

from tinker_ext.errors import APIResponseValidationError
from tinker_ext.redaction.redactor import READ_TEXT
from tinker_ext.redaction.secret import MASK, SHORTEST, Secret
from tinker_ext.transport.json_decoding import LARGE_TENSORS, decode, decode_in_slices

if TYPE_CHECKING:
    from tinker_ext import types

Reserve = Callable[[int], AbstractAsyncContextManager[None]]

PROTOBUF = "application/x-protobuf"
#: Bytes of a JSON body that the event loop parses itself, in about 20 ms. Ours.
LARGE = 4 * 1024 * 1024
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
    fields: dict[bytes, bytes] = {}
    for name, value in headers.raw:
        name = name.lower()
        fields[name] = value if name not in fields else fields[name] + b", " + value
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
    short = not encoding and length is not None and length <= UNRESERVED
    if short and isinstance(response.stream, BufferedStream):
        # Most bodies. The transport reads no more than the announced length.
        return await response.stream.read()
    inflater = _inflater(encoding) if encoding else None
    size = limit if length is None or inflater is not None else length
    content = bytearray()
    async with AsyncExitStack() as reservation:
        async for chunk in response.stream:  # type: ignore[union-attr]  # an async transport's
            content += chunk if inflater is None else inflater.feed(chunk, limit - len(content))
            if len(content) > limit:
                raise BodyError(f"the body has more than {limit} bytes")
            if reserve is not None and len(content) > UNRESERVED:
                await reservation.enter_async_context(reserve(size))
                reserve = None
        return bytes(content)


def _inflater(encoding: bytes) -> _Inflater | None:
    match encoding.strip().lower():
        case b"" | b"identity":
            return None
        case b"gzip" | b"x-gzip" | b"deflate":
            return _Inflater()
        case other:
            # Requests accept only the encodings above.
            name = other[:40].decode("latin-1")
            raise BodyError(f"the body has the unsupported Content-Encoding {name!r}")


def redactable(secrets: Iterable[Secret]) -> tuple[bytes, ...]:
    """The secrets that are long enough not to match a response by accident."""
    values = (secret.reveal() for secret in secrets)
    return tuple(dict.fromkeys(value.encode() for value in values if len(value) >= SHORTEST))


def redact_bytes(content: bytes, secrets: tuple[bytes, ...]) -> bytes:
    """A response body without the secrets."""
    for secret in secrets:
        content = content.replace(secret, MASK.encode())
    return content


def read_body(content: bytes) -> Any:
    """The body as decoded JSON, or as text if it is not JSON; None if it is empty."""
    if not content:
        return None
    try:
        return decode(content)
    except ValueError:
        return content.decode("utf-8", "replace")


class MalformedBodyError(APIResponseValidationError):
    """A success whose body is truncated or not JSON, which suggests a proxy altered it."""


@define(eq=False, repr=False)
class Response:
    """A response whose body is read and redacted; `headers` are redacted on first access.

    `fields` are the received headers, to look up one without a secret.

    The status of a success is 200, because servers send 200, 201 or 202 for the same operation and
    the specification documents one of them. A redirect that counts as a success is a 302.
    """

    status_code: int
    fields: Mapping[bytes, bytes]
    content: bytes
    _received: httpx.Headers
    _secrets: tuple[bytes, ...]
    _headers: httpx.Headers | None = None
    _parsed: Callable[[], Any] | None = None

    @property
    def headers(self) -> httpx.Headers:
        """The redacted headers."""
        if self._headers is None:
            # Without Content-Encoding, since the body is already decompressed.
            redacted = {
                name: value for name, value in self._received.items() if name != "content-encoding"
            }
            for secret in self._secrets:
                text = secret.decode()
                redacted = {name: value.replace(text, MASK) for name, value in redacted.items()}
            # Values may contain any bytes; httpx would encode a mapping's values as ASCII.
            self._headers = httpx.Headers(redacted, encoding="utf-8")
        return self._headers

    async def parse_large(self) -> None:
        """Parse a JSON body of more than `LARGE` bytes in a worker thread; `json()` returns it."""
        if b"json" in self.fields.get(b"content-type", b""):
            # Not as the result of the thread's future, which would keep it until the garbage
            # collection.
            parsed: list[Any] = []
            parsing = asyncio.ensure_future(
                asyncio.to_thread(lambda: parsed.append(decode_in_slices(self.content, decode)))
            )
            await asyncio.wait([parsing])

            def value() -> Any:
                parsing.result()  # Raises the error of the parser.
                return parsed[0]

            self._parsed = value

    def json(self) -> Any:
        """The body as decoded JSON.

        Raises:
            MalformedBodyError: it is not JSON.
        """
        try:
            if self._parsed is not None:
                return self._parsed()
            if len(self.content) <= LARGE_TENSORS:
                with suppress(orjson.JSONDecodeError):  # `decode` accepts more.
                    return orjson.loads(self.content)
            return decode(self.content)
        except ValueError as error:
            raise MalformedBodyError(
                f"the response is not JSON: {error}",
                status_code=self.status_code,
                body=self.content[:READ_TEXT],
            ) from None


@frozen
class ProtobufResult:
    """An encoded result. Decoded on the thread that retrieves it, which then imports protobuf."""

    operation: str
    content: bytes

    def decode(self) -> types.ForwardBackwardOutput | types.SampleResponse:
        """Decodes the result.

        Raises:
            APIResponseValidationError: the content is not a valid message.
        """
        from tinker_ext.transport.protobuf import decode_result

        return decode_result(self.operation, self.content)

    def outline(self) -> dict[str, Any]:
        """The token count and stop reason of each sequence of a sample, for tracing."""
        from tinker_ext.transport.protobuf import outline

        return outline(self.content)


@frozen
class FetchedResult:
    """The body of a result, as decoded JSON or a `ProtobufResult`, and the id of its request."""

    body: Any
    request_id: str
