"""Which certificates are trusted: the system's and certifi's, or those that a setting names."""

from __future__ import annotations

import ssl
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import certifi

from tinker_ext.errors import ConfigurationError

if TYPE_CHECKING:
    from tinker_ext.config import ClientConfig

# Where Linux distributions and the BSDs keep the certificates of the system. Looked at if the
# OpenSSL that Python was built with knows none of them.
_SYSTEM_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Gentoo
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, Red Hat
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, Red Hat
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine, the BSDs
)


def tls_context(config: ClientConfig) -> ssl.SSLContext:
    """The context for all TLS connections with these settings.

    Raises:
        ConfigurationError: the file or folder of certificates that is set can't be used.
    """
    return _tls_context(config.ssl_cert_file, config.ssl_cert_dir)


@cache
def _tls_context(file: Path | None, folder: Path | None) -> ssl.SSLContext:
    """Cached for the process: reading the system's certificates takes about 50 ms."""
    if file is not None:
        return _trusting("SSL_CERT_FILE", file)
    if folder is not None:
        return _trusting("SSL_CERT_DIR", folder)
    context = _trusting_the_system()
    # A container may have no certificates, and an old system only old ones.
    context.load_verify_locations(cafile=certifi.where())
    return context


def _trusting(variable: str, path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if variable == "SSL_CERT_FILE":
            context.load_verify_locations(cafile=path)
        elif any(path.iterdir()):
            context.load_verify_locations(capath=path)
        else:
            raise ConfigurationError(f"{variable}: {path} is empty", setting=variable)
    except OSError as error:  # ssl.SSLError is one
        words = "it has no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigurationError(
            f"{variable}: {path} can't be used: {words}", setting=variable
        ) from None
    return context


def _trusting_the_system() -> ssl.SSLContext:
    if sys.platform in ("darwin", "win32"):
        import truststore

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # OpenSSL reads the system's certificates itself. truststore would have it read them again for
    # each connection: 0.1 s each, on the event loop.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    if not context.cert_store_stats()["x509_ca"]:
        for file in filter(Path.is_file, map(Path, _SYSTEM_FILES)):
            context.load_verify_locations(cafile=file)
            break
    return context
