"""Redacts secrets that a server repeats in its responses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_ext.redaction.secret import MASK, SHORTEST

if TYPE_CHECKING:
    from collections.abc import Iterable

    import httpx

    from tinker_ext.redaction.secret import Secret


def redactable(secrets: Iterable[Secret]) -> tuple[str, ...]:
    """The values of the secrets that are long enough not to match a response by accident."""
    values = (secret.reveal() for secret in secrets)
    return tuple(dict.fromkeys(value for value in values if len(value) >= SHORTEST))


def redact_bytes(content: bytes, secrets: tuple[str, ...]) -> bytes:
    """A response body without the secrets."""
    for secret in secrets:
        if (encoded := secret.encode()) in content:
            content = content.replace(encoded, MASK.encode())
    return content


def redact_headers(headers: httpx.Headers, secrets: tuple[str, ...]) -> dict[str, str]:
    """A response's headers without the secrets, with names in lower case."""
    # Without Content-Encoding, since the body is already decompressed.
    redacted = {name: value for name, value in headers.items() if name != "content-encoding"}
    for secret in secrets:
        redacted = {name: value.replace(secret, MASK) for name, value in redacted.items()}
    return redacted
