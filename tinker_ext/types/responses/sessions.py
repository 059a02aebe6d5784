"""Sessions: their content, status and search, and the owner of a credential.

Session search is of release 0.38.0, and experimental there.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, TypeAlias

from attrs import field, fields, frozen
from tinker_api import models as api

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.argument_checks import check_integer, check_literal
from tinker_ext.types.display import abbreviated
from tinker_ext.types.records import Record
from tinker_ext.types.structuring import (
    RequestType,
    ResponseType,
    converted_by,
    decoded_as,
    or_none,
    required,
)

#: Limits of release 0.38.0: sessions per page, and owners per query.
MAX_SESSIONS = 200
MAX_OWNERS = 10


@frozen
class GetSessionResponse(ResponseType):
    """The training runs and samplers of a session, by id."""

    training_run_ids: list[str] = field(factory=list)
    sampler_ids: list[str] = field(factory=list)
    user_metadata: dict[str, str] | None = None
    display_name: str | None = None


@frozen
class ListSessionsResponse(ResponseType):
    """A page of session ids."""

    sessions: list[str] = field(factory=list, repr=abbreviated)


@frozen
class GetSamplerResponse(ResponseType):
    """The model of a sampling session; `model_path` is None for a base model."""

    sampler_id: str
    base_model: str
    model_path: str | None = None


@frozen
class WhoamiResponse(Record):
    """The owner of a credential. `email` is None if the owner is not a person."""

    user_urn: str
    org_urn: str
    email: str | None = None

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any]) -> WhoamiResponse:
        """Reads the claims of a JWT.

        Raises:
            KeyError: the claims name no user or organization.
        """
        return cls(
            user_urn=claims["sub"],
            org_urn=f"tml:organization:{claims['org_id']}",
            email=claims.get("email") or None,
        )


@frozen
class OwnApiKeyResponse(Record):
    """An API key without the key itself: its id, name, note and owner."""

    key_id: int
    name: str
    note: str | None = None
    organization: str | None = None
    email: str | None = None

    @classmethod
    def from_api(cls, model: Any) -> OwnApiKeyResponse:
        """Decodes the response; the owner's fields are nested in it."""
        details = or_none(model.details)
        organization = None if details is None else or_none(details.org_details)
        user = None if details is None else or_none(details.user_details)
        return cls(
            key_id=model.key_id,
            name=model.name,
            note=or_none(model.note),
            organization=None if organization is None else or_none(organization.name),
            email=None if user is None else or_none(user.email),
        )


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


def _check_not_empty(_instance: object, attribute: Any, value: Any) -> None:
    if value is not None and not value:
        raise InvalidInputError(
            "must not be empty; pass None for no restriction", where=attribute.name
        )


@frozen
class OwnSearchOwner(RequestType):
    """The caller's own sessions."""

    type: Literal["own"] = field(default="own", validator=check_literal("own"))


@frozen
class AccessibleSearchOwner(RequestType):
    """All sessions that the caller may see."""

    type: Literal["accessible"] = field(default="accessible", validator=check_literal("accessible"))


@frozen
class UserSearchOwner(RequestType):
    """The sessions of one to ten users, by URN."""

    owner_urns: list[str] = field()
    type: Literal["user"] = field(default="user", validator=check_literal("user"))

    @owner_urns.validator
    def _check(self, _attribute: object, value: list[str]) -> None:
        if not 1 <= len(value) <= MAX_OWNERS:
            raise InvalidInputError(
                f"expected 1 to {MAX_OWNERS} URNs, got {len(value)}", where="owner_urns"
            )


SearchOwner: TypeAlias = OwnSearchOwner | AccessibleSearchOwner | UserSearchOwner


@frozen
class SessionSearchCursor(RequestType, ResponseType):
    """The end of a page; `last_created_at` has a zone."""

    last_created_at: datetime = field(metadata=required())
    last_session_id: str = field(metadata=required())


@frozen(kw_only=True)
class SessionSearchRequest(RequestType):
    """The sessions to search for. Fields that are None do not restrict the search.

    `user_metadata` holds key-value pairs that must all match; `display_name` holds words that must
    all occur in the name. The session with `session_id` matches regardless of its name. `limit` is
    1 to 200; `cursor` is the `next_cursor` of the previous page.
    """

    session_id: str | None = None
    project_ids: list[str] | None = None
    user_metadata: dict[str, str] = field(factory=dict)
    display_name: str | None = field(default=None, validator=_check_not_empty)
    owner: SearchOwner = field(factory=OwnSearchOwner)
    statuses: list[SessionStatusQuery] | None = field(default=None, validator=_check_not_empty)
    limit: int = field(
        default=50,
        validator=check_integer(
            f"an integer from 1 to {MAX_SESSIONS}", lambda x: 1 <= x <= MAX_SESSIONS
        ),
    )
    cursor: SessionSearchCursor | None = None

    def to_api(self) -> api.SessionSearchRequest:
        """Builds the generated model."""
        model: api.SessionSearchRequest = super().to_api()
        model.user_metadata = api.TextMetadata.from_dict(self.user_metadata)
        return model


@frozen
class SessionSummary(ResponseType):
    """A session that matches. Fields are None if the server sends no valid value."""

    session_id: str
    created_at: datetime
    owner: str
    project_id: str
    checkpoints_count: int = field(metadata=required())
    status: SessionStatus | None = field(default=None, metadata=converted_by(decode_status))
    display_name: str | None = None
    user_metadata: dict[str, str] | None = None
    checkpoint_storage_bytes: int | None = None


@frozen
class SessionSearchResponse(ResponseType):
    """A page of sessions, newest first; `next_cursor` is None on the last page."""

    sessions: list[SessionSummary]
    next_cursor: SessionSearchCursor | None = None
