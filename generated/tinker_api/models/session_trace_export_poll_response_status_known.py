# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from typing import Literal

SessionTraceExportPollResponseStatusKnown = Literal["failed", "pending", "ready"]

SESSION_TRACE_EXPORT_POLL_RESPONSE_STATUS_KNOWN_VALUES: set[
    SessionTraceExportPollResponseStatusKnown
] = {
    "failed",
    "pending",
    "ready",
}


def check_session_trace_export_poll_response_status_known(
    value: str,
) -> SessionTraceExportPollResponseStatusKnown:
    if value in SESSION_TRACE_EXPORT_POLL_RESPONSE_STATUS_KNOWN_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {SESSION_TRACE_EXPORT_POLL_RESPONSE_STATUS_KNOWN_VALUES!r}"
    )
