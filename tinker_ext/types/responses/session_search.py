"""Searching sessions: what is asked, and what is found (release 0.38.0, experimental there)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import field, frozen

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.argument_checks import check_integer, check_literal
from tinker_ext.types.responses.session_status import SessionStatus, SessionStatusQuery, read_status
from tinker_ext.types.unset import as_dict, as_utc, or_default, or_none, or_unset

if TYPE_CHECKING:
    from datetime import datetime

    from tinker_api import models as api

#: Sessions on a page, and owners to look for; release 0.38.0.
MOST_SESSIONS = 200
MOST_OWNERS = 10


def _not_empty(_instance: object, attribute: Any, value: Any) -> None:
    if value is not None and not value:
        raise InvalidInputError("must not be empty; None asks for all", where=attribute.name)


@frozen
class OwnSearchOwner:
    """The caller's own sessions."""

    type: Literal["own"] = field(default="own", validator=check_literal("own"))

    def to_api(self) -> api.OwnSearchOwner:
        """The generated model."""
        from tinker_api import models as api

        return api.OwnSearchOwner()


@frozen
class AccessibleSearchOwner:
    """Everybody's sessions that the caller may see."""

    type: Literal["accessible"] = field(default="accessible", validator=check_literal("accessible"))

    def to_api(self) -> api.AccessibleSearchOwner:
        """The generated model."""
        from tinker_api import models as api

        return api.AccessibleSearchOwner()


@frozen
class UserSearchOwner:
    """The sessions of one to ten users, by URN."""

    owner_urns: list[str] = field()
    type: Literal["user"] = field(default="user", validator=check_literal("user"))

    @owner_urns.validator
    def _check(self, _attribute: object, value: list[str]) -> None:
        if not 1 <= len(value) <= MOST_OWNERS:
            raise InvalidInputError(f"expected 1 to {MOST_OWNERS} URNs", where="owner_urns")

    def to_api(self) -> api.UserSearchOwner:
        """The generated model."""
        from tinker_api import models as api

        return api.UserSearchOwner(owner_urns=list(self.owner_urns))


SearchOwner: TypeAlias = OwnSearchOwner | AccessibleSearchOwner | UserSearchOwner


@frozen
class SessionSearchCursor:
    """Where a page ended; `last_created_at` has a zone."""

    last_created_at: datetime
    last_session_id: str

    @classmethod
    def from_api(cls, model: api.SessionSearchCursor) -> SessionSearchCursor:
        """Read a cursor."""
        return cls(as_utc(model.last_created_at), model.last_session_id)

    def to_api(self) -> api.SessionSearchCursor:
        """The generated model."""
        from tinker_api import models as api

        return api.SessionSearchCursor(as_utc(self.last_created_at), self.last_session_id)


@frozen(kw_only=True)
class SessionSearchRequest:
    """Which sessions to look for. What is None does not restrict.

    `user_metadata` holds pairs that must all be there; `display_name` words that must all occur
    in the name; a session of `session_id` is found whatever its name. `limit` is 1 to 200;
    `cursor` the `next_cursor` of the page before.
    """

    session_id: str | None = None
    project_ids: list[str] | None = None
    user_metadata: dict[str, str] = field(factory=dict)
    display_name: str | None = field(default=None, validator=_not_empty)
    owner: SearchOwner = field(factory=OwnSearchOwner)
    statuses: list[SessionStatusQuery] | None = field(default=None, validator=_not_empty)
    limit: int = field(
        default=50,
        validator=check_integer(
            f"a number from 1 to {MOST_SESSIONS}", lambda x: 1 <= x <= MOST_SESSIONS
        ),
    )
    cursor: SessionSearchCursor | None = None

    def to_api(self) -> api.SessionSearchRequest:
        """The generated model; what is None is left out."""
        from tinker_api import models as api
        from tinker_api.types import UNSET

        statuses = [one.to_api() for one in self.statuses or ()]
        return api.SessionSearchRequest(
            session_id=or_unset(self.session_id),
            project_ids=or_unset(self.project_ids),
            user_metadata=api.TextMetadata.from_dict(self.user_metadata),
            display_name=or_unset(self.display_name),
            owner=self.owner.to_api(),
            statuses=statuses or UNSET,
            limit=self.limit,
            cursor=UNSET if self.cursor is None else self.cursor.to_api(),
        )


@frozen
class SessionSummary:
    """One session found. `status` is None where it neither ended nor is known to run."""

    session_id: str
    created_at: datetime
    owner: str
    project_id: str
    checkpoints_count: int
    status: SessionStatus | None = None
    display_name: str | None = None
    user_metadata: dict[str, str] | None = None
    checkpoint_storage_bytes: int | None = None

    @classmethod
    def from_api(cls, model: api.SessionSummary) -> SessionSummary:
        """Read an entry."""
        return cls(
            session_id=model.session_id,
            created_at=as_utc(model.created_at),
            owner=model.owner,
            project_id=model.project_id,
            checkpoints_count=model.checkpoints_count,
            status=read_status(model.status),
            display_name=or_none(model.display_name),
            user_metadata=as_dict(model.user_metadata),
            checkpoint_storage_bytes=or_none(model.checkpoint_storage_bytes),
        )


@frozen
class SessionSearchResponse:
    """A page of sessions, newest first; `next_cursor` is None on the last."""

    sessions: list[SessionSummary]
    next_cursor: SessionSearchCursor | None = None

    @classmethod
    def from_api(cls, model: api.SessionSearchResponse) -> SessionSearchResponse:
        """Read a page; a missing list becomes empty."""
        cursor = or_none(model.next_cursor)
        return cls(
            [SessionSummary.from_api(one) for one in or_default(model.sessions, [])],
            None if cursor is None else SessionSearchCursor.from_api(cursor),
        )
