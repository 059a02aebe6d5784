"""Certificates and proxies: which are used, and what errors report about them."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import truststore

import tinker_ext as tinker
from tests.wire.raw_server import Peer, RawServer, authority
from tests.wire.transports import Polite, client_of
from tinker_ext.testing import make_client
from tinker_ext.transport import connections
from tinker_ext.transport.network_faults import explain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HIDDEN = "hidden-password"


async def error_of(transport: str, url: str, **more: Any) -> tinker.APIConnectionError:
    async with client_of(transport, url, **more) as http:
        with pytest.raises(tinker.APIConnectionError) as caught:
            await http.request("GET", "/a")
    return caught.value


def encrypted(**certificate: Any) -> Callable[[Peer], None]:
    def serve(peer: Peer) -> None:
        peer.encrypt(**certificate)
        Polite()(peer)

    return serve


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("certificate", "words", "hint"),
    [
        ({"host": "else.example"}, "IP address mismatch", "Check the host in base_url"),
        ({"until": datetime(2020, 1, 1, tzinfo=UTC)}, "certificate has expired", "clock"),
    ],
    ids=["another host", "expired"],
)
async def test_invalid_certificate_is_a_tls_fault(
    http_transport: str, certificate: dict[str, Any], words: str, hint: str
) -> None:
    with RawServer(encrypted(**certificate)) as server:
        error = await error_of(http_transport, f"https://127.0.0.1:{server.port}")
    assert (error.fault, words in error.message, hint in error.hint) == ("tls", True, True)


async def test_untrusted_certificate_names_ssl_cert_file(http_transport: str) -> None:
    with RawServer(encrypted()) as server:
        error = await error_of(http_transport, f"https://127.0.0.1:{server.port}")
    assert error.fault == "tls"
    assert "SSL_CERT_FILE" in str(error)


async def test_https_to_a_plain_port_is_a_tls_fault(http_transport: str) -> None:
    def serve(peer: Peer) -> None:
        peer.sock.recv(65536)
        peer.say(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with RawServer(serve) as server:
        error = await error_of(http_transport, f"https://127.0.0.1:{server.port}")
    assert (error.fault, "http://" in error.hint) == ("tls", True)


def reset_it(peer: Peer) -> None:
    peer.encrypt()


def alert_and_close(peer: Peer) -> None:
    first = peer.sock.recv(1, socket.MSG_PEEK)
    if first == b"\x16":  # RFC 8446, 5.1: a handshake
        peer.encrypt()
    else:
        peer.request()
        peer.say(b"\x15\x03\x03\x00\x02\x02\x46")  # 6: an alert, fatal, protocol_version


@pytest.mark.parametrize("serve", [reset_it, alert_and_close])
def test_plain_http_to_a_tls_port_is_a_tls_fault(
    http_transport: str, serve: Callable[[Peer], None]
) -> None:
    with (
        RawServer(serve) as server,
        make_client(base_url=server.url, http_transport=http_transport) as service,
        pytest.raises(tinker.APIConnectionError, match="requires TLS") as caught,
    ):
        service.get_server_capabilities()
    assert (caught.value.fault, caught.value.attempts) == ("tls", 2)
    assert "https://" in caught.value.hint


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("x"),
        httpx.ConnectTimeout("x"),
        httpx.ProxyError("503 Service Unavailable"),
        httpx.ProxyError("x"),
    ],
)
def test_connect_fault_has_hint_to_run_doctor(error: Exception) -> None:
    fault = explain(error)
    assert fault.kind == "connect"
    assert "base_url and the proxy settings: run `tinker-ext doctor`" in fault.hint


@pytest.mark.parametrize("reason", ["TLSV13_ALERT_CERTIFICATE_REQUIRED", "UNSUPPORTED_PROTOCOL"])
def test_refused_handshake_is_a_tls_fault(reason: str) -> None:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    fault = explain(error)
    assert (fault.kind, reason.replace("_", " ").lower() in fault.message) == ("tls", True)


def test_damaged_tls_record_is_a_read_fault() -> None:
    damaged = ssl.SSLError(1, "bad record mac")
    damaged.reason = "SSLV3_ALERT_BAD_RECORD_MAC"
    assert explain(damaged).kind == "read"


async def test_damaged_tls_record_raises_typed_error(http_transport: str, trusted: None) -> None:
    def serve(peer: Peer) -> None:
        with peer.sock.dup() as plain:
            peer.encrypt()
            peer.request()
            plain.sendall(b"\x17\x03\x03\x00\x10" + b"x" * 16)  # RFC 8446, 5.2: data

    with RawServer(serve) as server:
        error = await error_of(http_transport, f"https://127.0.0.1:{server.port}")
    assert error.fault in ("read", "protocol")


@pytest.mark.parametrize(
    ("status", "fault"), [(407, "proxy"), (403, "proxy"), (429, "connect"), (502, "connect")]
)
async def test_proxy_that_rejects_a_tunnel(http_transport: str, status: int, fault: str) -> None:
    def serve(peer: Peer) -> None:
        peer.request()
        peer.say(b"HTTP/1.1 %d %s\r\nContent-Length: 0\r\n\r\n" % (status, HIDDEN.encode()))

    with RawServer(serve) as proxy:
        through = f"http://me:{HIDDEN}@127.0.0.1:{proxy.port}"
        error = await error_of(http_transport, "https://server.invalid", proxy=through)
    assert (error.fault, HIDDEN in str(error)) == (fault, False)
    assert f"HTTP {status}" in error.message
    assert f"through the proxy {proxy.url}" in error.message
    assert ("HTTPS_PROXY" in error.hint) is (status == 407)


async def test_proxy_that_requires_a_login_for_plain_http(http_transport: str) -> None:
    def serve(peer: Peer) -> None:
        peer.request()
        peer.say(b"HTTP/1.1 407 Login\r\nContent-Length: 0\r\n\r\n")

    with RawServer(serve) as proxy:
        async with client_of(http_transport, "http://server.invalid", proxy=proxy.url) as http:
            with pytest.raises(tinker.APIStatusError) as caught:
                await http.request("GET", "/a")
    assert (caught.value.status_code, "HTTP_PROXY" in str(caught.value)) == (407, True)


@pytest.mark.parametrize("words", ["Requested NO AUTH from proxy server", "Invalid username/pass"])
def test_socks_login_that_fails_is_a_proxy_fault(words: str) -> None:
    assert explain(httpx.ProxyError(words)).kind == "proxy"
    assert explain(httpx.ProxyError("Proxy Server could not connect: x")).kind == "connect"


async def test_environment_proxy_is_used_for_the_base_url_and_not_for_loopback(
    http_transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    polite = Polite()
    with RawServer(polite) as proxy, RawServer(Polite()) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with client_of(http_transport, "http://server.invalid") as http:
            await http.request("GET", "/a")
        async with client_of(http_transport, server.url) as http:
            await http.request("GET", "/a")
    assert [head.partition(b"\r\n")[0] for head in polite.heads] == [
        b"GET http://server.invalid/a HTTP/1.1"
    ]


@pytest.mark.parametrize("excepted", ["server.invalid", "storage.invalid"])
async def test_redirect_is_followed_through_the_proxy_of_its_own_host(
    http_transport: str, monkeypatch: pytest.MonkeyPatch, excepted: str
) -> None:
    heads = []

    def serve(peer: Peer) -> None:
        while head := peer.request():
            heads.append(head.partition(b"\r\n")[0])
            peer.say(b"HTTP/1.1 307 Go\r\nContent-Length: 0\r\n")
            peer.say(b"Location: http://storage.invalid/b\r\n\r\n")

    with RawServer(serve) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", excepted)
        async with client_of(http_transport, "http://server.invalid") as http:
            with pytest.raises(tinker.APIConnectionError) as caught:
                await http.request("GET", "/a", follows_redirect=True)
    assert excepted in caught.value.message  # The host does not resolve without the proxy.
    through = [] if excepted == "server.invalid" else [b"GET http://server.invalid/a HTTP/1.1"]
    assert heads == through


async def test_redirect_from_http_to_https_is_verified(http_transport: str) -> None:
    with RawServer(encrypted()) as storage:

        def serve(peer: Peer) -> None:
            peer.request()
            peer.say(b"HTTP/1.1 307 Go\r\nContent-Length: 0\r\n")
            peer.say(b"Location: https://127.0.0.1:%d/b\r\n\r\n" % storage.port)

        with RawServer(serve) as server:
            async with client_of(http_transport, server.url) as http:
                with pytest.raises(tinker.APIConnectionError, match="tls fault"):
                    await http.request("GET", "/a", follows_redirect=True)


@pytest.mark.parametrize("content", [None, b"", b"no certificate"], ids=["none", "empty", "junk"])
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_unusable_certificates_are_a_configuration_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, content: bytes | None
) -> None:
    path = tmp_path / "authority.pem"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv(variable, str(path))
    with (
        make_client(base_url="https://127.0.0.1:9") as service,
        pytest.raises(tinker.ConfigurationError, match=f"{variable}: ") as caught,
    ):
        service.get_server_capabilities()
    assert (caught.value.setting, str(path) in str(caught.value)) == (variable, True)


def test_empty_folder_of_certificates_is_a_configuration_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    with (
        make_client(base_url="https://127.0.0.1:9") as service,
        pytest.raises(tinker.ConfigurationError, match="is empty"),
    ):
        service.get_server_capabilities()


def _write_hashed(folder: Path) -> None:
    """Writes the certificate with the file name that OpenSSL expects."""
    certificate = folder / "authority.pem"
    authority().cert_pem.write_to_path(certificate)
    command = ["openssl", "x509", "-in", str(certificate), "-noout", "-subject_hash"]
    hashed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    certificate.rename(folder / f"{hashed}.0")


async def test_folder_of_certificates_is_trusted(
    http_transport: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _write_hashed(tmp_path)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    with RawServer(encrypted()) as server:
        async with client_of(http_transport, f"https://127.0.0.1:{server.port}") as http:
            assert (await http.request("GET", "/a")).content == b"{}"


def test_system_store_is_found_if_openssl_knows_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate = tmp_path / "system.pem"
    authority().cert_pem.write_to_path(certificate)
    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", lambda *_: None)
    monkeypatch.setattr(
        connections, "_SYSTEM_FILES", (str(tmp_path / "none.pem"), str(certificate))
    )
    assert connections._system_context().cert_store_stats()["x509_ca"] == 1


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_system_store_is_used_through_truststore(
    monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert isinstance(connections._system_context(), truststore.SSLContext)


async def test_https_proxy_is_verified_with_the_same_certificates(
    http_transport: str, trusted: None
) -> None:
    polite = Polite()

    def serve(peer: Peer) -> None:
        peer.encrypt()
        polite(peer)

    with RawServer(serve) as proxy:
        through = f"https://127.0.0.1:{proxy.port}"
        async with client_of(http_transport, "http://server.invalid", proxy=through) as http:
            await http.request("GET", "/a")
    assert polite.heads[0].startswith(b"GET http://server.invalid/a HTTP/1.1")


def test_proxy_that_only_httpx_rejects_raises_configuration_error() -> None:
    proxy = f"http://me:hidden@{'a' * 70_000}.example:1"
    with (
        make_client(base_url="https://api.example.invalid", proxy=proxy) as service,
        pytest.raises(tinker.ConfigurationError, match=r"^proxy: .* is not a valid URL") as caught,
    ):
        service.get_server_capabilities()
    assert caught.value.setting == "proxy"
    assert "hidden" not in str(caught.value)
    assert len(str(caught.value)) < 300
