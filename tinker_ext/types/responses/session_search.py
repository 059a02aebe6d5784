"""Session search: requests and responses (release 0.38.0, experimental there)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeAlias

from attrs import field, frozen
from tinker_api import models as api

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.argument_checks import check_integer, check_literal
from tinker_ext.types.responses.session_status import (
    SessionStatus,
    SessionStatusQuery,
    decode_status,
)
from tinker_ext.types.structuring import RequestType, ResponseType, converted_by, required

#: Limits of release 0.38.0: sessions per page, and owners per query.
MAX_SESSIONS = 200
MAX_OWNERS = 10


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
