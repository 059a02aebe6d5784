"""How a file is fetched from storage: byte ranges, validators, checksums, expired URLs.

Storage is any HTTP server behind a signed URL. A download that broke off asks for the missing bytes
(`Range`) on the condition that the file is still the same (`If-Range`), as in RFC 9110, 13 and 14:

==========================  =====================================================================
response                    meaning
==========================  =====================================================================
206, `Content-Range`        the bytes from its start on
200                         the whole file: the server ignores ranges, or the file has changed
416, `bytes */SIZE`         nothing is missing if SIZE is what there is; otherwise start again
==========================  =====================================================================
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Seconds before its expiry at which a URL is replaced (0.38.0's command line).
RESIGN_MARGIN = 300.0
#: Statuses with which storage refuses an expired URL: 403 (S3, Azure), 400 (Google), and others.
REJECTED_URL_STATUSES = frozenset({400, 401, 403, 404, 410})
PARTIAL, UNSATISFIABLE = 206, 416

_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)
_UNSATISFIED = re.compile(r"bytes \*/(\d{1,18})", re.ASCII)
_LENGTH = re.compile(r"\d{1,18}", re.ASCII)
# hashlib's names of the algorithms in headers, strongest first, and the size of a digest in bytes.
_ALGORITHMS = {"sha-512": ("sha512", 64), "sha-256": ("sha256", 32), "md5": ("md5", 16)}


@frozen
class Content:
    """What a response holds of a file.

    Attributes:
        start: the offset of its first byte.
        size: of the whole file in bytes; None if the server does not say.
        validator: the value for `If-Range`; None if a later change can't be detected.
        digest: hashlib's name of an algorithm and the digest of the whole file, if there is one.
    """

    start: int
    size: int | None
    validator: str | None = None
    digest: tuple[str, bytes] | None = None


def range_headers(offset: int, validator: str | None) -> dict[str, str]:
    """Headers that ask for a file from `offset` on, if it still has that validator."""
    if not offset:
        return {}
    conditional = {} if validator is None else {"If-Range": validator}
    return {"Range": f"bytes={offset}-", **conditional}


def content_of(status: int, headers: Mapping[str, str], offset: int) -> Content | None:
    """What a success, or a 416, holds; None if it can't follow `offset` bytes: start again.

    Names of headers are in lower case.
    """
    validator, digest = _validator(headers), _digest(headers, whole=status != PARTIAL)
    described = headers.get("content-range", "").strip()
    if status == UNSATISFIABLE:
        size = _UNSATISFIED.fullmatch(described)
        complete = size is not None and int(size[1]) == offset
        return Content(offset, offset, validator) if complete else None
    if status != PARTIAL:
        length = headers.get("content-length", "").strip()
        return Content(0, int(length) if _LENGTH.fullmatch(length) else None, validator, digest)
    part = _RANGE.fullmatch(described)
    if part is None or int(part[1]) != offset:
        return None
    return Content(offset, None if part[3] == "*" else int(part[3]), validator, digest)


def _validator(headers: Mapping[str, str]) -> str | None:
    """A strong entity tag, or else the date of the last change (RFC 9110, 13.1.5)."""
    tag = headers.get("etag", "").strip()
    if tag.startswith('"'):
        return tag
    return headers.get("last-modified") or None


def _digest(headers: Mapping[str, str], *, whole: bool) -> tuple[str, bytes] | None:
    """The strongest digest of the whole file that the headers have.

    `Content-MD5` and `Content-Digest` are of the bytes in the response, so they count for a `whole`
    file only. The other sources: RFC 9530 and 3230, S3 (`x-amz-checksum-sha256`, unless it is
    composed of those of parts) and Google (`x-goog-hash`, of the file as it is stored).
    """
    values: dict[str, str] = {}
    for name in ("digest", "repr-digest", *(("content-digest",) if whole else ())):
        values |= _entries(headers.get(name, ""))
    if headers.get("x-goog-stored-content-encoding", "identity") == "identity":
        values |= _entries(headers.get("x-goog-hash", ""))
    if headers.get("x-amz-checksum-type", "").upper() != "COMPOSITE":
        values |= _named("sha-256", headers.get("x-amz-checksum-sha256"))
    if whole:
        values |= _named("md5", headers.get("content-md5"))
    for name, (algorithm, size) in _ALGORITHMS.items():
        digest = _decoded(values.get(name, ""))
        if len(digest) == size:
            return algorithm, digest
    return None


def _named(name: str, value: str | None) -> dict[str, str]:
    return {} if value is None else {name: value.strip()}


def _entries(value: str) -> dict[str, str]:
    """``sha-256=:BASE64:, md5=BASE64`` by name."""
    pairs = (entry.strip().partition("=") for entry in value.split(","))
    return {name.strip().lower(): text.strip().strip(":") for name, _, text in pairs if text}


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def is_expiring(expires: float, signed: float, now: float) -> bool:
    """Whether a URL should be signed again; all in epoch seconds.

    A URL that is valid for a few minutes only is used for half of them. One that seems to have been
    signed for the past shows that the clocks differ, and is used until it is rejected.
    """
    lifetime = expires - signed
    return lifetime > 0 and expires - now < min(RESIGN_MARGIN, lifetime / 2)
