"""Keys and tokens: checked by this server, which takes any key unless it was started with one."""

from __future__ import annotations

import hmac
import math
import time
import uuid
from hashlib import sha256
from typing import TYPE_CHECKING

import jwt

from tinker_ext.embedded.rejections import RejectedRequestError

if TYPE_CHECKING:
    from tinker_ext.redaction.secret import Secret

_ALGORITHM = "HS256"
_ISSUER = "tinker-ext embedded"
#: Seconds that a token lives where nobody says otherwise.
LIFE = 3600.0
#: What is asked for before there is a token.
TOKENLESS = frozenset({"get_client_config", "create_auth_token"})
# RFC 6750, 3.
_INVALID = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class Tokens:
    """Gives tokens that live `life` seconds; where that is None it gives them, but needs none.

    With a `key`, requests need that key, or a token that was given for it.
    """

    def __init__(
        self, secret: bytes, life: float | None = None, *, key: Secret | None = None
    ) -> None:
        self._secret = secret
        self._key = key
        self._life = LIFE if life is None else life
        self.demanded = life is not None

    def issue(self, key: str | None) -> str:
        """A new token for a key.

        Raises:
            RefusalError: there is no key, or not the right one (401).
        """
        if not key:
            raise RejectedRequestError(401, "a token is given for a key, and X-API-Key has none")
        if not self._is_key(key):
            raise _wrong_key()
        now = time.time()
        claims = {
            "iss": _ISSUER,
            "sub": sha256(key.encode()).hexdigest()[:16],
            "jti": uuid.uuid4().hex,
            "iat": int(now),
            # Whole seconds, because readers of tokens cut off the rest.
            "exp": math.ceil(now + self._life),
        }
        return jwt.encode(claims, self._secret, algorithm=_ALGORITHM)

    def check(self, operation: str, sent: str | None) -> None:
        """Refuse a request without this server's key, or without a live token if it demands one.

        Raises:
            RefusalError: there is none, or it has expired, or is not from here (401).
        """
        if operation == "create_auth_token":
            return  # `issue` checks the key
        if self.demanded and operation not in TOKENLESS:
            self._check_token(sent)
        elif not self._is_key(sent) and not (self.demanded and self._is_token(sent)):
            raise _wrong_key()

    def _is_key(self, sent: str | None) -> bool:
        if self._key is None:
            return True
        return hmac.compare_digest(self._key.reveal().encode(), (sent or "").encode())

    def _is_token(self, sent: str | None) -> bool:
        try:
            self._check_token(sent)
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
                f"a live token of this server is needed in X-API-Key: {type(error).__name__}; "
                "POST the key to /api/v1/auth/token for one",
                headers=_INVALID,
            ) from None


def _wrong_key() -> RejectedRequestError:
    return RejectedRequestError(
        401, "X-API-Key does not hold the key that this server was started with"
    )
