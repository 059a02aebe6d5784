"""Sessions: who is working, and when they were last heard of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from tinker_ext.embedded.store.database import Database


@frozen
class SessionRecord:
    """One session as create_session described it. Times in seconds since the epoch.

    `finished` is how its client ended it: ``{"reason": {"type": ...}, "detail": ...}``.
    """

    session_id: str
    created: float
    last_heartbeat: float
    sdk_version: str
    tags: list[str]
    user_metadata: dict[str, Any] | None
    telemetry_events: int = 0
    project_id: str | None = None
    display_name: str | None = None
    finished: dict[str, Any] | None = None


class SessionTable:
    """Sessions never expire: a client that slept for a day finds its own again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, record: SessionRecord) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    record.session_id,
                    record.created,
                    record.last_heartbeat,
                    record.sdk_version,
                    json.dumps(record.tags),
                    _dumped(record.user_metadata),
                    record.telemetry_events,
                    record.project_id,
                    record.display_name,
                    _dumped(record.finished),
                ),
            )

    def get(self, session_id: str) -> SessionRecord | None:
        row = self._database.connection.execute(
            "SELECT * FROM sessions WHERE session_id = ?", (session_id,)
        ).fetchone()
        return None if row is None else _record(row)

    def page(self, *, limit: int, offset: int) -> list[SessionRecord]:
        """The newest first."""
        rows = self._database.connection.execute(
            "SELECT * FROM sessions ORDER BY created DESC, rowid DESC LIMIT ? OFFSET ?",
            (limit, offset),
        )
        return [_record(row) for row in rows]

    def set_project(self, session_id: str, project_id: str) -> bool:
        """Move a session into a project; False when there is no such session."""
        return self._set(session_id, "project_id", project_id)

    def finish(self, session_id: str, how: Mapping[str, Any]) -> bool:
        """Note that a session's client is done with it; False when there is no such session."""
        return self._set(session_id, "finished", json.dumps(how))

    def _set(self, session_id: str, column: str, value: str) -> bool:
        with self._database.transaction() as connection:
            changed = connection.execute(
                f"UPDATE sessions SET {column} = ? WHERE session_id = ?", (value, session_id)
            )
            return changed.rowcount == 1

    def heartbeat(self, session_id: str, now: float) -> bool:
        """Note a sign of life; False when there is no such session."""
        with self._database.transaction() as connection:
            changed = connection.execute(
                "UPDATE sessions SET last_heartbeat = ? WHERE session_id = ?", (now, session_id)
            )
            return changed.rowcount == 1

    def count_telemetry(self, session_id: str, events: int) -> None:
        """Count telemetry events; those of a session nobody knows are forgotten."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE sessions SET telemetry_events = telemetry_events + ? WHERE session_id = ?",
                (events, session_id),
            )


def _dumped(value: object) -> str | None:
    return None if value is None else json.dumps(value)


def _loaded(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _record(row: sqlite3.Row) -> SessionRecord:
    decoded = {name: _loaded(row[name]) for name in ("tags", "user_metadata", "finished")}
    return SessionRecord(**{**row, **decoded})
