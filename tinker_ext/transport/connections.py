"""The connections of a configuration, and the gateway and the storage client that use them.

Selects the proxy and the TLS settings for the URL of each request: the certificates of the system
and of certifi are trusted, or those that are configured. `transport.http11` sends requests without
a proxy; the others use httpcore.

httpcore's pool scans all connections whenever a request starts or ends, so the work per request
grows with the number in flight. Here requests are distributed over shards that each hold only a
few requests, so the scan stays short (`make benchmark`).
"""

from __future__ import annotations

import asyncio
import logging
import platform
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx
from attrs import define

from tinker_ext.config import ClientConfig, parsers
from tinker_ext.errors import ConfigurationError
from tinker_ext.transport.auth import ApiKeyAuth, KeySource
from tinker_ext.transport.gateway import Gateway
from tinker_ext.transport.network_faults import TlsRequiredError
from tinker_ext.transport.response import Reserve
from tinker_ext.version import __version__

MakeTransport = Callable[[ssl.SSLContext | None, str | None], httpx.AsyncBaseTransport]

#: Connections closed without any response before a TLS handshake is attempted; ours.
PROBE_AFTER = 2
#: Seconds for a TLS handshake with a server that did not respond to plain HTTP; ours.
PROBE_TIMEOUT = 2.0
# Of 1, 2, 4, 8 and 16, one and two cost least with 64 and with 400 requests in flight: 2.2 to 2.9
# CPU seconds per 1000 samples instead of 3.2 to 4.3 (`benchmarks/driver.py` on a busy machine with
# two cores).
REQUESTS_PER_SHARD = 1
#: The attributes in which httpcore and anyio hold a wrapped connection or stream.
_CONNECTION, _STREAM = "_connection", "transport_stream"
# The system's certificates on Linux distributions and the BSDs; used if the OpenSSL that Python was
# built with finds none.
_SYSTEM_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Gentoo
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, Red Hat
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, Red Hat
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine, the BSDs
)


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
        self._origin = self._base.scheme, self._base.raw_host, self._base.port
        # Connections closed without a response; None after the first response.
        self._failures: int | None = 0
        self._to_base = self._transport(base_url, self._base.scheme) if base_url else None

    def handle_async_request(self, request: httpx.Request) -> Coroutine[Any, Any, httpx.Response]:
        url = request.url
        if self._to_base is None or (url.scheme, url.raw_host, url.port) != self._origin:
            return self._transport(str(url), url.scheme).handle_async_request(request)
        if self._failures is None:
            return self._to_base.handle_async_request(request)
        return self._send_to_base(self._to_base, request)

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


class ShardedTransport(httpx.AsyncBaseTransport):
    """Distributes requests over transports that each hold at most `per_shard` at once.

    A request occupies its shard until the response body is closed, since the connection is busy
    until then. Used on one event loop only.

    A shard is discarded when its request is cancelled: after a cancellation at certain points,
    httpcore's pool counts the connection as busy forever (and otherwise closes it).
    """

    def __init__(
        self,
        make_shard: Callable[[], httpx.AsyncBaseTransport],
        *,
        per_shard: int = REQUESTS_PER_SHARD,
    ) -> None:
        self._make_shard = make_shard
        self._per_shard = per_shard
        self._all: list[_Shard] = []
        # A stack: the shard used last is used next, which keeps connections warm.
        self._available: list[_Shard] = []
        self._closing: set[asyncio.Task[None]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        shard = self._acquire()
        try:
            response = await shard.transport.handle_async_request(request)
        except BaseException as error:
            self._release(shard, discard=isinstance(error, asyncio.CancelledError))
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)

        async def release(*, discard: bool) -> None:
            try:
                await close_if_unread(shard.transport)
            except BaseException:
                discard = True
                raise
            finally:
                self._release(shard, discard=discard)

        response.stream = _ReleasingStream(response.stream, release)
        return response

    async def aclose(self) -> None:
        shards, self._all, self._available = self._all, [], []
        for shard in shards:
            await shard.transport.aclose()
        await asyncio.gather(*self._closing)

    @property
    def in_flight(self) -> int:
        """The number of requests whose response body is not closed yet."""
        return sum(shard.active for shard in self._all)

    def _acquire(self) -> _Shard:
        if not self._available:
            shard = _Shard(self._make_shard())
            self._all.append(shard)
            self._available.append(shard)
        shard = self._available[-1]
        shard.active += 1
        if shard.active == self._per_shard:
            self._available.pop()
        return shard

    def _release(self, shard: _Shard, *, discard: bool) -> None:
        was_full = shard.active == self._per_shard
        shard.active -= 1
        if discard and not shard.discarded:
            shard.discarded = True
            self._all = [other for other in self._all if other is not shard]
            self._available = [other for other in self._available if other is not shard]
        if not shard.discarded:
            if was_full:
                self._available.append(shard)
        elif shard.active == 0:
            task = asyncio.get_running_loop().create_task(shard.transport.aclose())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


@define(eq=False)
class _Shard:
    """A transport, its number of active requests, and whether it was discarded."""

    transport: httpx.AsyncBaseTransport
    active: int = 0
    discarded: bool = False


class _ReleasingStream(httpx.AsyncByteStream):
    """A response body that calls `release` once when closed, to discard the shard if that fails."""

    def __init__(
        self, stream: httpx.AsyncByteStream, release: Callable[..., Awaitable[None]]
    ) -> None:
        self._stream = stream
        self._release: Callable[..., Awaitable[None]] | None = release

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            yield chunk

    async def aclose(self) -> None:
        closed = False
        try:
            await self._stream.aclose()
            closed = True
        finally:
            release, self._release = self._release, None
            if release is not None:
                await release(discard=not closed)


async def close_if_unread(transport: httpx.AsyncBaseTransport) -> None:
    """Closes idle connections with unread data of an httpcore pool; ignores other transports.

    Bytes that follow a complete response would be parsed as the response to the next request.
    httpcore checks the socket before it reuses a connection, which detects bytes that arrive later.
    Bytes that arrived together with the response are no longer in the socket.
    """
    pool = getattr(transport, "_pool", None)
    for connection in () if pool is None else pool.connections:
        if connection.is_idle() and _has_unread(connection):
            await connection.aclose()


def _has_unread(connection: Any) -> bool:
    """Whether any buffer between the socket and httpcore holds data.

    The buffers are private attributes of httpcore and anyio. If they can't be found, the connection
    counts as having data: another version of either then costs connections, never a wrong response.
    """
    try:
        while hasattr(connection, _CONNECTION):  # A tunnel, or a connection opened on first use.
            connection = connection._connection
        if connection._h11_state.trailing_data[0]:
            return True
        stream = connection._network_stream._stream
        while hasattr(stream, _STREAM):
            if _has_decrypted(stream._ssl_object):
                return True
            stream = stream.transport_stream
        return bool(stream._protocol.read_queue)
    except AttributeError:
        return True


def _has_decrypted(tls: ssl.SSLObject) -> bool:
    """Whether TLS holds unread data or an unread end of stream. Consumes one byte of it."""
    try:
        tls.read(1)
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError:
        return True
    return True


def tls_context(config: ClientConfig) -> ssl.SSLContext:
    """The TLS context of a configuration.

    Raises:
        ConfigurationError: the configured file or folder of certificates is not usable.
    """
    return _tls_context(config.ssl_cert_file, config.ssl_cert_dir)


@cache
def _tls_context(file: Path | None, folder: Path | None) -> ssl.SSLContext:
    """Cached per process, since reading the system's certificates takes about 50 ms."""
    if file is not None:
        return _custom_context("SSL_CERT_FILE", file)
    if folder is not None:
        return _custom_context("SSL_CERT_DIR", folder)
    import certifi  # It reads its folder with importlib.resources, which takes time.

    context = _system_context()
    # A container may have no certificates, and an old system outdated ones.
    context.load_verify_locations(cafile=certifi.where())
    return context


def _custom_context(variable: str, path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if variable == "SSL_CERT_FILE":
            context.load_verify_locations(cafile=path)
        elif any(path.iterdir()):
            context.load_verify_locations(capath=path)
        else:
            raise ConfigurationError(f"{variable}: the folder {path} is empty", setting=variable)
    except OSError as error:  # Includes ssl.SSLError.
        no_certificate = "it contains no certificate"
        reason = no_certificate if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigurationError(
            f"{variable}: {path} is not usable: {reason}", setting=variable
        ) from None
    return context


def _system_context() -> ssl.SSLContext:
    if sys.platform in ("darwin", "win32"):
        import truststore

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # OpenSSL reads the system's certificates itself. truststore would read them again for each
    # connection, which blocks the event loop for 0.1 s.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    if not context.cert_store_stats()["x509_ca"]:
        for file in filter(Path.is_file, map(Path, _SYSTEM_FILES)):
            context.load_verify_locations(cafile=file)
            break
    return context
