"""Streams files from signed URLs. Errors and logs never show the path or query of a URL."""

from __future__ import annotations

import logging
import ssl
import time
from contextlib import aclosing, asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

import httpx
from attrs import frozen

from tinker_ext.errors import APIResponseValidationError, APIStatusError, status_error
from tinker_ext.rules.retry import retry_after_seconds
from tinker_ext.transport.body_limits import BodyError, read_body_bytes
from tinker_ext.transport.build import build_storage_client
from tinker_ext.transport.encoding import read_body
from tinker_ext.transport.network_faults import connection_error
from tinker_ext.transport.ranges import UNSATISFIABLE
from tinker_ext.transport.request import url_secrets

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping

    from tinker_ext.config import ClientConfig

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
