"""Puts the pieces together: one generated client per (base URL, configuration)."""

from __future__ import annotations

import logging
import platform
from functools import cache
from typing import TYPE_CHECKING

import httpx
import tinker_api

from tinker_ext.transport.auth import ApiKeyAuth
from tinker_ext.transport.http import ApiHttpClient
from tinker_ext.transport.pool import REQUESTS_PER_SHARD, ShardedTransport
from tinker_ext.version import __version__

if TYPE_CHECKING:
    import ssl

    from tinker_ext.config import ClientConfig
    from tinker_ext.transport.auth import KeySource


class _NamesOnly(logging.Filter):
    """Lets httpcore say what it does, and not with which headers: a server may echo a key."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = record.getMessage().partition(" ")[0], ()
        return True


# httpcore logs, at DEBUG, through one logger for each of its kinds of connection.
for _name in ("connection", "http11", "http2", "proxy", "socks"):
    logging.getLogger(f"httpcore.{_name}").addFilter(_NamesOnly())


@cache
def _tls() -> ssl.SSLContext:
    """One context for all connections of the process: building one takes about 50 ms."""
    return httpx.create_ssl_context()


def build_client(
    config: ClientConfig,
    base_url: str,
    transport: httpx.AsyncBaseTransport | None = None,
    *,
    keys: KeySource | None = None,
) -> tinker_api.Client:
    """A generated client that sends through our pool (or `transport`), encoder and error mapping.

    Its requests prove themselves with what `keys` gives, or with the configuration's key. It must
    be built and used on one event loop. Close it with
    `await client.get_async_httpx_client().aclose()`.
    """
    http = ApiHttpClient(
        base_url=base_url,
        transport=transport or _connections(config, base_url),
        auth=ApiKeyAuth.from_config(config, keys),
        headers={"User-Agent": _user_agent(), **config.default_headers},
        timeout=httpx.Timeout(config.timeout, connect=config.connect_timeout),
        max_response_bytes=config.max_response_bytes,
        trace_headers=config.trace_headers,
    )
    client = tinker_api.Client(base_url=base_url, raise_on_unexpected_status=True)
    return client.set_async_httpx_client(http)


def build_storage_client(config: ClientConfig) -> httpx.AsyncClient:
    """A client for signed URLs, which are their own authorization: it sends no credentials.

    Use it on one event loop, and close it with `await client.aclose()`.
    """
    return httpx.AsyncClient(
        verify=_tls(),
        proxy=config.proxy,
        timeout=httpx.Timeout(config.timeout, connect=config.connect_timeout),
        # Compressed again on the way, the file would be saved as that.
        headers={"User-Agent": _user_agent(), "Accept": "*/*", "Accept-Encoding": "identity"},
        follow_redirects=True,
    )


def _connections(config: ClientConfig, base_url: str) -> httpx.AsyncBaseTransport:
    """The transport that the configuration asks for; that of an extra is imported here."""
    tls = _tls() if base_url.startswith("https") or config.proxy else None
    if config.http_transport == "httpcore":
        return _pool(config, tls)
    from tinker_ext.transport.aiohttp_transport import AiohttpTransport

    return AiohttpTransport(tls, config.proxy)


def _pool(config: ClientConfig, tls: ssl.SSLContext | None) -> ShardedTransport:
    limits = httpx.Limits(
        max_connections=REQUESTS_PER_SHARD, max_keepalive_connections=REQUESTS_PER_SHARD
    )

    def make_shard() -> httpx.AsyncBaseTransport:
        return httpx.AsyncHTTPTransport(verify=tls or False, limits=limits, proxy=config.proxy)

    return ShardedTransport(make_shard)


def _user_agent() -> str:
    return f"tinker-ext/{__version__} python/{platform.python_version()}"
