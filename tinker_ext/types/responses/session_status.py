"""The status of a session: active, cancelled, failed, or finished by its client."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from attrs import field, fields, frozen

from tinker_ext.types.argument_checks import check_literal
from tinker_ext.types.records import Record
from tinker_ext.types.structuring import RequestType, ResponseType, converted_by, decoded_as


@frozen
class SessionActive(ResponseType):
    """The session is running."""

    type: Literal["active"] = "active"


@frozen
class SessionCancelled(ResponseType):
    """The session was cancelled."""

    detail: str | None = None
    type: Literal["cancelled"] = "cancelled"


@frozen
class SessionFailedReason(Record):
    """The cause of a failure by `type`: a "request", "training_run" or "sampling_session"."""

    type: str
    request_id: str | None = None
    request_type: str | None = None
    training_run_id: str | None = None
    sampling_session_id: str | None = None


@frozen
class SessionFailedRequestReason(SessionFailedReason):
    """A request failed."""

    type: str = "request"


@frozen
class SessionFailedTrainingRunReason(SessionFailedReason):
    """A training run failed."""

    type: str = "training_run"


@frozen
class SessionFailedSamplingSessionReason(SessionFailedReason):
    """A sampling session failed."""

    type: str = "sampling_session"


@frozen
class ClientSessionFinishReason(Record):
    """How the client finished the session: "success", "errored" or "interrupted"."""

    type: str


@frozen
class ClientSessionFinishSuccess(ClientSessionFinishReason):
    """The client finished its work."""

    type: str = "success"


@frozen
class ClientSessionFinishErrored(ClientSessionFinishReason):
    """The client failed."""

    type: str = "errored"


@frozen
class ClientSessionFinishInterrupted(ClientSessionFinishReason):
    """The client was interrupted."""

    type: str = "interrupted"


# Reasons of an unknown type are instances of the base classes.
_FAILED: dict[str, type[SessionFailedReason]] = {
    "request": SessionFailedRequestReason,
    "training_run": SessionFailedTrainingRunReason,
    "sampling_session": SessionFailedSamplingSessionReason,
}
_FINISHED: dict[str, type[ClientSessionFinishReason]] = {
    "success": ClientSessionFinishSuccess,
    "errored": ClientSessionFinishErrored,
    "interrupted": ClientSessionFinishInterrupted,
}


def _decode_failed_reason(model: Any) -> SessionFailedReason:
    content = model.to_dict()
    names = {field.name for field in fields(SessionFailedReason)} - {"type"}
    ids = {name: str(content[name]) for name in names & content.keys()}
    kind = _type(content)
    return _FAILED.get(kind, SessionFailedReason)(type=kind, **ids)


def _decode_finish_reason(model: Any) -> ClientSessionFinishReason:
    kind = _type(model.to_dict())
    return _FINISHED.get(kind, ClientSessionFinishReason)(type=kind)


def _type(content: dict[str, Any]) -> str:
    return str(content.get("type", ""))


@frozen
class SessionFailed(ResponseType):
    """Something in the session failed; `category` is "user" or "internal"."""

    category: str = field(metadata=converted_by(str))
    message: str
    reason: SessionFailedReason = field(metadata=converted_by(_decode_failed_reason))
    type: Literal["failed"] = "failed"


@frozen
class ClientSessionFinished(ResponseType):
    """The client finished the session."""

    reason: ClientSessionFinishReason = field(metadata=converted_by(_decode_finish_reason))
    detail: str | None = None
    type: Literal["client_finished"] = "client_finished"


@frozen
class OtherSessionStatus(Record):
    """A status that this release does not know, as sent by the server."""

    type: str
    content: dict[str, Any] = field(factory=dict)


#: How a client finishes its session.
ClientSessionFinishReasonType: TypeAlias = Literal["success", "errored", "interrupted"]

SessionStatus: TypeAlias = (
    SessionActive | SessionCancelled | SessionFailed | ClientSessionFinished | OtherSessionStatus
)

decode_status = decoded_as(
    SessionActive, SessionCancelled, SessionFailed, ClientSessionFinished, other=OtherSessionStatus
)


@frozen
class ActiveSessionStatusQuery(RequestType):
    """Matches running sessions."""

    type: Literal["active"] = field(default="active", validator=check_literal("active"))


@frozen
class CancelledSessionStatusQuery(RequestType):
    """Matches cancelled sessions."""

    type: Literal["cancelled"] = field(default="cancelled", validator=check_literal("cancelled"))


@frozen
class FailedSessionStatusQuery(RequestType):
    """Matches failed sessions."""

    type: Literal["failed"] = field(default="failed", validator=check_literal("failed"))


@frozen
class ClientFinishedSessionStatusQuery(RequestType):
    """Matches sessions that their client finished for one of `reasons` (None for any)."""

    reasons: list[ClientSessionFinishReasonType] | None = None
    type: Literal["client_finished"] = field(
        default="client_finished", validator=check_literal("client_finished")
    )


SessionStatusQuery: TypeAlias = (
    ActiveSessionStatusQuery
    | CancelledSessionStatusQuery
    | FailedSessionStatusQuery
    | ClientFinishedSessionStatusQuery
)
