"""Sessions: who is working, and when they were last heard of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    from tinker_ext.embedded.store.database import Database


@frozen
class SessionRecord:
    """One session as create_session described it. Times in seconds since the epoch."""

    session_id: str
    created: float
    last_heartbeat: float
    sdk_version: str
    tags: list[str]
    user_metadata: dict[str, Any] | None
    telemetry_events: int = 0


class SessionTable:
    """Sessions never expire: a client that slept for a day finds its own again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, record: SessionRecord) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    record.session_id,
                    record.created,
                    record.last_heartbeat,
                    record.sdk_version,
                    json.dumps(record.tags),
                    None if record.user_metadata is None else json.dumps(record.user_metadata),
                    record.telemetry_events,
                ),
            )

    def get(self, session_id: str) -> SessionRecord | None:
        row = self._database.connection.execute(
            "SELECT * FROM sessions WHERE session_id = ?", (session_id,)
        ).fetchone()
        if row is None:
            return None
        metadata = row["user_metadata"]
        return SessionRecord(
            session_id=row["session_id"],
            created=row["created"],
            last_heartbeat=row["last_heartbeat"],
            sdk_version=row["sdk_version"],
            tags=json.loads(row["tags"]),
            user_metadata=None if metadata is None else json.loads(metadata),
            telemetry_events=row["telemetry_events"],
        )

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
