"""What a server of a test gets and gives."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from tinker_ext.config.parsers import may_be_secret
from tinker_ext.redaction.redactor import redact
from tinker_ext.redaction.secret import MASK

if TYPE_CHECKING:
    from collections.abc import Mapping

# What is left of /training_runs/... after the run, without the checkpoint's kind and name.
_OF_CHECKPOINT = {
    ("DELETE", ""): "delete_checkpoint",
    ("GET", "archive"): "get_checkpoint_archive_url",
    ("POST", "publish"): "publish_checkpoint",
    ("DELETE", "publish"): "unpublish_checkpoint",
    ("PUT", "ttl"): "set_checkpoint_ttl",
    ("GET", "external_weights_urls"): "get_external_weights_urls",
}
# What is left of /sessions/... after the session.
_OF_SESSION = {
    "": "get_session",
    "finish": "finish_session",
    "project": "set_session_project",
    "trace_export": "get_session_trace_export",
}

# Other paths whose operation has another name than the path.
_NAMED_OTHERWISE = {
    "audit": "get_audit_log",
    "auth/token": "create_auth_token",
    "billing/usage/checkpoints/current": "get_checkpoint_storage_usage",
    "billing/usage/events": "get_billing_usage",
    "checkpoints": "list_user_checkpoints",
    "client/config": "get_client_config",
    "client/dynamic_config": "get_client_dynamic_config",
    "sessions": "list_sessions",
    "sessions/search": "search_sessions",
    "telemetry": "send_telemetry",
    "weights_info": "get_weights_info",
}


@frozen
class Reply:
    """One answer: a status with a JSON body (or text, or bytes), after `delay` seconds."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(factory=dict)
    delay: float = 0.0

    def content(self) -> bytes:
        """The body as it is sent."""
        if isinstance(self.body, bytes):
            return self.body
        if isinstance(self.body, str):
            return self.body.encode()
        return b"" if self.body is None else json.dumps(self.body).encode()

    def all_headers(self) -> dict[str, str]:
        """With a content type for a JSON body."""
        kind = {} if isinstance(self.body, str | bytes | None) else _JSON
        return {**kind, **{name.lower(): value for name, value in self.headers.items()}}


_JSON = {"content-type": "application/json"}


def _shown(headers: Mapping[str, str]) -> str:
    """Headers for people: a failing test prints them, and its log is kept."""
    shown = {n: MASK if may_be_secret(n, value) else value for n, value in headers.items()}
    return repr(shown)


@frozen
class Received:
    """One request the server got: the operation's path below /api/v1/, headers, decoded body.

    It prints without the values of headers that may be credentials.
    """

    path: str
    method: str
    headers: Mapping[str, str] = field(repr=_shown)
    body: Any = field(repr=lambda body: redact(repr(body)))
    query: Mapping[str, str]

    @property
    def operation(self) -> str:
        """The operation's id in the specification."""
        parts = self.path.split("/")
        if self.path in _NAMED_OTHERWISE:
            return _NAMED_OTHERWISE[self.path]
        if parts[0] == "sessions":
            return _OF_SESSION.get("/".join(parts[2:]), self.path)
        if parts[0] == "samplers":
            return "get_sampler"
        if parts[0] != "training_runs":
            return parts[0]
        if len(parts) < 4:
            return ("list_training_runs", "get_training_run", "list_checkpoints")[len(parts) - 1]
        return _OF_CHECKPOINT.get((self.method, "/".join(parts[5:])), self.path)
