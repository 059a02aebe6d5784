"""Reads request bodies within limits of size, memory and time, and decompresses them."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Self

from tinker_ext.embedded.errors import RejectedRequestError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from starlette.requests import Request

    from tinker_ext.embedded.validation import Operation

# Twenty times the largest body that the official client sends (128 datums, 500 000 numbers per
# chunk: about 10 MB). A larger one is a mistake, and would be held in memory.
MAX_BODY_BYTES = 256 * 1024 * 1024

# Total size of the bodies of all requests that are being read or handled.
MAX_BODIES_BYTES = 512 * 1024 * 1024

# Timeout for receiving a body: twice the request timeout of clients (60 s in tinker 0.4.1,
# _constants.py).
BODY_SECONDS = 120.0

# The Retry-After of a request that exceeds `MAX_BODIES_BYTES`.
RETRY_AFTER_SECONDS = 1

# Bytes decompressed at a time.
_CHUNK_BYTES = 1024 * 1024

JSON = "application/json"
PROTOBUF = "application/x-protobuf"


class BodyBudget:
    """Counts the bytes of all bodies in memory. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used = 0

    def reservation(self) -> Reservation:
        """The share of one request, released when its ``with`` block ends."""
        return Reservation(self)

    def take(self, size: int) -> None:
        """Reserve bytes.

        Raises:
            RejectedRequestError: the budget is exhausted (429).
        """
        with self._lock:
            if self._used + size > MAX_BODIES_BYTES:
                raise RejectedRequestError(
                    429,
                    f"the bodies of concurrent requests exceed {MAX_BODIES_BYTES} bytes in total",
                    headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
                )
            self._used += size

    def release(self, size: int) -> None:
        """Release reserved bytes."""
        with self._lock:
            self._used -= size


class Reservation:
    """The bytes of a `BodyBudget` that one request has reserved."""

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self._size = 0

    def take(self, size: int) -> None:
        """Reserve bytes for this request.

        Raises:
            RejectedRequestError: its body is too large (413), or the budget is exhausted (429).
        """
        if self._size + size > MAX_BODY_BYTES:
            raise RejectedRequestError(
                413,
                f"the body exceeds {MAX_BODY_BYTES} bytes; send fewer or smaller datums per "
                "request",
            )
        self._budget.take(size)
        self._size += size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._budget.release(self._size)


async def read_body(request: Request, reservation: Reservation) -> bytes:
    """Read and decompress the body.

    Raises:
        RejectedRequestError: it is too large (413), has an unsupported encoding (415) or is corrupt
            (400); it did not arrive in time (408); the budget is exhausted (429).
    """
    chunks: list[bytes] = []
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                reservation.take(len(chunk))
                chunks.append(chunk)
    except TimeoutError:
        raise RejectedRequestError(
            408, f"the body did not arrive within {BODY_SECONDS:g} s"
        ) from None
    body = b"".join(chunks)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding == "identity":
        return body
    return await asyncio.to_thread(_decompress, body, encoding, reservation.take)


async def discard_body(request: Request) -> None:
    """Read and discard a body, so that a client that is still sending gets the response."""
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size > MAX_BODY_BYTES:
                    return
    except TimeoutError:
        return


def has_body(request: Request) -> bool:
    """Whether a request has a body; with chunked encoding it may be empty."""
    headers = request.headers
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def is_protobuf(request: Request, operation: Operation) -> bool:
    """Whether the body is a protobuf message, and not JSON.

    A content type is required: without one, or with one that HTML forms can send, any web page
    could make the user's browser send requests without a preflight request.

    Raises:
        RejectedRequestError: the operation does not accept this content type (415).
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in operation.media_types:
        expected = " or ".join(operation.media_types)
        raise RejectedRequestError(
            415, f"Unsupported Content-Type {media_type!r}; expected {expected}"
        )
    return media_type == PROTOBUF


def _decompress(body: bytes, encoding: str, take: Callable[[int], None]) -> bytes:
    if encoding != "zstd":
        raise RejectedRequestError(
            415, f"Unsupported Content-Encoding {encoding!r}; expected zstd or none"
        )
    try:
        import zstandard
    except ImportError:
        raise RejectedRequestError(
            415, "Unsupported Content-Encoding 'zstd': this server has no zstandard package"
        ) from None
    chunks: list[bytes] = []
    try:
        with zstandard.ZstdDecompressor().stream_reader(body) as reader:
            while chunk := reader.read(_CHUNK_BYTES):
                take(len(chunk))
                chunks.append(chunk)
    except zstandard.ZstdError as error:
        raise RejectedRequestError(400, f"the body can't be decompressed: {error}") from None
    return b"".join(chunks)
