"""Answers without the secrets that a server may have said back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_ext.redaction import MASK

if TYPE_CHECKING:
    from collections.abc import Iterable

    import httpx

# Characters of a value that is blotted out of answers. What is shorter (some servers take any word
# for a key) stands in too many of them by chance: without its x, `application/x-protobuf` can't be
# read. Ours; the service's keys are far longer.
SHORTEST = 6


def worth_blotting(values: Iterable[str]) -> tuple[str, ...]:
    """Those of the values that no answer has by chance."""
    return tuple(value for value in values if len(value) >= SHORTEST)


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
