"""Trusted certificates: those of the system and of certifi, or those that are configured."""

from __future__ import annotations

import ssl
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tinker_ext.errors import ConfigurationError

if TYPE_CHECKING:
    from tinker_ext.config import ClientConfig

# The system's certificates on Linux distributions and the BSDs; used if the OpenSSL that Python was
# built with finds none.
_SYSTEM_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Gentoo
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, Red Hat
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, Red Hat
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine, the BSDs
)


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
