"""What failed between this machine and the server, and which setting would help."""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING

import httpx
from attrs import frozen

from tinker_ext.rules.retry import RETRIED_STATUSES, TransportFault

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What helps if a proxy wants to know who sends.
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

# OpenSSL's reasons: the other end does not speak TLS.
_NOT_TLS = frozenset(
    {"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"}
)
# And it speaks another TLS, or wants a certificate of the client's.
_REFUSED = frozenset(
    {"UNSUPPORTED_PROTOCOL", "NO_PROTOCOLS_AVAILABLE", "TLSV1_ALERT_PROTOCOL_VERSION"}
    | {"SSLV3_ALERT_HANDSHAKE_FAILURE", "TLSV1_UNRECOGNIZED_NAME", "TLSV1_ALERT_UNKNOWN_CA"}
    | {"TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_BAD_CERTIFICATE"}
)
# OpenSSL's X509_V_ERR codes: a certificate's dates, and its names.
_DATES, _NAMES = frozenset({9, 10}), frozenset({62, 64})
# A SOCKS proxy's refusals, in httpcore's words.
_SOCKS_LOGIN = ("Requested ", "Invalid username")


class TlsRequiredError(httpx.ConnectError):
    """A server was sent plain HTTP and speaks TLS."""


@frozen
class NetworkFault:
    """The kind of a fault, what happened, and what would help if anything is known to."""

    kind: TransportFault
    words: str
    hint: str = ""


def explain(error: Exception) -> NetworkFault:
    """What an error of a transport means."""
    if isinstance(error, httpx.ProxyError):
        return _proxy_fault(str(error))
    if (fault := _tls_fault(error)) is not None:
        return fault
    if isinstance(error, TlsRequiredError):
        return NetworkFault(
            TransportFault.TLS, "the server speaks TLS at this port", "Use https:// in base_url."
        )
    kind = next(
        (fault for kind, fault in _FAULTS if isinstance(error, kind)), TransportFault.CONNECT
    )
    words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return NetworkFault(kind, words)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _tls_fault(raised: Exception) -> NetworkFault | None:
    """A fault of TLS that stays; None if another attempt may do better."""
    # The innermost is OpenSSL's: aiohttp wraps it in one of the same class without its reason.
    errors = [cause for cause in _causes(raised) if isinstance(cause, ssl.SSLError)]
    if not errors:
        return None
    error = errors[-1]
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = getattr(error, "verify_message", "") or error.strerror
        words = f"the certificate is not accepted: {reason}"
        return NetworkFault(TransportFault.TLS, words, _certificate_hint(error))
    if error.reason in _NOT_TLS:
        return NetworkFault(
            TransportFault.TLS,
            "the other end does not speak TLS at this port",
            "Use http:// in base_url, or the port for https; with a proxy, check its URL.",
        )
    if error.reason in _REFUSED:
        reason = error.reason.replace("_", " ").lower()
        return NetworkFault(TransportFault.TLS, f"the TLS handshake was refused: {reason}")
    return None


def _certificate_hint(error: ssl.SSLCertVerificationError) -> str:
    code = getattr(error, "verify_code", None)
    if code in _NAMES:
        return "Check the host in base_url; the certificate is another host's."
    if code in _DATES:
        return "Check this machine's clock; if it is right, the server needs a new certificate."
    return (
        "If you trust its issuer, such as a company's proxy, set SSL_CERT_FILE to a PEM file with "
        "the issuer's certificate."
    )


def _proxy_fault(words: str) -> NetworkFault:
    """A refusal of the proxy, whose own words are left out: they may repeat the password."""
    if words.startswith(_SOCKS_LOGIN):
        return NetworkFault(TransportFault.PROXY, "the proxy refused the login", PROXY_LOGIN)
    status = int(words[:3]) if re.match(r"\d{3}\b", words) else 0
    if not status:
        return NetworkFault(TransportFault.CONNECT, "the proxy made no connection")
    lasting = 400 <= status < 500 and status not in RETRIED_STATUSES
    return NetworkFault(
        TransportFault.PROXY if lasting else TransportFault.CONNECT,
        f"the proxy made no connection: HTTP {status}",
        PROXY_LOGIN if status == 407 else "",
    )
