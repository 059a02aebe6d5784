"""How long a token is good for, when to get the next, and what a server says of a bad one.

A token is a JSON web token that a server gives for a key; it takes the key's place in X-API-Key.
Only its own claims are read, nothing is verified: it comes from the server that will check it.
Ages and lives are seconds since its receipt, so that a clock that is wrong does no harm.
"""

from __future__ import annotations

import base64
import json
import math
import re
from typing import TYPE_CHECKING, Any

from attrs import frozen

from tinker_ext.rules.retry import header

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A token with less of its life left is replaced before it is used (0.38.0 _jwt_auth.py). Ours:
#: half of a life that is shorter than two of these, or every request would need a new token.
MIN_REMAINING = 60.0
#: From a failed exchange to the next, and how long a token of unknown life is used (0.38.0).
RETRY_AFTER = 60.0
#: The part of its life after which the next token is fetched, evenly spread over it (0.38.0).
REFRESH_FROM, REFRESH_TO = 0.45, 0.55
#: Ours: no server's lives, however short, may have us ask without a pause.
MIN_DELAY = 1.0

#: Longest token looked into; a header's value seldom may be longer than 8 KiB.
_LONGEST_TOKEN = 65_536
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]*", re.ASCII)
# RFC 6750, 3: error="invalid_token"; a token without quotes is as good (RFC 9110, 11.2).
_INVALID_TOKEN = re.compile(
    r"""(?:^|[\s,])error\s*=\s*(?:"invalid_token"|invalid_token(?=[\s,]|$))""", re.IGNORECASE
)


@frozen
class Validity:
    """When a token was issued and expires, in seconds since 1970; None: it does not say."""

    issued: float | None = None
    expires: float | None = None


def read_times(token: str) -> Validity:
    """The claims `iat` and `exp` of a token; of anything else, nothing."""
    claims = read_claims(token)
    return Validity(_moment(claims.get("iat")), _moment(claims.get("exp")))


def read_claims(token: str) -> dict[str, Any]:
    """What a token says of itself; of anything else, nothing."""
    found = _TOKEN.fullmatch(token) if len(token) <= _LONGEST_TOKEN else None
    if found is None:
        return {}
    payload = found[1]
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _moment(claim: object) -> float | None:
    if isinstance(claim, bool) or not isinstance(claim, int | float):
        return None
    try:
        return float(claim) if math.isfinite(claim) else None
    except OverflowError:
        return None


def lifetime(times: Validity, now: float) -> float | None:
    """Seconds that a token received at `now` (since 1970) is good for; None where that is unknown.

    A server may hand out a token that it has had for a while, so our clock counts. But a token
    that is over as soon as it comes tells that our clock is wrong; then its own span counts.
    """
    if times.expires is None:
        return None
    left = times.expires - now
    span = None if times.issued is None else times.expires - times.issued
    if span is None or span <= 0:
        return left if left > 0 else None
    return min(span, left) if left > 0 else span


def is_usable(age: float, lifetime: float | None) -> bool:
    """Whether a token is good without a thought; otherwise a new one is fetched first."""
    if lifetime is None:
        return age < RETRY_AFTER
    return lifetime - age > min(MIN_REMAINING, lifetime / 2)


def is_alive(age: float, lifetime: float | None) -> bool:
    """Whether a token may still be used where no new one is to be had."""
    return lifetime is None or age < lifetime


def refresh_delay(lifetime: float | None, jitter: float) -> float:
    """Seconds from the receipt of a token to the exchange for the next; `jitter` in [0, 1)."""
    if lifetime is None:
        return RETRY_AFTER
    return max(MIN_DELAY, lifetime * (REFRESH_FROM + (REFRESH_TO - REFRESH_FROM) * jitter))


def is_invalid_token(status: int, headers: Mapping[str, str]) -> bool:
    """Whether an answer refuses the token itself (RFC 6750), not what was asked with it."""
    if status != 401:
        return False
    return _INVALID_TOKEN.search(header(headers, "www-authenticate") or "") is not None


def should_renegotiate(
    status: int, headers: Mapping[str, str], *, negotiated: bool, renegotiated: bool
) -> bool:
    """Whether a refusal is a reason to ask the server again what it speaks.

    One that wants tokens says so in its `client/config`, and refuses a key, which it is sent where
    it could not be asked. `told` is whether it has said what it speaks, `asked` whether the refused
    call has asked it again already.
    """
    return not negotiated and not renegotiated and is_invalid_token(status, headers)


def has_expired(key: str, now: float) -> bool:
    """Whether a key is a token whose end has passed; a key of any other kind never is."""
    expires = read_times(key).expires
    return expires is not None and now >= expires
