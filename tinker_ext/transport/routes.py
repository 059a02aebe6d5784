"""Sends each request the way that its URL needs: through which proxy, and with or without TLS."""

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

#: Connections that end without any response before a TLS handshake is tried; ours.
PROBE_AFTER = 2
#: Seconds for a TLS handshake with a server that failed to respond to plain HTTP; ours.
PROBE_TIMEOUT = 2.0


class RoutedTransport(httpx.AsyncBaseTransport):
    """One transport per way, each made by `make` on first use. Used from one event loop only.

    Most requests go to the base URL. A redirect may lead elsewhere, and NO_PROXY may except only
    one of the two hosts.
    """

    def __init__(self, config: ClientConfig, make: MakeTransport, base_url: str = "") -> None:
        self._config = config
        self._make = make
        self._transports: dict[tuple[bool, str | None], httpx.AsyncBaseTransport] = {}
        self._base = httpx.URL(base_url)
        # Connections that ended without a response; None once there was one.
        self._failures: int | None = 0
        self._to_base = self._transport(base_url, self._base.scheme) if base_url else None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url, base = request.url, self._base
        same = url.raw_host == base.raw_host and url.scheme == base.scheme and url.port == base.port
        if self._to_base is not None and same:
            return await self._send_to_base(self._to_base, request)
        return await self._transport(str(url), url.scheme).handle_async_request(request)

    async def aclose(self) -> None:
        for transport in self._transports.values():
            await transport.aclose()

    async def _send_to_base(
        self, transport: httpx.AsyncBaseTransport, request: httpx.Request
    ) -> httpx.Response:
        if self._failures is None:
            return await transport.handle_async_request(request)
        try:
            response = await transport.handle_async_request(request)
        except (httpx.ReadError, httpx.RemoteProtocolError):
            self._failures += 1
            if self._failures == PROBE_AFTER and await self._needs_tls():
                raise TlsRequiredError("") from None
            raise
        self._failures = None
        return response

    async def _needs_tls(self) -> bool:
        """Whether a server that ends connections without a response wants TLS on them.

        Some servers close such a connection with a TLS alert, which says so, and some without.
        """
        if self._base.scheme == "https" or self._config.proxy_for(str(self._base)):
            return False
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE  # nothing is sent
        try:
            async with asyncio.timeout(PROBE_TIMEOUT):
                _, writer = await asyncio.open_connection(
                    self._base.host, self._base.port or 80, ssl=tls
                )
        except OSError:  # TimeoutError and ssl.SSLError, too
            return False
        writer.transport.abort()
        return True

    def _transport(self, url: str, scheme: str) -> httpx.AsyncBaseTransport:
        proxy = self._config.proxy_for(url)
        encrypted = scheme == "https" or (proxy or "").startswith("https")
        way = encrypted, proxy
        if way not in self._transports:
            tls = tls_context(self._config) if encrypted else None
            self._transports[way] = self._make(tls, proxy)
        return self._transports[way]
