"""Streams files from signed URLs, in byte ranges. Errors and logs never show their path or query.

Storage is any HTTP server behind a signed URL. An interrupted download requests the missing bytes
(`Range`) on the condition that the file is unchanged (`If-Range`), as in RFC 9110, 13 and 14:

==========================  =====================================================================
response                    meaning
==========================  =====================================================================
206, `Content-Range`        the bytes from the start of the range
200                         the whole file: the server ignores ranges, or the file has changed
416, `bytes */SIZE`         complete if SIZE bytes are present; otherwise restart
==========================  =====================================================================
"""

from __future__ import annotations

import base64
import binascii
import logging
import re
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from contextvars import ContextVar

import httpx
from attrs import frozen

from tinker_ext.config import ClientConfig
from tinker_ext.errors import APIResponseValidationError, APIStatusError, status_error
from tinker_ext.rules.retry import retry_after_seconds
from tinker_ext.transport.connections import build_storage_client
from tinker_ext.transport.gateway import url_secrets
from tinker_ext.transport.network_faults import connection_error
from tinker_ext.transport.response import BodyError, read_body, read_body_bytes

#: Seconds before the expiry of a URL at which it is replaced (0.38.0's command line).
RESIGN_MARGIN = 300.0
#: Statuses with which storage rejects an expired URL: 403 (S3, Azure), 400 (Google), and others.
REJECTED_URL_STATUSES = frozenset({400, 401, 403, 404, 410})
PARTIAL, UNSATISFIABLE = 206, 416

_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)
_UNSATISFIED = re.compile(r"bytes \*/(\d{1,18})", re.ASCII)
_LENGTH = re.compile(r"\d{1,18}", re.ASCII)
# Algorithm names in headers, strongest first, with hashlib's name and the digest size in bytes.
_ALGORITHMS = {"sha-512": ("sha512", 64), "sha-256": ("sha256", 32), "md5": ("md5", 16)}
# Bytes of an error body that are read; those of storage services have less than a thousand.
_ERROR_BYTES = 65_536

_downloading: ContextVar[bool] = ContextVar("tinker_ext_downloading", default=False)


class _WithoutQueries(logging.Filter):
    """Removes the query of URLs that httpx logs while a signed URL is requested."""

    def filter(self, record: logging.LogRecord) -> bool:
        if _downloading.get() and isinstance(record.args, tuple):
            record.args = tuple(
                arg.copy_with(query=None) if isinstance(arg, httpx.URL) else arg
                for arg in record.args
            )
        return True


logging.getLogger("httpx").addFilter(_WithoutQueries())


@frozen
class StorageResponse:
    """A success or a 416 whose body is not read yet; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    pieces: AsyncIterator[bytes]


class Storage:
    """Requests signed URLs on one event loop; retries nothing."""

    def __init__(self, config: ClientConfig) -> None:
        self._client = build_storage_client(config)
        self._proxy_for = config.proxy_for

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    @asynccontextmanager
    async def get(
        self, operation: str, url: str, headers: Mapping[str, str]
    ) -> AsyncIterator[StorageResponse]:
        """Requests `url`; the response stays open within the context.

        Raises:
            APIStatusError: the storage service returned an error status other than 416.
            APIConnectionError: the connection failed, possibly while the body was read.
            APIResponseValidationError: the URL is not usable, or redirects from https to http.
        """
        target = _parsed(operation, url)
        secrets = url_secrets(target)
        token = _downloading.set(True)
        try:
            try:
                request = self._client.build_request("GET", target, headers=dict(headers))
                response = await self._client.send(request, stream=True)
            except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
                proxy = self._proxy_for(str(target))
                raise connection_error(operation, target, error, proxy) from None
            try:
                secrets += url_secrets(response.url)
                _check_encrypted(operation, target, response.url)
                if not response.is_success and response.status_code != UNSATISFIABLE:
                    raise await _status_error(operation, response)
                async with aclosing(self._pieces(operation, response)) as pieces:
                    yield StorageResponse(response.status_code, dict(response.headers), pieces)
            finally:
                await response.aclose()
        finally:
            _downloading.reset(token)

    async def _pieces(
        self, operation: str, response: httpx.Response
    ) -> AsyncGenerator[bytes, None]:
        try:
            async for piece in response.aiter_raw():
                yield piece
        except (httpx.HTTPError, ssl.SSLError) as error:
            proxy = self._proxy_for(str(response.url))
            raise connection_error(operation, response.url, error, proxy) from None


def _parsed(operation: str, url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError):
        parsed = httpx.URL()
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise APIResponseValidationError(
            f"the server sent a download URL that is not valid (scheme {parsed.scheme!r}); "
            "it may be a path in the server's file system",
            operation=operation,
        )
    return parsed


def _check_encrypted(operation: str, requested: httpx.URL, final: httpx.URL) -> None:
    if (requested.scheme, final.scheme) == ("https", "http"):
        raise APIResponseValidationError(
            f"{requested.host} redirected the download from https to http", operation=operation
        )


async def _status_error(operation: str, response: httpx.Response) -> APIStatusError:
    try:
        body = read_body(await read_body_bytes(response, _ERROR_BYTES))
    except (httpx.HTTPError, BodyError):
        body = None
    headers = dict(response.headers)
    return status_error(
        response.status_code,
        headers=headers,
        body=body,
        operation=operation,
        retry_after=retry_after_seconds(headers, time.time()),
        secrets=(response.url.query.decode("ascii"),),
    )


@frozen
class Content:
    """The part of a file that a response contains.

    Attributes:
        start: the offset of its first byte.
        size: the size of the whole file in bytes; None if unknown.
        validator: the value for `If-Range`; None if a later change can't be detected.
        digest: hashlib's name of the algorithm, and the digest of the whole file, if there is one.
        tag: the opaque part of the entity tag, weak or strong; only compared, never sent.
    """

    start: int
    size: int | None
    validator: str | None = None
    digest: tuple[str, bytes] | None = None
    tag: str | None = None


def range_headers(offset: int, validator: str | None) -> dict[str, str]:
    """Headers that request a file from `offset` on, provided it still matches the validator."""
    if not offset:
        return {}
    conditional = {} if validator is None else {"If-Range": validator}
    return {"Range": f"bytes={offset}-", **conditional}


def content_of(status: int, headers: Mapping[str, str], offset: int) -> Content | None:
    """The content of a success or a 416; None if it does not continue at `offset`: restart.

    Header names are in lower case.
    """
    validator, digest = _validator(headers), _digest(headers, whole=status != PARTIAL)
    tag = headers.get("etag", "").strip().removeprefix("W/") or None
    described = headers.get("content-range", "").strip()
    if status == UNSATISFIABLE:
        total = _UNSATISFIED.fullmatch(described)
        complete = total is not None and int(total[1]) == offset
        return Content(offset, offset, validator, tag=tag) if complete else None
    if status != PARTIAL:
        length = headers.get("content-length", "").strip()
        size = int(length) if _LENGTH.fullmatch(length) else None
        return Content(0, size, validator, digest, tag)
    part = _RANGE.fullmatch(described)
    if part is None or int(part[1]) != offset:
        return None
    return Content(offset, None if part[3] == "*" else int(part[3]), validator, digest, tag)


def _validator(headers: Mapping[str, str]) -> str | None:
    """A strong entity tag, or otherwise the modification date (RFC 9110, 13.1.5)."""
    tag, date = headers.get("etag", "").strip(), headers.get("last-modified", "")
    if tag.startswith('"') and is_sendable(tag):
        return tag
    return date if is_sendable(date) else None


def is_sendable(validator: str) -> bool:
    """Whether a request can have it as `If-Range`: printable ASCII, not empty."""
    return bool(validator) and validator.isascii() and validator.isprintable()


def _digest(headers: Mapping[str, str], *, whole: bool) -> tuple[str, bytes] | None:
    """The strongest digest of the whole file in the headers.

    `Content-MD5` and `Content-Digest` cover the bytes of the response, so they apply only if it
    contains the `whole` file. The other sources: RFC 9530 and 3230, S3 (`x-amz-checksum-sha256`,
    unless composed of the checksums of parts) and Google (`x-goog-hash`, of the stored file).
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
    """Parses ``sha-256=:BASE64:, md5=BASE64`` into values by name."""
    pairs = (entry.strip().partition("=") for entry in value.split(","))
    return {name.strip().lower(): text.strip().strip(":") for name, _, text in pairs if text}


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def is_expiring(expires: float, signed: float, now: float) -> bool:
    """Whether a new signed URL should be requested; all arguments in epoch seconds.

    A URL with a lifetime of a few minutes is used for half of it. If it seems to have expired
    before it was signed, the clocks differ, and it is used until it is rejected.
    """
    lifetime = expires - signed
    return lifetime > 0 and expires - now < min(RESIGN_MARGIN, lifetime / 2)
