"""The two ends of a session: what the server says at its beginning, and is told at its end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal, TypeAlias

from attrs import frozen

from tinker_ext import tracing
from tinker_ext.errors import APIError
from tinker_ext.redaction.redactor import shorten
from tinker_ext.tracing import log

if TYPE_CHECKING:
    from tinker_ext.config import ClientConfig
    from tinker_ext.runtime.connection.connection import Connection
    from tinker_ext.runtime.session.telemetry import Telemetry

#: How a session can end, as 0.38.0 tells it.
SessionStatus: TypeAlias = Literal["success", "errored", "interrupted"]


@frozen
class SessionEnd:
    """How a session ended, for the server to note: the first one told counts."""

    status: SessionStatus
    detail: str | None = None

    @classmethod
    def of(cls, error: BaseException | None) -> SessionEnd:
        """By what ended a `with` block. Of an error only its kind is told."""
        if error is None:
            return cls("success")
        left = isinstance(error, KeyboardInterrupt | SystemExit | asyncio.CancelledError)
        return cls("interrupted" if left else "errored", type(error).__name__)


async def begin_session(connection: Connection, telemetry: Telemetry, config: ClientConfig) -> str:
    """Have the server make a session, and pass on what it says; the session's id."""
    with tracing.operation("create_session"):
        answer = await connection.call(
            "create_session",
            lambda gateway: gateway.create_session(
                config.tags, config.user_metadata, config.project_id, config.display_name
            ),
        )
    for write, message in (
        (log.info, answer.info_message),
        (log.warning, answer.warning_message),
        (log.error, answer.error_message),
    ):
        if isinstance(message, str) and message:
            write("session %s: %s", answer.session_id, shorten(message))
    telemetry.session_started(answer.session_id)
    return answer.session_id


async def finish_session(connection: Connection, session_id: str, end: SessionEnd) -> None:
    """Report once how a session ended, if the server accepts such a report."""
    if not connection.dialect.finishes_sessions:
        return
    gateway = (await connection.gateway()).with_protocol(connection.dialect)
    try:
        await gateway.finish_session(session_id, end.status, end.detail)
    except APIError as error:  # The session ends anyway when its heartbeats stop.
        log.debug("session %s: its end could not be reported: %s", session_id, error)
