"""A server that requires all that release 0.38.0 may require of its clients."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Callable
from typing import Any

import jwt

from tinker_ext.testing import FaultServer, Received, Reply

#: The response of `client/config`; clients recognize release 0.38.0 by the first flag.
FLAGS: dict[str, Any] = {
    "custom_loss_server_side": False,
    "sample_use_retrieve_futures": True,
    "sample_join_sampling_session": True,
}
#: The response of `client/dynamic_config`; the batch size differs from the clients' default (64).
DYNAMIC_FLAGS: dict[str, Any] = {
    "sample_cancel_enabled": True,
    "sample_cancel_max_batch_size": 7,
    "refresh_interval_sec": 300,
}
#: The lifetime of a token in seconds.
TOKEN_LIFETIME = 3600.0
#: A sample with this prompt completes only when it is cancelled.
ENDLESS_PROMPT = [9, 9, 9]
#: How long the server holds a poll for such a sample, in seconds.
POLL_HOLD = 60.0
#: Operations that take the key itself.
TOKENLESS = frozenset({"get_client_config", "create_auth_token"})
# RFC 6750, section 3.
_INVALID_TOKEN = {"WWW-Authenticate": 'Bearer error="invalid_token"', "x-request-id": "of-a-token"}
#: The response to a rejected token.
TOKEN_REJECTED = Reply(401, {"detail": "no such token"}, _INVALID_TOKEN)


class LateProtocolServer(FaultServer):
    """Requires tokens, reports completed samples in batches, counts clients, cancels samples.

    Attributes:
        wall: the server's time of day, in seconds since 1970.
        valid_tokens: the tokens that the server accepts.
        endless: the ids of the requests that complete only when they are cancelled.
        cancelled: the ids of the requests that clients have cancelled.
    """

    def __init__(self, **flags: Any) -> None:
        super().__init__()
        self.wall: Callable[[], float] = time.time
        self.valid_tokens: set[str] = set()
        self.cancelled: set[str] = set()
        self.endless: set[str] = set()
        self._flags = {**FLAGS, "pjwt_auth_enabled": True, **flags}
        self._secret = secrets.token_bytes(32)
        self._serials = itertools.count(1)

    def default_reply(self, received: Received) -> Reply:
        operation = received.operation
        if self._rejects(operation, received.headers.get("x-api-key")):
            return TOKEN_REJECTED
        match operation:
            case "get_client_config":
                return Reply(200, self._flags)
            case "get_client_dynamic_config":
                return Reply(200, DYNAMIC_FLAGS)
            case "create_auth_token":
                return Reply(200, {"jwt": self._issue_token()})
            case "cancel_future":
                self.cancelled.add(received.body["request_id"])
            case "retrieve_future" if received.body["request_id"] in self.endless - self.cancelled:
                body = {"type": "try_again", "queue_state": "active"}
                return Reply(200, body, delay=POLL_HOLD)
        reply = super().default_reply(received)
        if operation == "asample" and _prompt_tokens(received.body) == ENDLESS_PROMPT:
            self.endless.add(reply.body["request_id"])
        return reply

    @property
    def endless_polls(self) -> int:
        """The number of polls for endless samples."""
        polled = [call.body["request_id"] for call in self.calls("retrieve_future")]
        return sum(request_id in self.endless for request_id in polled)

    def _rejects(self, operation: str, key: str | None) -> bool:
        required = self._flags["pjwt_auth_enabled"] and operation not in TOKENLESS
        return required and key not in self.valid_tokens

    def _issue_token(self) -> str:
        now = self.wall()
        claims = {"jti": str(next(self._serials)), "iat": now, "exp": now + TOKEN_LIFETIME}
        token = jwt.encode(claims, self._secret, algorithm="HS256")
        self.valid_tokens.add(token)
        return token


def _prompt_tokens(sample: Any) -> list[int]:
    return [token for chunk in sample["prompt"]["chunks"] for token in chunk["tokens"]]
