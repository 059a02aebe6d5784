"""How sessions stand: active, cancelled, failed, or ended by their client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import field, fields, frozen

from tinker_ext.types.argument_checks import check_literal
from tinker_ext.types.unset import or_none, or_unset

if TYPE_CHECKING:
    from tinker_api import models as api
    from tinker_api.types import Unset


@frozen
class SessionActive:
    """It is running."""

    type: Literal["active"] = "active"


@frozen
class SessionCancelled:
    """Somebody cancelled it."""

    detail: str | None = None
    type: Literal["cancelled"] = "cancelled"


@frozen
class SessionFailedReason:
    """What failed it, by `type`: a "request", a "training_run" or a "sampling_session"."""

    type: str
    request_id: str | None = None
    request_type: str | None = None
    training_run_id: str | None = None
    sampling_session_id: str | None = None


@frozen
class SessionFailedRequestReason(SessionFailedReason):
    """A request failed it."""

    type: str = "request"


@frozen
class SessionFailedTrainingRunReason(SessionFailedReason):
    """A training run failed it."""

    type: str = "training_run"


@frozen
class SessionFailedSamplingSessionReason(SessionFailedReason):
    """A sampling session failed it."""

    type: str = "sampling_session"


@frozen
class SessionFailed:
    """Something in it failed; `category` is "user" or "internal"."""

    category: str
    message: str
    reason: SessionFailedReason
    type: Literal["failed"] = "failed"


@frozen
class ClientSessionFinishReason:
    """How its client ended it: "success", "errored" or "interrupted"."""

    type: str


@frozen
class ClientSessionFinishSuccess(ClientSessionFinishReason):
    """It was done."""

    type: str = "success"


@frozen
class ClientSessionFinishErrored(ClientSessionFinishReason):
    """It ended with an error."""

    type: str = "errored"


@frozen
class ClientSessionFinishInterrupted(ClientSessionFinishReason):
    """Somebody stopped it."""

    type: str = "interrupted"


@frozen
class ClientSessionFinished:
    """Its client said that it was done."""

    reason: ClientSessionFinishReason
    detail: str | None = None
    type: Literal["client_finished"] = "client_finished"


@frozen
class OtherSessionStatus:
    """A status that this release does not know, as the server wrote it."""

    type: str
    content: dict[str, Any] = field(factory=dict)


#: How a client ends its session.
ClientSessionFinishReasonType: TypeAlias = Literal["success", "errored", "interrupted"]

SessionStatus: TypeAlias = (
    SessionActive | SessionCancelled | SessionFailed | ClientSessionFinished | OtherSessionStatus
)


# Reasons of another type are of the classes that these are made from.
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


def read_status(
    model: api.SessionActive
    | api.SessionCancelled
    | api.SessionFailed
    | api.ClientSessionFinished
    | api.OtherObject
    | Unset
    | None,
) -> SessionStatus | None:
    """The status of a generated model; None where there is none."""
    from tinker_api import models as api

    found: Any = or_none(model)
    match found:
        case None:
            return None
        case api.SessionActive():
            return SessionActive()
        case api.SessionCancelled() as cancelled:
            return SessionCancelled(or_none(cancelled.detail))
        case api.ClientSessionFinished() as ended:
            how = _finish_reason(_type(ended.reason.to_dict()))
            return ClientSessionFinished(how, or_none(ended.detail))
        case api.SessionFailed() as failed:
            reason = _reason(failed.reason.to_dict())
            return SessionFailed(str(failed.category), failed.message, reason)
        case other:
            content = other.to_dict()
            return OtherSessionStatus(_type(content), content)


def _reason(content: dict[str, Any]) -> SessionFailedReason:
    known_names = {one.name for one in fields(SessionFailedReason)} - {"type"}
    ids = {name: str(content[name]) for name in known_names & content.keys()}
    kind = _type(content)
    return _FAILED.get(kind, SessionFailedReason)(type=kind, **ids)


def _finish_reason(kind: str) -> ClientSessionFinishReason:
    return _FINISHED.get(kind, ClientSessionFinishReason)(type=kind)


def _type(content: dict[str, Any]) -> str:
    return str(content.get("type", ""))


@frozen
class ActiveSessionStatusQuery:
    """Sessions that are running."""

    type: Literal["active"] = field(default="active", validator=check_literal("active"))

    def to_api(self) -> api.ActiveSessionStatusQuery:
        """The generated model."""
        from tinker_api import models as api

        return api.ActiveSessionStatusQuery()


@frozen
class CancelledSessionStatusQuery:
    """Sessions that somebody cancelled."""

    type: Literal["cancelled"] = field(default="cancelled", validator=check_literal("cancelled"))

    def to_api(self) -> api.CancelledSessionStatusQuery:
        """The generated model."""
        from tinker_api import models as api

        return api.CancelledSessionStatusQuery()


@frozen
class FailedSessionStatusQuery:
    """Sessions that failed."""

    type: Literal["failed"] = field(default="failed", validator=check_literal("failed"))

    def to_api(self) -> api.FailedSessionStatusQuery:
        """The generated model."""
        from tinker_api import models as api

        return api.FailedSessionStatusQuery()


@frozen
class ClientFinishedSessionStatusQuery:
    """Sessions that their client ended, for one of `reasons` (None: for any)."""

    reasons: list[ClientSessionFinishReasonType] | None = None
    type: Literal["client_finished"] = field(
        default="client_finished", validator=check_literal("client_finished")
    )

    def to_api(self) -> api.ClientFinishedSessionStatusQuery:
        """The generated model."""
        from tinker_api import models as api

        return api.ClientFinishedSessionStatusQuery(reasons=or_unset(self.reasons))


SessionStatusQuery: TypeAlias = (
    ActiveSessionStatusQuery
    | CancelledSessionStatusQuery
    | FailedSessionStatusQuery
    | ClientFinishedSessionStatusQuery
)
