"""Training runs: each model that was created, with what is needed to build it again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from attrs import asdict, frozen

if TYPE_CHECKING:
    import sqlite3

    from tinker_ext.embedded.store.database import Database


@frozen
class LoraRecord:
    """What a model's adapter was made with."""

    rank: int
    seed: int | None = None
    train_attn: bool = True
    train_mlp: bool = True
    train_unembed: bool = True


@frozen
class RunRecord:
    """One model, which is also one training run. Times in seconds since the epoch."""

    run_id: str
    session_id: str
    base_model: str
    lora: LoraRecord
    user_metadata: dict[str, str] | None
    created: float
    last_request: float


class RunTable:
    """Runs stay when their weights are gone: their checkpoints are found through them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, record: RunRecord) -> None:
        metadata = record.user_metadata
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    record.run_id,
                    record.session_id,
                    record.base_model,
                    json.dumps(asdict(record.lora)),
                    None if metadata is None else json.dumps(metadata),
                    record.created,
                    record.last_request,
                ),
            )

    def get(self, run_id: str) -> RunRecord | None:
        row = self._database.connection.execute(
            "SELECT * FROM runs WHERE run_id = ?", (run_id,)
        ).fetchone()
        return None if row is None else _record(row)

    def page(
        self, *, limit: int, offset: int, project_id: str | None = None
    ) -> tuple[list[RunRecord], int]:
        """The newest runs first, of one project where it is named, and how many there are."""
        chosen, values = "FROM runs", []
        if project_id is not None:
            chosen += " WHERE session_id IN (SELECT session_id FROM sessions WHERE project_id = ?)"
            values.append(project_id)
        connection = self._database.connection
        rows = connection.execute(
            f"SELECT * {chosen} ORDER BY created DESC, rowid DESC LIMIT ? OFFSET ?",
            (*values, limit, offset),
        ).fetchall()
        total: int = connection.execute(f"SELECT count(*) {chosen}", values).fetchone()[0]
        return [_record(row) for row in rows], total

    def ids_of_session(self, session_id: str) -> list[str]:
        """The oldest first."""
        rows = self._database.connection.execute(
            "SELECT run_id FROM runs WHERE session_id = ? ORDER BY created, rowid", (session_id,)
        )
        return [row["run_id"] for row in rows]


def _record(row: sqlite3.Row) -> RunRecord:
    metadata = row["user_metadata"]
    return RunRecord(
        run_id=row["run_id"],
        session_id=row["session_id"],
        base_model=row["base_model"],
        lora=LoraRecord(**json.loads(row["lora"])),
        user_metadata=None if metadata is None else json.loads(metadata),
        created=row["created"],
        last_request=row["last_request"],
    )
