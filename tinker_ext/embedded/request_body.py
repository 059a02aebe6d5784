"""The body of a request, as bytes: bounded, and decompressed if it comes compressed."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Self

from tinker_ext.embedded.rejections import RejectedRequestError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from starlette.requests import Request

    from tinker_ext.embedded.validation import Operation

# Twenty times the largest body the official client makes (128 datums, 500 000 numbers a chunk:
# about 10 MB); more than that in one request is a mistake, and would be held in memory.
MAX_BODY_BYTES = 256 * 1024 * 1024

# Bodies of all requests that are being read or handled, together.
MAX_BODIES_BYTES = 512 * 1024 * 1024

# Seconds in which a body has to arrive: twice the request timeout of clients (60 s in tinker 0.4.1,
# _constants.py), which give up on a slower one themselves.
BODY_SECONDS = 120.0

# Seconds after which a request that found no room should be sent again.
RETRY_AFTER_SECONDS = 1

# Decompressed at a time.
_BLOCK_BYTES = 1024 * 1024

JSON = "application/json"
PROTOBUF = "application/x-protobuf"


class BodyBudget:
    """Counts the bytes of all bodies in memory. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used = 0

    def reservation(self) -> Reservation:
        """The share of one request, given back when its ``with`` block ends."""
        return Reservation(self)

    def take(self, size: int) -> None:
        """Reserve bytes.

        Raises:
            RefusalError: there is no room for them (429).
        """
        with self._lock:
            if self._used + size > MAX_BODIES_BYTES:
                raise RejectedRequestError(
                    429,
                    f"the bodies of all requests may have {MAX_BODIES_BYTES} bytes together",
                    headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
                )
            self._used += size

    def give_back(self, size: int) -> None:
        """Release reserved bytes."""
        with self._lock:
            self._used -= size


class Reservation:
    """What one request has reserved of a `BodyBudget`."""

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self._size = 0

    def take(self, size: int) -> None:
        """Reserve bytes for this request.

        Raises:
            RefusalError: its body is too large (413), or there is no room for it now (429).
        """
        if self._size + size > MAX_BODY_BYTES:
            raise RejectedRequestError(413, f"a body may have {MAX_BODY_BYTES} bytes at most")
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
        self._budget.give_back(self._size)


async def read_body(request: Request, reservation: Reservation) -> bytes:
    """The whole body, decompressed.

    Raises:
        RefusalError: it is too large (413), compressed in an unknown way (415), or broken (400);
            it took too long (408); there is no room for it now (429).
    """
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                reservation.take(len(part))
                parts.append(part)
    except TimeoutError:
        raise RejectedRequestError(
            408, f"the body did not arrive within {BODY_SECONDS:g} s"
        ) from None
    body = b"".join(parts)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding == "identity":
        return body
    return await asyncio.to_thread(_decompressed, body, encoding, reservation.take)


async def discard_body(request: Request) -> None:
    """Read a body without keeping it, so that a client that is still sending sees the response."""
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > MAX_BODY_BYTES:
                    return
    except TimeoutError:
        return


def has_body(request: Request) -> bool:
    """Whether a request comes with a body, which may be empty if it comes in chunks."""
    headers = request.headers
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def is_protobuf(request: Request, operation: Operation) -> bool:
    """Whether the body is a protobuf message, and not JSON.

    A content type is required: without one, or with one that HTML forms can send, any web page
    could have the user's browser send requests without asking the server first.

    Raises:
        RefusalError: the operation does not take a body of this content type (415).
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in operation.media_types:
        expected = " or ".join(operation.media_types)
        raise RejectedRequestError(
            415, f"Unsupported Content-Type {media_type!r}; expected {expected}"
        )
    return media_type == PROTOBUF


def _decompressed(body: bytes, encoding: str, take: Callable[[int], None]) -> bytes:
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
    blocks: list[bytes] = []
    try:
        with zstandard.ZstdDecompressor().stream_reader(body) as reader:
            while block := reader.read(_BLOCK_BYTES):
                take(len(block))
                blocks.append(block)
    except zstandard.ZstdError as error:
        raise RejectedRequestError(400, f"the body can't be unpacked: {error}") from None
    return b"".join(blocks)
