"""Checkpoints that are whole: only a folder that has its final name gets a row here."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from attrs import frozen

from tinker_ext.embedded.checkpoints.names import CheckpointName

if TYPE_CHECKING:
    import sqlite3

    from tinker_ext.embedded.store.database import Database


# Its parameter is the time now.
_ALIVE = "(expires IS NULL OR expires > ?)"


@frozen
class CheckpointRecord:
    """One checkpoint on disk. Times in seconds since the epoch; `expires` is None for never."""

    name: CheckpointName
    created: float
    size_bytes: int
    public: bool = False
    expires: float | None = None
    user_metadata: dict[str, str] | None = None


class CheckpointTable:
    """Newest first everywhere. What has expired is not found any more, and swept up by and by."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, record: CheckpointRecord, *, replace: bool = False) -> None:
        """List a checkpoint, with `replace` instead of one of the same name.

        Flushed to the disk: from here on it is promised.
        """
        metadata = record.user_metadata
        verb = "REPLACE" if replace else "INSERT"
        with self._database.transaction(durable=True) as connection:
            connection.execute(
                f"{verb} INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *_key(record.name),
                    record.created,
                    record.size_bytes,
                    int(record.public),
                    record.expires,
                    None if metadata is None else json.dumps(metadata),
                ),
            )

    def get(self, name: CheckpointName) -> CheckpointRecord | None:
        row = self._database.connection.execute(
            f"SELECT * FROM checkpoints WHERE {_ALIVE} AND run_id = ? AND kind = ? AND name = ?",
            (time.time(), *_key(name)),
        ).fetchone()
        return None if row is None else _record(row)

    def of_run(self, run_id: str) -> list[CheckpointRecord]:
        rows = self._database.connection.execute(
            f"SELECT * FROM checkpoints WHERE {_ALIVE} AND run_id = ? "
            "ORDER BY created DESC, rowid DESC",
            (time.time(), run_id),
        )
        return [_record(row) for row in rows]

    def page(self, *, limit: int, offset: int) -> tuple[list[CheckpointRecord], int]:
        """A part of all checkpoints, and how many there are in all."""
        connection, now = self._database.connection, time.time()
        rows = connection.execute(
            f"SELECT * FROM checkpoints WHERE {_ALIVE} "
            "ORDER BY created DESC, rowid DESC LIMIT ? OFFSET ?",
            (now, limit, offset),
        ).fetchall()
        count = connection.execute(f"SELECT count(*) FROM checkpoints WHERE {_ALIVE}", (now,))
        total: int = count.fetchone()[0]
        return [_record(row) for row in rows], total

    def all(self) -> list[CheckpointRecord]:
        """Those that have expired too."""
        rows = self._database.connection.execute("SELECT * FROM checkpoints")
        return [_record(row) for row in rows]

    def expired(self) -> list[CheckpointRecord]:
        """Those whose time is up."""
        rows = self._database.connection.execute(
            f"SELECT * FROM checkpoints WHERE NOT {_ALIVE}", (time.time(),)
        )
        return [_record(row) for row in rows]

    def set_expires(self, name: CheckpointName, expires: float | None) -> None:
        """Say when a checkpoint ends, or that it does not."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE checkpoints SET expires = ? WHERE run_id = ? AND kind = ? AND name = ?",
                (expires, *_key(name)),
            )

    def set_public(self, name: CheckpointName, public: bool) -> bool:
        """Publish or unpublish; False when there is no such checkpoint."""
        with self._database.transaction() as connection:
            changed = connection.execute(
                "UPDATE checkpoints SET public = ? WHERE run_id = ? AND kind = ? AND name = ?",
                (int(public), *_key(name)),
            )
            return changed.rowcount == 1

    def remove(self, name: CheckpointName) -> bool:
        """Take a checkpoint off the list, before its files go; False when there is none."""
        with self._database.transaction(durable=True) as connection:
            changed = connection.execute(
                "DELETE FROM checkpoints WHERE run_id = ? AND kind = ? AND name = ?", _key(name)
            )
            return changed.rowcount == 1


def _key(name: CheckpointName) -> tuple[str, str, str]:
    return name.run_id, name.kind, name.name


def _record(row: sqlite3.Row) -> CheckpointRecord:
    metadata = row["user_metadata"]
    return CheckpointRecord(
        name=CheckpointName(run_id=row["run_id"], kind=row["kind"], name=row["name"]),
        created=row["created"],
        size_bytes=row["size_bytes"],
        public=bool(row["public"]),
        expires=row["expires"],
        user_metadata=None if metadata is None else json.loads(metadata),
    )
