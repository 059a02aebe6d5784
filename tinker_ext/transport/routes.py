"""Selects the proxy and the TLS settings for the URL of each request."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

import httpx

from tinker_ext.transport.network_faults import TlsRequiredError
from tinker_ext.transport.tls import tls_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinker_ext.config import ClientConfig

    MakeTransport = Callable[[ssl.SSLContext | None, str | None], httpx.AsyncBaseTransport]

#: Connections closed without any response before a TLS handshake is attempted; ours.
PROBE_AFTER = 2
#: Seconds for a TLS handshake with a server that did not respond to plain HTTP; ours.
PROBE_TIMEOUT = 2.0


class RoutedTransport(httpx.AsyncBaseTransport):
    """Sends through one transport per route, created by `make` on first use, on one event loop.

    A route is a proxy or none, with or without TLS. Most requests go to the base URL. A redirect
    may lead to another host, and NO_PROXY may name only one of the two.
    """

    def __init__(self, config: ClientConfig, make: MakeTransport, base_url: str = "") -> None:
        self._config = config
        self._make = make
        self._transports: dict[tuple[bool, str | None], httpx.AsyncBaseTransport] = {}
        self._base = httpx.URL(base_url)
        # Connections closed without a response; None after the first response.
        self._failures: int | None = 0
        self._to_base = self._transport(base_url, self._base.scheme) if base_url else None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url, base = request.url, self._base
        same_origin = (url.scheme, url.raw_host, url.port) == (
            base.scheme,
            base.raw_host,
            base.port,
        )
        if self._to_base is not None and same_origin:
            if self._failures is None:
                return await self._to_base.handle_async_request(request)
            return await self._send_to_base(self._to_base, request)
        return await self._transport(str(url), url.scheme).handle_async_request(request)

    async def aclose(self) -> None:
        for transport in self._transports.values():
            await transport.aclose()

    async def _send_to_base(
        self, transport: httpx.AsyncBaseTransport, request: httpx.Request
    ) -> httpx.Response:
        """Send a request to a server that has not responded yet."""
        try:
            response = await transport.handle_async_request(request)
        except (httpx.ReadError, httpx.RemoteProtocolError):
            if self._failures is None:  # The server has responded to another request meanwhile.
                raise
            self._failures += 1
            if self._failures == PROBE_AFTER and await self._needs_tls():
                raise TlsRequiredError("") from None
            raise
        self._failures = None
        return response

    async def _needs_tls(self) -> bool:
        """Whether a server that closes connections without a response requires TLS.

        Some servers send a TLS alert before they close a plain connection, others don't.
        """
        if self._base.scheme == "https" or self._config.proxy_for(str(self._base)):
            return False
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE  # Nothing is sent.
        try:
            async with asyncio.timeout(PROBE_TIMEOUT):
                _, writer = await asyncio.open_connection(
                    self._base.host, self._base.port or 80, ssl=tls
                )
        except OSError:  # Includes TimeoutError and ssl.SSLError.
            return False
        writer.transport.abort()
        return True

    def _transport(self, url: str, scheme: str) -> httpx.AsyncBaseTransport:
        proxy = self._config.proxy_for(url)
        encrypted = scheme == "https" or (proxy or "").startswith("https")
        route = encrypted, proxy
        if route not in self._transports:
            tls = tls_context(self._config) if encrypted else None
            self._transports[route] = self._make(tls, proxy)
        return self._transports[route]
