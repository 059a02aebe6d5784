"""Servers that require tokens."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

from tests.builders import web_token
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
    """A token with an expiry."""
    return web_token({"jti": serial, "iat": now, "exp": now + lifetime})


class Demanding(Replies):
    """Issues tokens for any key, and rejects all other requests without one.

    Attributes:
        issued: all tokens, in order.
        live: the tokens that are accepted.
        lifetime: seconds for which new tokens are valid.
        wall: the clock of the server.
        make: creates a token from its number; a JWT by default.
    """

    def __init__(self, **flags: Any) -> None:
        super().__init__()
        self.issued: list[str] = []
        self.live: set[str] = set()
        self.lifetime = 3600.0
        self.wall: Callable[[], float] = time.time
        self.make: Callable[[int], str] = lambda serial: token(serial, self.lifetime, self.wall())
        self._serials = itertools.count(1)
        self._flags = {"pjwt_auth_enabled": True, **flags}

    def revoke(self) -> None:
        """Rejects all tokens issued so far."""
        self.live.clear()

    def decide(self, received: Received) -> Any:
        response = super().decide(received)
        if response is not None:
            return response
        if received.operation == "get_client_config":
            return Reply(200, self._flags)
        if received.operation == "create_auth_token":
            return Reply(200, {"jwt": self._issue()})
        return None if received.headers.get("x-api-key") in self.live else INVALID

    def _issue(self) -> str:
        token = self.make(next(self._serials))
        self.issued.append(token)
        self.live.add(token)
        return token

    @property
    def exchanges(self) -> int:
        """The number of exchanges."""
        return len(self.calls("create_auth_token"))


class DemandingServer(Demanding, FakeServer):
    """In memory."""


class DemandingFaultServer(Demanding, FaultServer):
    """On a socket."""
