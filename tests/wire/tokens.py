"""Servers that demand tokens."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

from tests.web_tokens import web_token
from tinker_ext.testing import FakeServer, FaultServer, Reply
from tinker_ext.testing.replies import Replies

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinker_ext.testing import Received

KEY = "tml-test"
TOKENLESS = ("get_client_config", "create_auth_token")
INVALID = Reply(
    401, {"detail": "no such token"}, {"WWW-Authenticate": 'Bearer error="invalid_token"'}
)


def token(serial: int, lifetime: float, now: float) -> str:
    """A token that tells when it ends."""
    return web_token({"jti": serial, "iat": now, "exp": now + lifetime})


class Demanding(Replies):
    """Gives tokens for any key, and answers nothing else without one of them.

    Attributes:
        given: every token, in order.
        live: those that are accepted now.
        life: of new tokens, in seconds.
        wall: the time of day at the server.
        make: a new token from its number; a web token unless told otherwise.
    """

    def __init__(self, **flags: Any) -> None:
        super().__init__()
        self.given: list[str] = []
        self.live: set[str] = set()
        self.lifetime = 3600.0
        self.wall: Callable[[], float] = time.time
        self.make: Callable[[int], str] = lambda serial: token(serial, self.lifetime, self.wall())
        self._serials = itertools.count(1)
        self._flags = {"pjwt_auth_enabled": True, **flags}

    def revoke(self) -> None:
        """Accept none of the tokens given so far."""
        self.live.clear()

    def decide(self, received: Received) -> Any:
        response = super().decide(received)
        if response is not None:
            return response
        if received.operation == "get_client_config":
            return Reply(200, self._flags)
        if received.operation == "create_auth_token":
            return Reply(200, {"jwt": self._give()})
        return None if received.headers.get("x-api-key") in self.live else INVALID

    def _give(self) -> str:
        token = self.make(next(self._serials))
        self.given.append(token)
        self.live.add(token)
        return token

    @property
    def exchanges(self) -> int:
        """How often a token was asked for."""
        return len(self.calls("create_auth_token"))


class DemandingServer(Demanding, FakeServer):
    """One in memory."""


class DemandingFaultServer(Demanding, FaultServer):
    """One on a socket."""
