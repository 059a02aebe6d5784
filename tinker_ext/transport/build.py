"""Builds the gateway and the storage client of a configuration."""

from __future__ import annotations

import logging
import platform
from functools import partial
from typing import TYPE_CHECKING

import httpx

from tinker_ext.config import parsers
from tinker_ext.errors import ConfigurationError
from tinker_ext.transport.auth import ApiKeyAuth
from tinker_ext.transport.gateway import Gateway
from tinker_ext.transport.pool import REQUESTS_PER_SHARD, ShardedTransport
from tinker_ext.transport.routes import RoutedTransport
from tinker_ext.version import __version__

if TYPE_CHECKING:
    import ssl

    from tinker_ext.config import ClientConfig
    from tinker_ext.transport.auth import KeySource
    from tinker_ext.transport.body_limits import Reserve


class _EventNamesOnly(logging.Filter):
    """Removes headers from httpcore's log records, since a server may echo a key in them."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = record.getMessage().partition(" ")[0], ()
        return True


# httpcore logs at DEBUG level, with one logger per kind of connection.
for _name in ("connection", "http11", "http2", "proxy", "socks"):
    logging.getLogger(f"httpcore.{_name}").addFilter(_EventNamesOnly())


def build_gateway(
    config: ClientConfig,
    base_url: str,
    transport: httpx.AsyncBaseTransport | None = None,
    *,
    keys: KeySource | None = None,
    reserve: Reserve | None = None,
) -> Gateway:
    """A gateway with this package's connection pool.

    `transport` replaces the pool, `keys` the configuration's API key. Large response bodies wait
    for a reservation of `reserve`, in bytes. The gateway must be built, used and closed on one
    event loop.
    """
    return Gateway(
        base_url,
        transport or build_transport(config, base_url),
        ApiKeyAuth.from_config(config, keys),
        headers={"User-Agent": _user_agent(), **config.default_headers},
        timeout=httpx.Timeout(config.timeout, connect=config.connect_timeout),
        max_response_bytes=config.max_response_bytes,
        trace_headers=config.trace_headers,
        proxy_for=config.proxy_for,
        reserve=reserve,
    )


def build_storage_client(config: ClientConfig) -> httpx.AsyncClient:
    """A client for signed URLs. It sends no credentials: the URL is its own authorization.

    Use it on one event loop, and close it with `await client.aclose()`.
    """
    return httpx.AsyncClient(
        transport=build_transport(config),
        trust_env=False,  # RoutedTransport selects proxies; .netrc holds other credentials
        timeout=httpx.Timeout(config.timeout, connect=config.connect_timeout),
        # A compressed response would be saved compressed.
        headers={"User-Agent": _user_agent(), "Accept": "*/*", "Accept-Encoding": "identity"},
        follow_redirects=True,
    )


def build_transport(config: ClientConfig, base_url: str = "") -> httpx.AsyncBaseTransport:
    """The connections of a configuration; most requests go to `base_url`."""
    return RoutedTransport(config, partial(_make_transport, config.http_transport), base_url)


def _make_transport(
    kind: str, tls: ssl.SSLContext | None, proxy: str | None
) -> httpx.AsyncBaseTransport:
    """The configured transport, imported when it is first needed."""
    if kind == "asyncio" and proxy is None:
        from tinker_ext.transport.http11 import Http11Transport

        return Http11Transport(tls)
    return _pool(tls, proxy)


def _pool(tls: ssl.SSLContext | None, proxy: str | None) -> ShardedTransport:
    limits = httpx.Limits(
        max_connections=REQUESTS_PER_SHARD, max_keepalive_connections=REQUESTS_PER_SHARD
    )
    # The proxy and the server are verified with the same certificates.
    encrypted = tls if (proxy or "").startswith("https") else None
    try:
        http_proxy = None if proxy is None else httpx.Proxy(proxy, ssl_context=encrypted)
    except (httpx.InvalidURL, ValueError):  # Its message may contain the password.
        visible = parsers.redacted_repr(parsers.without_credentials(proxy or ""))
        raise ConfigurationError(f"proxy: {visible} is not a valid URL", setting="proxy") from None

    def make_shard() -> httpx.AsyncBaseTransport:
        return httpx.AsyncHTTPTransport(verify=tls or False, limits=limits, proxy=http_proxy)

    return ShardedTransport(make_shard)


def _user_agent() -> str:
    return f"tinker-ext/{__version__} python/{platform.python_version()}"
