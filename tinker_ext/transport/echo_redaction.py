"""Answers without the secrets that a server may have said back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_ext.redaction.secret import MASK, SHORTEST

if TYPE_CHECKING:
    from collections.abc import Iterable

    import httpx

    from tinker_ext.redaction.secret import Secret


def redactable(secrets: Iterable[Secret]) -> tuple[str, ...]:
    """The secrets long enough not to match a response by accident."""
    values = (secret.reveal() for secret in secrets)
    return tuple(dict.fromkeys(value for value in values if len(value) >= SHORTEST))


def redact_bytes(content: bytes, secrets: tuple[str, ...]) -> bytes:
    """A body in which a server may have said back what we sent, without the secrets."""
    for secret in secrets:
        if (encoded := secret.encode()) in content:
            content = content.replace(encoded, MASK.encode())
    return content


def redact_headers(headers: httpx.Headers, secrets: tuple[str, ...]) -> dict[str, str]:
    """An answer's headers, names in lower case, without the secrets."""
    # `content` is decoded by now; the rest of the names may come once each.
    kept = {name: value for name, value in headers.items() if name != "content-encoding"}
    for secret in secrets:
        kept = {name: value.replace(secret, MASK) for name, value in kept.items()}
    return kept
