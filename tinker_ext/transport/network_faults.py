"""Classifies network errors, and suggests the setting that would help."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator

import httpx
from attrs import frozen

from tinker_ext.config.parsers import without_credentials
from tinker_ext.errors import APIConnectionError, APITimeoutError
from tinker_ext.rules.retry import RETRIED_STATUSES, TransportFault

#: The hint for a proxy that requires authentication.
PROXY_LOGIN = (
    "The proxy requires a user and password: put them into the URL of HTTPS_PROXY, HTTP_PROXY or "
    "the proxy argument."
)

_FAULTS: tuple[tuple[type[Exception], TransportFault], ...] = (
    (httpx.ConnectError, TransportFault.CONNECT),
    (httpx.ConnectTimeout, TransportFault.CONNECT),
    (httpx.PoolTimeout, TransportFault.POOL),
    (httpx.TimeoutException, TransportFault.TIMEOUT),
    (httpx.ReadError, TransportFault.READ),
    (httpx.WriteError, TransportFault.WRITE),
    (httpx.CloseError, TransportFault.READ),
    (httpx.RemoteProtocolError, TransportFault.PROTOCOL),
    (httpx.LocalProtocolError, TransportFault.PROTOCOL),
    (httpx.DecodingError, TransportFault.PROTOCOL),
    (httpx.ProxyError, TransportFault.CONNECT),
    (httpx.TransportError, TransportFault.CONNECT),
    (httpx.InvalidURL, TransportFault.PROTOCOL),
    (ssl.SSLError, TransportFault.READ),
)

# OpenSSL's reasons if the peer does not use TLS.
_NOT_TLS = frozenset(
    {"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"}
)
# Reasons if the peer uses another version of TLS, or requires a client certificate.
_REFUSED = frozenset(
    {"UNSUPPORTED_PROTOCOL", "NO_PROTOCOLS_AVAILABLE", "TLSV1_ALERT_PROTOCOL_VERSION"}
    | {"SSLV3_ALERT_HANDSHAKE_FAILURE", "TLSV1_UNRECOGNIZED_NAME", "TLSV1_ALERT_UNKNOWN_CA"}
    | {"TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_BAD_CERTIFICATE"}
)
# OpenSSL's X509_V_ERR codes for the dates and the names of a certificate.
_DATES, _NAMES = frozenset({9, 10}), frozenset({62, 64})
_CONNECT_HINT = (
    "Check that the server is running, and base_url and the proxy settings: "
    "run `tinker-ext doctor`."
)
# The beginnings of httpcore's messages for a rejected SOCKS login.
_SOCKS_LOGIN = ("Requested ", "Invalid username")


class TlsRequiredError(httpx.ConnectError):
    """Plain HTTP was sent to a server that requires TLS."""


@frozen
class NetworkFault:
    """The kind of a fault, a description, and a hint if one is known."""

    kind: TransportFault
    message: str
    hint: str = ""


def explain(error: Exception) -> NetworkFault:
    """Classifies an error of a transport."""
    if isinstance(error, httpx.ProxyError):
        return _proxy_fault(str(error))
    if (fault := _tls_fault(error)) is not None:
        return fault
    if isinstance(error, TlsRequiredError):
        return NetworkFault(
            TransportFault.TLS, "the server requires TLS on this port", "Use https:// in base_url."
        )
    kind = next(
        (fault for kind, fault in _FAULTS if isinstance(error, kind)), TransportFault.CONNECT
    )
    message = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return NetworkFault(kind, message, _CONNECT_HINT if kind is TransportFault.CONNECT else "")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _tls_fault(raised: Exception) -> NetworkFault | None:
    """A permanent TLS fault; None if a retry may succeed."""
    # The innermost error is OpenSSL's, with the reason.
    errors = [cause for cause in _causes(raised) if isinstance(cause, ssl.SSLError)]
    if not errors:
        return None
    error = errors[-1]
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = getattr(error, "verify_message", "") or error.strerror
        message = f"the certificate is not trusted: {reason}"
        return NetworkFault(TransportFault.TLS, message, _certificate_hint(error))
    if error.reason in _NOT_TLS:
        return NetworkFault(
            TransportFault.TLS,
            "the peer does not use TLS on this port",
            "Use http:// in base_url, or the port for https; with a proxy, check its URL.",
        )
    if error.reason in _REFUSED:
        reason = error.reason.replace("_", " ").lower()
        return NetworkFault(TransportFault.TLS, f"the TLS handshake was rejected: {reason}")
    return None


def _certificate_hint(error: ssl.SSLCertVerificationError) -> str:
    code = getattr(error, "verify_code", None)
    if code in _NAMES:
        return "Check the host in base_url; the certificate is for another host."
    if code in _DATES:
        return "Check this machine's clock; if it is right, the server needs a new certificate."
    return (
        "If you trust its issuer, such as a company's proxy, set SSL_CERT_FILE to a PEM file with "
        "the issuer's certificate."
    )


def _proxy_fault(message: str) -> NetworkFault:
    """The fault of a proxy, without the proxy's message, which may repeat the password."""
    if message.startswith(_SOCKS_LOGIN):
        return NetworkFault(TransportFault.PROXY, "the proxy rejected the login", PROXY_LOGIN)
    status = int(message[:3]) if re.match(r"\d{3}\b", message) else 0
    if not status:
        return NetworkFault(TransportFault.CONNECT, "the proxy could not connect", _CONNECT_HINT)
    message = f"the proxy could not connect: HTTP {status}"
    if 400 <= status < 500 and status not in RETRIED_STATUSES:
        hint = PROXY_LOGIN if status == 407 else ""
        return NetworkFault(TransportFault.PROXY, message, hint)
    return NetworkFault(TransportFault.CONNECT, message, _CONNECT_HINT)


def connection_error(
    operation: str, url: httpx.URL, error: Exception, proxy: str | None
) -> APIConnectionError:
    """The error for a request that failed before its response was complete."""
    fault = explain(error)
    # Without path and query, since a signed URL contains its authorization.
    origin = f"{url.scheme}://{url.netloc.decode('ascii')}"
    if proxy is not None:
        origin += f" through the proxy {without_credentials(proxy)}"
    kind = APITimeoutError if isinstance(error, httpx.TimeoutException) else APIConnectionError
    failure = kind(f"{fault.message} ({origin})", operation=operation, fault=fault.kind)
    failure.hint = fault.hint
    return failure
