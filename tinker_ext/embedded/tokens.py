"""Checks API keys and tokens. Any key is valid unless the server was started with one."""

from __future__ import annotations

import hmac
import math
import time
import uuid
from hashlib import sha256
from typing import TYPE_CHECKING

import jwt

from tinker_ext.embedded.errors import RejectedRequestError

if TYPE_CHECKING:
    from tinker_ext.redaction.secret import Secret

_ALGORITHM = "HS256"
_ISSUER = "tinker-ext embedded"
#: Seconds for which a token is valid by default.
DEFAULT_LIFETIME = 3600.0
#: Operations that clients call before they have a token.
TOKENLESS = frozenset({"get_client_config", "create_auth_token"})
# RFC 6750, section 3.
_INVALID = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class Tokens:
    """Issues tokens that are valid for `lifetime` seconds, and requires them unless it is None.

    With a `key`, requests need that key, or a token that was issued for it.
    """

    def __init__(
        self, secret: bytes, lifetime: float | None = None, *, key: Secret | None = None
    ) -> None:
        self._secret = secret
        self._key = key
        self._lifetime = DEFAULT_LIFETIME if lifetime is None else lifetime
        self.required = lifetime is not None

    def issue(self, key: str | None) -> str:
        """A new token for a key.

        Raises:
            RejectedRequestError: the key is missing or wrong (401).
        """
        if not key:
            raise RejectedRequestError(401, "X-API-Key is missing: a token is issued for a key")
        if not self._is_key(key):
            raise _wrong_key()
        now = time.time()
        claims = {
            "iss": _ISSUER,
            "sub": sha256(key.encode()).hexdigest()[:16],
            "org_id": "local",
            "jti": uuid.uuid4().hex,
            "iat": int(now),
            # Rounded up to seconds, because clients ignore the fraction.
            "exp": math.ceil(now + self._lifetime),
        }
        return jwt.encode(claims, self._secret, algorithm=_ALGORITHM)

    def check(self, operation: str, credential: str | None) -> None:
        """Reject a request without this server's key, or without a valid token if it requires one.

        Raises:
            RejectedRequestError: the credential is missing, expired or not valid here (401).
        """
        if operation == "create_auth_token":
            return  # `issue` checks the key
        if self.required and operation not in TOKENLESS:
            self._check_token(credential)
        elif not self._is_key(credential) and not (self.required and self._is_token(credential)):
            raise _wrong_key()

    def _is_key(self, credential: str | None) -> bool:
        if self._key is None:
            return True
        return hmac.compare_digest(self._key.reveal().encode(), (credential or "").encode())

    def _is_token(self, credential: str | None) -> bool:
        try:
            self._check_token(credential)
        except RejectedRequestError:
            return False
        return True

    def _check_token(self, token: str | None) -> None:
        try:
            jwt.decode(
                token or "",
                self._secret,
                algorithms=[_ALGORITHM],
                issuer=_ISSUER,
                options={"require": ["exp"]},
            )
        except jwt.InvalidTokenError as error:
            raise RejectedRequestError(
                401,
                f"X-API-Key must contain a valid token of this server: {type(error).__name__}; "
                "POST the key to /api/v1/auth/token to get one",
                headers=_INVALID,
            ) from None


def _wrong_key() -> RejectedRequestError:
    return RejectedRequestError(
        401, "X-API-Key does not contain the key that this server was started with"
    )
