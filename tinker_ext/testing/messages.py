"""The requests that test servers receive, and their replies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from tinker_ext.config.parsers import may_be_secret
from tinker_ext.redaction.redactor import redact
from tinker_ext.redaction.secret import MASK

# Operations below /training_runs/RUN/checkpoints/TYPE/NAME/, by method and the rest of the path.
_OF_CHECKPOINT = {
    ("DELETE", ""): "delete_checkpoint",
    ("GET", "archive"): "get_checkpoint_archive_url",
    ("POST", "publish"): "publish_checkpoint",
    ("DELETE", "publish"): "unpublish_checkpoint",
    ("PUT", "ttl"): "set_checkpoint_ttl",
    ("GET", "external_weights_urls"): "get_external_weights_urls",
}
# Operations below /sessions/SESSION/.
_OF_SESSION = {
    "": "get_session",
    "finish": "finish_session",
    "project": "set_session_project",
    "trace_export": "get_session_trace_export",
}

# Other paths that differ from the id of their operation.
_OPERATION_BY_PATH = {
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
    """A response: a status code and a JSON, text or bytes body, sent after `delay` seconds."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(factory=dict)
    delay: float = 0.0

    def content(self) -> bytes:
        """The encoded body."""
        if isinstance(self.body, bytes):
            return self.body
        if isinstance(self.body, str):
            return self.body.encode()
        return b"" if self.body is None else json.dumps(self.body).encode()

    def all_headers(self) -> dict[str, str]:
        """The headers, with a content type if the body is JSON."""
        content_type = {} if isinstance(self.body, str | bytes | None) else _JSON
        return {**content_type, **{name.lower(): value for name, value in self.headers.items()}}


_JSON = {"content-type": "application/json"}


def _mask(headers: Mapping[str, str]) -> str:
    """The headers with secrets masked, because failing tests print and log them."""
    masked = {n: MASK if may_be_secret(n, value) else value for n, value in headers.items()}
    return repr(masked)


@frozen
class Received:
    """A received request; `path` is relative to /api/v1/, and `body` is decoded.

    Its repr masks headers that may contain credentials.
    """

    path: str
    method: str
    headers: Mapping[str, str] = field(repr=_mask)
    body: Any = field(repr=lambda body: redact(repr(body)))
    query: Mapping[str, str]

    @property
    def operation(self) -> str:
        """The id of the operation in the specification."""
        parts = self.path.split("/")
        if self.path == "auth/apikey/me":
            return "delete_own_api_key" if self.method == "DELETE" else "get_own_api_key"
        if self.path in _OPERATION_BY_PATH:
            return _OPERATION_BY_PATH[self.path]
        if parts[0] == "sessions":
            return _OF_SESSION.get("/".join(parts[2:]), self.path)
        if parts[0] == "samplers":
            return "get_sampler"
        if parts[0] != "training_runs":
            return parts[0]
        if len(parts) < 4:
            return ("list_training_runs", "get_training_run", "list_checkpoints")[len(parts) - 1]
        return _OF_CHECKPOINT.get((self.method, "/".join(parts[5:])), self.path)
