"""Puts the pieces together: one generated client per (base URL, configuration)."""

from __future__ import annotations

import logging
import platform
from functools import partial
from typing import TYPE_CHECKING

import httpx
import tinker_api

from tinker_ext.transport.auth import ApiKeyAuth
from tinker_ext.transport.http import ApiHttpClient
from tinker_ext.transport.pool import REQUESTS_PER_SHARD, ShardedTransport
from tinker_ext.transport.routes import RoutedTransport
from tinker_ext.version import __version__

if TYPE_CHECKING:
    import ssl

    from tinker_ext.config import ClientConfig
    from tinker_ext.transport.auth import KeySource
    from tinker_ext.transport.body_limits import Reserve


class _NamesOnly(logging.Filter):
    """Lets httpcore say what it does, and not with which headers: a server may echo a key."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = record.getMessage().partition(" ")[0], ()
        return True


# httpcore logs, at DEBUG, through one logger for each of its kinds of connection.
for _name in ("connection", "http11", "http2", "proxy", "socks"):
    logging.getLogger(f"httpcore.{_name}").addFilter(_NamesOnly())


def build_client(
    config: ClientConfig,
    base_url: str,
    transport: httpx.AsyncBaseTransport | None = None,
    *,
    keys: KeySource | None = None,
    reserve: Reserve | None = None,
) -> tinker_api.Client:
    """A generated client that sends through our pool (or `transport`), encoder and error mapping.

    Its requests prove themselves with what `keys` gives, or with the configuration's key. Large
    bodies of responses wait for a reservation of `reserve`, in bytes. The client must
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
        proxy_for=config.proxy_for,
        reserve=reserve,
    )
    client = tinker_api.Client(base_url=base_url, raise_on_unexpected_status=True)
    return client.set_async_httpx_client(http)


def build_storage_client(config: ClientConfig) -> httpx.AsyncClient:
    """A client for signed URLs, which are their own authorization: it sends no credentials.

    Use it on one event loop, and close it with `await client.aclose()`.
    """
    return httpx.AsyncClient(
        transport=RoutedTransport(config, partial(_make_transport, config.http_transport)),
        trust_env=False,  # proxies are chosen by the transport; .netrc holds other credentials
        timeout=httpx.Timeout(config.timeout, connect=config.connect_timeout),
        # Compressed again on the way, the file would be saved as that.
        headers={"User-Agent": _user_agent(), "Accept": "*/*", "Accept-Encoding": "identity"},
        follow_redirects=True,
    )


def _connections(config: ClientConfig, base_url: str) -> httpx.AsyncBaseTransport:
    make = partial(_make_transport, config.http_transport)
    return RoutedTransport(config, make, base_url)


def _make_transport(
    kind: str, tls: ssl.SSLContext | None, proxy: str | None
) -> httpx.AsyncBaseTransport:
    """The transport that the configuration asks for; that of an extra is imported here."""
    if kind == "httpcore" or (proxy or "").startswith("socks"):
        return _pool(tls, proxy)
    from tinker_ext.transport.aiohttp.transport import AiohttpTransport

    return AiohttpTransport(tls, proxy)


def _pool(tls: ssl.SSLContext | None, proxy: str | None) -> ShardedTransport:
    limits = httpx.Limits(
        max_connections=REQUESTS_PER_SHARD, max_keepalive_connections=REQUESTS_PER_SHARD
    )
    # Both ends of a tunnel are trusted by the same certificates.
    encrypted = tls if (proxy or "").startswith("https") else None
    through = None if proxy is None else httpx.Proxy(proxy, ssl_context=encrypted)

    def make_shard() -> httpx.AsyncBaseTransport:
        return httpx.AsyncHTTPTransport(verify=tls or False, limits=limits, proxy=through)

    return ShardedTransport(make_shard)


def _user_agent() -> str:
    return f"tinker-ext/{__version__} python/{platform.python_version()}"
