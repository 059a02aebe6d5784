"""Operations that mean something in a service with accounts and storage, and nothing here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_ext.embedded.rejections import RejectedRequestError

if TYPE_CHECKING:
    from starlette.responses import Response

    from tinker_ext.embedded.routes.call import Call, Handler

# By operation, why not.
REASONS = {
    "create_custom_loss": "custom losses run in the client here",
    "delete_own_api_key": "it has no keys",
    "get_audit_log": "it keeps no audit log",
    "get_billing_usage": "nothing costs anything here",
    "get_checkpoint_storage_usage": "nothing costs anything here; list the checkpoints instead",
    "get_own_api_key": "it has no keys",
    "get_session_trace_export": "it records no traces; the client does, for OpenTelemetry",
    "search_sessions": "list the sessions instead",
}


def _refusal(operation: str, reason: str) -> Handler:
    async def refuse(call: Call) -> Response:
        raise RejectedRequestError(501, f"the embedded server has no {operation}: {reason}")

    return refuse


HANDLERS: dict[str, Handler] = {name: _refusal(name, why) for name, why in REASONS.items()}
