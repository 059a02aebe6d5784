"""The body of a request, as bytes: bounded, and unpacked where it comes packed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_ext.embedded.refusals import RefusalError

if TYPE_CHECKING:
    from starlette.requests import Request

    from tinker_ext.embedded.validation import Operation

# Twenty times the largest body the official client makes (128 datums, 500 000 numbers a chunk:
# about 10 MB); more than that in one request is a mistake, and would be held in memory.
MAX_BODY_BYTES = 256 * 1024 * 1024

JSON = "application/json"
PROTOBUF = "application/x-protobuf"


async def read_body(request: Request) -> bytes:
    """The whole body, unpacked.

    Raises:
        RefusalError: it is too large (413), packed in an unknown way (415), or broken (400).
    """
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise _too_large()
        parts.append(part)
    packing = request.headers.get("content-encoding", "identity").strip().lower()
    return _unpacked(b"".join(parts), packing)


def is_protobuf(request: Request, operation: Operation) -> bool:
    """Whether the body is a protobuf message. JSON may come under any other name.

    Raises:
        RefusalError: the operation does not take a body of this kind (415).
    """
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    kind = PROTOBUF if given == PROTOBUF else JSON
    if kind not in operation.media_types:
        expected = " or ".join(operation.media_types)
        raise RefusalError(415, f"Unsupported Content-Type {given!r}; expected {expected}")
    return kind == PROTOBUF


def _unpacked(body: bytes, packing: str) -> bytes:
    if packing == "identity":
        return body
    if packing != "zstd":
        raise RefusalError(415, f"Unsupported Content-Encoding {packing!r}; expected zstd or none")
    try:
        import zstandard
    except ImportError:
        raise RefusalError(
            415, "Unsupported Content-Encoding 'zstd': this server has no zstandard package"
        ) from None
    try:
        with zstandard.ZstdDecompressor().stream_reader(body) as reader:
            unpacked = reader.read(MAX_BODY_BYTES + 1)
    except zstandard.ZstdError as error:
        raise RefusalError(400, f"the body can't be unpacked: {error}") from None
    if len(unpacked) > MAX_BODY_BYTES:
        raise _too_large()
    return unpacked


def _too_large() -> RefusalError:
    return RefusalError(413, f"a body may have {MAX_BODY_BYTES} bytes at most")
