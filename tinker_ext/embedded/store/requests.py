"""Requests on models: which number was asked for what, and its answer where it is small."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from tinker_ext.embedded.store.database import Database

# Answers up to this size are kept with their request, so that they outlive a restart. Larger
# ones (logprobs of long batches) live in memory only.
KEPT_ANSWER_BYTES = 16 * 1024

# How many requests of one model are remembered; a number further back than that is refused as
# late instead of being answered again. Sweeping happens once for each tenth of it.
KEPT_REQUESTS = 10_000


@frozen
class RequestRecord:
    """One request on a model. `seq_id` is None where the caller gave no number."""

    request_id: str
    run_id: str
    seq_id: int | None
    kind: str
    created: float
    answer: bytes | None = None


class RequestTable:
    """The memory behind "asked twice, done once"."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, record: RequestRecord) -> None:
        """Remember a request, and that its run was last used now."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?)",
                (
                    record.request_id,
                    record.run_id,
                    record.seq_id,
                    record.kind,
                    record.created,
                    record.answer,
                ),
            )
            connection.execute(
                "UPDATE runs SET last_request = ? WHERE run_id = ?",
                (record.created, record.run_id),
            )
            if record.seq_id is not None and record.seq_id % (KEPT_REQUESTS // 10) == 0:
                connection.execute(
                    "DELETE FROM requests WHERE run_id = ? AND seq_id < ?",
                    (record.run_id, record.seq_id - KEPT_REQUESTS),
                )

    def get(self, request_id: str) -> RequestRecord | None:
        row = self._database.connection.execute(
            "SELECT * FROM requests WHERE request_id = ?", (request_id,)
        ).fetchone()
        return None if row is None else RequestRecord(**row)

    def numbered(self, run_id: str, seq_id: int) -> RequestRecord | None:
        """The request that used this number first, if any did."""
        row = self._database.connection.execute(
            "SELECT * FROM requests WHERE run_id = ? AND seq_id = ?", (run_id, seq_id)
        ).fetchone()
        return None if row is None else RequestRecord(**row)

    def answer(self, request_id: str, answer: bytes) -> None:
        """Keep the answer if it is small enough."""
        if len(answer) > KEPT_ANSWER_BYTES:
            return
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE requests SET answer = ? WHERE request_id = ?", (answer, request_id)
            )
