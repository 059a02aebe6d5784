"""A server that speaks the later protocol: it wants of its clients all that 0.38.0 may want."""

from __future__ import annotations

import itertools
import secrets
import time
from typing import TYPE_CHECKING, Any

import jwt

from tinker_ext.testing import FaultServer, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinker_ext.testing import Received

#: What `client/config` says; the first flag tells of release 0.38.0.
FLAGS: dict[str, Any] = {
    "custom_loss_server_side": False,
    "sample_use_retrieve_futures": True,
    "sample_join_sampling_session": True,
}
#: What `client/dynamic_config` says; the batch size is told from the one that clients assume (64).
DYNAMIC: dict[str, Any] = {
    "sample_cancel_enabled": True,
    "sample_cancel_max_batch_size": 7,
    "refresh_interval_sec": 300,
}
#: Seconds that a token lives.
LIFE = 3600.0
#: A sample of this prompt ends only when it is cancelled; seconds that a poll for it is held.
ENDLESS = [9, 9, 9]
HOLD = 60.0
#: What is asked for with the key itself.
TOKENLESS = frozenset({"get_client_config", "create_auth_token"})
# RFC 6750, 3.
_INVALID = {"WWW-Authenticate": 'Bearer error="invalid_token"', "x-request-id": "of-a-token"}
#: A token is refused.
REFUSED = Reply(401, {"detail": "no such token"}, _INVALID)


class LaterServer(FaultServer):
    """Demands tokens, tells of ended samples together, counts its clients, cancels samples.

    Attributes:
        wall: the time of day at the server, in seconds since 1970.
        live: the tokens that are accepted.
        endless: the requests that do not end by themselves.
        cancelled: the requests that it was told to give up.
    """

    def __init__(self, **flags: Any) -> None:
        super().__init__()
        self.wall: Callable[[], float] = time.time
        self.live: set[str] = set()
        self.cancelled: set[str] = set()
        self.endless: set[str] = set()
        self._flags = {**FLAGS, "pjwt_auth_enabled": True, **flags}
        self._secret = secrets.token_bytes(32)
        self._serials = itertools.count(1)

    def default_reply(self, received: Received) -> Reply:
        operation = received.operation
        if self._refuses(operation, received.headers.get("x-api-key")):
            return REFUSED
        match operation:
            case "get_client_config":
                return Reply(200, self._flags)
            case "get_client_dynamic_config":
                return Reply(200, DYNAMIC)
            case "create_auth_token":
                return Reply(200, {"jwt": self._token()})
            case "cancel_future":
                self.cancelled.add(received.body["request_id"])
            case "retrieve_future" if received.body["request_id"] in self.endless - self.cancelled:
                return Reply(200, {"type": "try_again", "queue_state": "active"}, delay=HOLD)
        reply = super().default_reply(received)
        if operation == "asample" and _tokens(received.body) == ENDLESS:
            self.endless.add(reply.body["request_id"])
        return reply

    @property
    def polls_for_ever(self) -> int:
        """How often requests without an end were asked for."""
        asked = [call.body["request_id"] for call in self.calls("retrieve_future")]
        return sum(item in self.endless for item in asked)

    def _refuses(self, operation: str, key: str | None) -> bool:
        demanded = self._flags["pjwt_auth_enabled"] and operation not in TOKENLESS
        return demanded and key not in self.live

    def _token(self) -> str:
        now = self.wall()
        claims = {"jti": str(next(self._serials)), "iat": now, "exp": now + LIFE}
        token = jwt.encode(claims, self._secret, algorithm="HS256")
        self.live.add(token)
        return token


def _tokens(sample: Any) -> list[int]:
    return [token for chunk in sample["prompt"]["chunks"] for token in chunk["tokens"]]
