"""Checkpoints that are whole: only a folder that has its final name gets a row here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from tinker_ext.embedded.checkpoints.names import CheckpointName

if TYPE_CHECKING:
    import sqlite3

    from tinker_ext.embedded.store.database import Database


@frozen
class CheckpointRecord:
    """One checkpoint on disk. `created` in seconds since the epoch."""

    name: CheckpointName
    created: float
    size_bytes: int
    public: bool = False


class CheckpointTable:
    """Newest first everywhere."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, record: CheckpointRecord) -> None:
        """List a checkpoint. Flushed to the disk: from here on it is promised."""
        key = _key(record.name)
        with self._database.transaction(durable=True) as connection:
            connection.execute(
                "INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?)",
                (*key, record.created, record.size_bytes, int(record.public)),
            )

    def get(self, name: CheckpointName) -> CheckpointRecord | None:
        row = self._database.connection.execute(
            "SELECT * FROM checkpoints WHERE run_id = ? AND kind = ? AND name = ?", _key(name)
        ).fetchone()
        return None if row is None else _record(row)

    def of_run(self, run_id: str) -> list[CheckpointRecord]:
        rows = self._database.connection.execute(
            "SELECT * FROM checkpoints WHERE run_id = ? ORDER BY created DESC, rowid DESC",
            (run_id,),
        )
        return [_record(row) for row in rows]

    def page(self, *, limit: int, offset: int) -> tuple[list[CheckpointRecord], int]:
        """A part of all checkpoints, and how many there are in all."""
        connection = self._database.connection
        rows = connection.execute(
            "SELECT * FROM checkpoints ORDER BY created DESC, rowid DESC LIMIT ? OFFSET ?",
            (limit, offset),
        ).fetchall()
        total: int = connection.execute("SELECT count(*) FROM checkpoints").fetchone()[0]
        return [_record(row) for row in rows], total

    def all(self) -> list[CheckpointRecord]:
        rows = self._database.connection.execute("SELECT * FROM checkpoints")
        return [_record(row) for row in rows]

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
    return CheckpointRecord(
        name=CheckpointName(run_id=row["run_id"], kind=row["kind"], name=row["name"]),
        created=row["created"],
        size_bytes=row["size_bytes"],
        public=bool(row["public"]),
    )
