"""Sampling sessions: which weights a sampler draws from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from tinker_ext.embedded.store.database import Database


@frozen
class SamplerRecord:
    """One sampling session.

    `model_path` names a listed checkpoint, `folder` unlisted weights that were saved for this
    session alone (`expired` once they were dropped for newer ones); with neither the base model
    itself is sampled. `created` in seconds since the epoch; `joined` clients share it with the one
    that opened it.
    """

    sampling_session_id: str
    session_id: str
    base_model: str
    model_path: str | None
    folder: str | None
    created: float
    expired: bool = False
    joined: int = 0


class SamplerTable:
    """Sampling sessions, by id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, record: SamplerRecord) -> None:
        """Remember a sampling session; one that exists stays as it is."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO samplers VALUES (?, ?, ?, ?, ?, 0, ?, 0)",
                (
                    record.sampling_session_id,
                    record.session_id,
                    record.base_model,
                    record.model_path,
                    record.folder,
                    record.created,
                ),
            )

    def get(self, sampling_session_id: str) -> SamplerRecord | None:
        row = self._database.connection.execute(
            "SELECT * FROM samplers WHERE sampling_session_id = ?", (sampling_session_id,)
        ).fetchone()
        if row is None:
            return None
        return SamplerRecord(**{**row, "expired": bool(row["expired"])})

    def join(self, sampling_session_id: str) -> int | None:
        """Count one more client of a sampling session: its number. None where there is no such."""
        with self._database.transaction() as connection:
            row = connection.execute(
                "UPDATE samplers SET joined = joined + 1 WHERE sampling_session_id = ? "
                "RETURNING joined",
                (sampling_session_id,),
            ).fetchone()
        return None if row is None else int(row["joined"])

    def ids_of_session(self, session_id: str) -> list[str]:
        """The oldest first."""
        rows = self._database.connection.execute(
            "SELECT sampling_session_id FROM samplers WHERE session_id = ? ORDER BY created, rowid",
            (session_id,),
        )
        return [row["sampling_session_id"] for row in rows]

    def folders(self) -> list[str]:
        """Every folder of unlisted weights that some session may still ask for."""
        rows = self._database.connection.execute(
            "SELECT folder FROM samplers WHERE folder IS NOT NULL AND NOT expired"
        )
        return [row["folder"] for row in rows]

    def drop_older_folders(self, session_id: str, keep: int) -> list[str]:
        """Forget the folders of all but the newest `keep` of one session; returns the dropped."""
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT folder FROM samplers WHERE session_id = ? AND folder IS NOT NULL "
                "AND NOT expired ORDER BY created DESC, rowid DESC LIMIT -1 OFFSET ?",
                (session_id, keep),
            ).fetchall()
            dropped = [row["folder"] for row in rows]
            connection.executemany(
                "UPDATE samplers SET expired = 1 WHERE folder = ?", [(name,) for name in dropped]
            )
            return dropped
