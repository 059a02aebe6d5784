"""The lifetime of a JSON web token, when to refresh it, and how a server rejects it.

A server exchanges an API key for a token, which then replaces the key in X-API-Key. The client
reads the claims without verifying them: the server that issued the token checks it. Ages and
lifetimes are seconds since the token was received, so that a wrong local clock does no harm.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from tinker_ext.rules.retry import header

#: A token with less of its lifetime left is refreshed before use (0.38.0 _jwt_auth.py). For a
#: lifetime under twice this value we use half of it, or every request would need a new token.
MIN_REMAINING = 60.0
#: Delay after a failed exchange, and how long a token of unknown lifetime is used (0.38.0).
RETRY_AFTER = 60.0
#: The fraction of its lifetime after which a token is refreshed, chosen uniformly (0.38.0).
REFRESH_FROM, REFRESH_TO = 0.45, 0.55
#: Minimum delay before a refresh, however short the lifetime. Our choice.
MIN_DELAY = 1.0

#: Longest token that is parsed; servers rarely accept a header over 8 KiB.
_MAX_TOKEN_LENGTH = 65_536
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]*", re.ASCII)
# RFC 6750, 3: error="invalid_token"; the quotes are optional (RFC 9110, 11.2).
_INVALID_TOKEN = re.compile(
    r"""(?:^|[\s,])error\s*=\s*(?:"invalid_token"|invalid_token(?=[\s,]|$))""", re.IGNORECASE
)


@frozen
class Validity:
    """The Unix times at which a token was issued and expires; None if unknown."""

    issued: float | None = None
    expires: float | None = None


def read_times(token: str) -> Validity:
    """Reads the claims `iat` and `exp`; both are None if the text is not a token."""
    claims = read_claims(token)
    return Validity(_timestamp(claims.get("iat")), _timestamp(claims.get("exp")))


def read_claims(token: str) -> dict[str, Any]:
    """Reads the claims of a token without verifying it; empty if the text is not a token."""
    match = _TOKEN.fullmatch(token) if len(token) <= _MAX_TOKEN_LENGTH else None
    if match is None:
        return {}
    payload = match[1]
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _timestamp(claim: object) -> float | None:
    if isinstance(claim, bool) or not isinstance(claim, int | float):
        return None
    try:
        return float(claim) if math.isfinite(claim) else None
    except OverflowError:
        return None


def lifetime(validity: Validity, now: float) -> float | None:
    """Seconds until a token received at the Unix time `now` expires; None if unknown.

    A server may return a token that it issued earlier, so the local clock is used. If the token
    would be expired on receipt, the local clock is wrong, and the span between the two claims is
    used instead.
    """
    if validity.expires is None:
        return None
    left = validity.expires - now
    span = None if validity.issued is None else validity.expires - validity.issued
    if span is None or span <= 0:
        return left if left > 0 else None
    return min(span, left) if left > 0 else span


def is_usable(age: float, lifetime: float | None) -> bool:
    """Returns True if the token can be sent as is, False if it should be refreshed first."""
    if lifetime is None:
        return age < RETRY_AFTER
    return lifetime - age > min(MIN_REMAINING, lifetime / 2)


def is_alive(age: float, lifetime: float | None) -> bool:
    """Whether a token that can't be refreshed may still be sent."""
    return lifetime is None or age < lifetime


def refresh_delay(lifetime: float | None, jitter: float) -> float:
    """Seconds from receipt of a token until it is refreshed; `jitter` is in [0, 1)."""
    if lifetime is None:
        return RETRY_AFTER
    return max(MIN_DELAY, lifetime * (REFRESH_FROM + (REFRESH_TO - REFRESH_FROM) * jitter))


def is_invalid_token(status: int, headers: Mapping[str, str]) -> bool:
    """Whether a response rejects the token itself (RFC 6750) rather than the request."""
    if status != 401:
        return False
    return _INVALID_TOKEN.search(header(headers, "www-authenticate") or "") is not None


def should_renegotiate(
    status: int, headers: Mapping[str, str], *, negotiated: bool, renegotiated: bool
) -> bool:
    """Whether an error response is a reason to request `client/config` again.

    A server that requires tokens reports so in `client/config` and rejects a key, which it receives
    if `client/config` was unavailable. `negotiated` is true if the server did respond to
    `client/config`; `renegotiated` is true if the failed call already requested it again.
    """
    return not negotiated and not renegotiated and is_invalid_token(status, headers)


def has_expired(key: str, now: float) -> bool:
    """Whether a key is an expired token; a key of any other kind never expires."""
    expires = read_times(key).expires
    return expires is not None and now >= expires
