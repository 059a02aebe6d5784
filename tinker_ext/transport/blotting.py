"""Answers without the secrets that a server may have said back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_ext.redaction import MASK

if TYPE_CHECKING:
    import httpx


def blotted(content: bytes, secrets: tuple[str, ...]) -> bytes:
    """A body in which a server may have said back what we sent, without the secrets."""
    for secret in secrets:
        if (encoded := secret.encode()) in content:
            content = content.replace(encoded, MASK.encode())
    return content


def harmless_headers(headers: httpx.Headers, secrets: tuple[str, ...]) -> dict[str, str]:
    """An answer's headers, names in lower case, without the secrets."""
    # `content` is decoded by now; the rest of the names may come once each.
    kept = {name: value for name, value in headers.items() if name != "content-encoding"}
    for secret in secrets:
        kept = {name: value.replace(secret, MASK) for name, value in kept.items()}
    return kept
