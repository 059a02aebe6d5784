"""Tokens for keys: made, signed and checked by this server, which takes any key."""

from __future__ import annotations

import math
import time
import uuid
from hashlib import sha256

import jwt

from tinker_ext.embedded.refusals import RefusalError

_ALGORITHM = "HS256"
_ISSUER = "tinker-ext embedded"
#: Seconds that a token lives where nobody says otherwise.
LIFE = 3600.0
#: What is asked for before there is a token.
TOKENLESS = frozenset({"get_client_config", "create_auth_token"})
# RFC 6750, 3.
_INVALID = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class Tokens:
    """Gives tokens that live `life` seconds; where that is None it gives them, but needs none."""

    def __init__(self, secret: bytes, life: float | None = None) -> None:
        self._secret = secret
        self._life = LIFE if life is None else life
        self.demanded = life is not None

    def issue(self, key: str | None) -> str:
        """A new token for a key.

        Raises:
            RefusalError: there is no key (401).
        """
        if not key:
            raise RefusalError(401, "a token is given for a key, and X-API-Key has none")
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

    def check(self, operation: str, token: str | None) -> None:
        """Refuse a request without a live token of this server, where one is demanded.

        Raises:
            RefusalError: there is none, or it is over, or not from here (401).
        """
        if not self.demanded or operation in TOKENLESS:
            return
        try:
            jwt.decode(
                token or "",
                self._secret,
                algorithms=[_ALGORITHM],
                issuer=_ISSUER,
                options={"require": ["exp"]},
            )
        except jwt.InvalidTokenError as error:
            raise RefusalError(
                401,
                f"a live token of this server is needed in X-API-Key: {type(error).__name__}; "
                "POST the key to /api/v1/auth/token for one",
                headers=_INVALID,
            ) from None
