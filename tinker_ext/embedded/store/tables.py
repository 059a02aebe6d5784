"""The tables of the state database: one class per table, all based on `Table`."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from attrs import asdict, astuple

from tinker_ext.embedded.checkpoints.names import CheckpointName
from tinker_ext.embedded.store.records import (
    CheckpointRecord,
    LoraRecord,
    RequestRecord,
    RunRecord,
    SamplerRecord,
    SessionRecord,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping

    from attrs import AttrsInstance

    from tinker_ext.embedded.store.database import Database

Key = TypeVar("Key", bound="str | CheckpointName")
Record = TypeVar("Record", bound="AttrsInstance")

# Results up to this size are stored with their request, so that they survive a restart. Larger
# ones (logprobs of long batches) are kept in memory only.
MAX_STORED_RESULT_BYTES = 16 * 1024

# Requests stored per model. A lower sequence number is rejected as too late instead of returning
# the first request's result. Old rows are deleted once per tenth of this number.
MAX_STORED_REQUESTS = 10_000

# Its parameter is the current time.
_NOT_EXPIRED = "(expires IS NULL OR expires > ?)"
_NEWEST_FIRST = "ORDER BY created DESC, rowid DESC"
_OLDEST_FIRST = "ORDER BY created, rowid"


class Table(Generic[Key, Record]):
    """One table, read and written as records whose fields are its columns.

    Lists and mappings are stored as JSON text. `decoders` convert the stored value of a column
    that is not NULL to the type of the record's field.
    """

    table: ClassVar[str]
    key: ClassVar[tuple[str, ...]]
    record: ClassVar[Callable[..., Any]]
    decoders: ClassVar[Mapping[str, Callable[[Any], object]]] = {}

    def __init__(self, database: Database) -> None:
        self._database = database
        self._has_key = " AND ".join(f"{column} = ?" for column in self.key)

    def add(self, record: Record) -> None:
        """Insert a row.

        Raises:
            sqlite3.IntegrityError: the table has a row with this key.
        """
        with self._database.transaction() as connection:
            self._insert(connection, record)

    def get(self, key: Key) -> Record | None:
        """The row with this key, or None."""
        return self._first(self._has_key, *_key_values(key))

    def update(self, key: Key, **values: object) -> bool:
        """Set columns of one row. Returns False if the row does not exist."""
        changes = ", ".join(f"{column} = ?" for column in values)
        with self._database.transaction() as connection:
            cursor = connection.execute(
                f"UPDATE {self.table} SET {changes} WHERE {self._has_key}",
                (*map(_encode, values.values()), *_key_values(key)),
            )
            return cursor.rowcount == 1

    def _insert(
        self, connection: sqlite3.Connection, record: Record, *, on_conflict: str = "ABORT"
    ) -> None:
        row = self._to_row(record)
        connection.execute(
            f"INSERT OR {on_conflict} INTO {self.table} ({', '.join(row)}) "
            f"VALUES ({', '.join('?' * len(row))})",
            tuple(row.values()),
        )

    def _first(self, condition: str, *values: object) -> Record | None:
        return next(iter(self._select(f"{condition} LIMIT 1", *values)), None)

    def _select(self, condition: str, *values: object) -> list[Record]:
        rows = self._database.connection.execute(
            f"SELECT * FROM {self.table} WHERE {condition}", values
        )
        return [self._from_row(dict(row)) for row in rows]

    def _page(
        self, condition: str, *values: object, limit: int, offset: int
    ) -> tuple[list[Record], int]:
        """One page of the matching rows, newest first, and the number of all matching rows."""
        paging = f"{condition} {_NEWEST_FIRST} LIMIT ? OFFSET ?"
        records = self._select(paging, *values, limit, offset)
        total: int = self._database.connection.execute(
            f"SELECT count(*) FROM {self.table} WHERE {condition}", values
        ).fetchone()[0]
        return records, total

    def _to_row(self, record: Record) -> dict[str, object]:
        return {column: _encode(value) for column, value in asdict(record).items()}

    def _from_row(self, row: dict[str, Any]) -> Record:
        for column, decode in self.decoders.items():
            if row[column] is not None:
                row[column] = decode(row[column])
        record: Record = self.record(**row)
        return record


class SessionTable(Table[str, SessionRecord]):
    """Sessions never expire: a client that was suspended for a day can continue its session."""

    table = "sessions"
    key = ("session_id",)
    record = SessionRecord
    decoders: ClassVar = {"tags": json.loads, "user_metadata": json.loads, "finished": json.loads}

    def page(self, *, limit: int, offset: int) -> list[SessionRecord]:
        """One page of all sessions, newest first."""
        return self._select(f"TRUE {_NEWEST_FIRST} LIMIT ? OFFSET ?", limit, offset)

    def count_telemetry(self, session_id: str, events: int) -> None:
        """Count telemetry events; does nothing if the session does not exist."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE sessions SET telemetry_events = telemetry_events + ? WHERE session_id = ?",
                (events, session_id),
            )


class RunTable(Table[str, RunRecord]):
    """Training runs. A run stays when its weights are unloaded, because it owns checkpoints."""

    table = "runs"
    key = ("run_id",)
    record = RunRecord
    decoders: ClassVar = {
        "lora": lambda text: LoraRecord(**json.loads(text)),
        "user_metadata": json.loads,
    }

    def page(
        self, *, limit: int, offset: int, project_id: str | None = None
    ) -> tuple[list[RunRecord], int]:
        """One page of the runs, optionally of one project, newest first, and their number."""
        if project_id is None:
            return self._page("TRUE", limit=limit, offset=offset)
        in_project = "session_id IN (SELECT session_id FROM sessions WHERE project_id = ?)"
        return self._page(in_project, project_id, limit=limit, offset=offset)

    def ids_of_session(self, session_id: str) -> list[str]:
        """Ids of a session's runs, oldest first."""
        runs = self._select(f"session_id = ? {_OLDEST_FIRST}", session_id)
        return [run.run_id for run in runs]


class RequestTable(Table[str, RequestRecord]):
    """Requests on models, so that a repeated sequence number returns the first request's result."""

    table = "requests"
    key = ("request_id",)
    record = RequestRecord

    def add(self, record: RequestRecord) -> None:
        """Insert a request and set its run's `last_request`; deletes the oldest requests."""
        with self._database.transaction() as connection:
            self._insert(connection, record)
            connection.execute(
                "UPDATE runs SET last_request = ? WHERE run_id = ?",
                (record.created, record.run_id),
            )
            if record.seq_id is not None and record.seq_id % (MAX_STORED_REQUESTS // 10) == 0:
                connection.execute(
                    "DELETE FROM requests WHERE run_id = ? AND seq_id < ?",
                    (record.run_id, record.seq_id - MAX_STORED_REQUESTS),
                )

    def with_seq_id(self, run_id: str, seq_id: int) -> RequestRecord | None:
        """The first request on a model that had this sequence number, or None."""
        return self._first("run_id = ? AND seq_id = ?", run_id, seq_id)

    def set_result(self, request_id: str, result: bytes) -> None:
        """Store the result of a request unless it is larger than `MAX_STORED_RESULT_BYTES`."""
        if len(result) <= MAX_STORED_RESULT_BYTES:
            self.update(request_id, answer=result)

    def _to_row(self, record: RequestRecord) -> dict[str, object]:
        row = super()._to_row(record)
        row["answer"] = row.pop("result")  # the column's name in all layouts
        return row

    def _from_row(self, row: dict[str, Any]) -> RequestRecord:
        row["result"] = row.pop("answer")
        return super()._from_row(row)


class CheckpointTable(Table[CheckpointName, CheckpointRecord]):
    """Complete checkpoints: a folder gets a row once it has its final name.

    Expired checkpoints are not returned, except by `all` and `expired`, and are deleted later.
    """

    table = "checkpoints"
    key = ("run_id", "kind", "name")
    record = CheckpointRecord
    decoders: ClassVar = {"public": bool, "user_metadata": json.loads}

    def add(self, record: CheckpointRecord, *, replace: bool = False) -> None:
        """List a checkpoint; `replace` allows a row of the same name.

        Flushes to the disk: a listed checkpoint survives a power failure.
        """
        with self._database.transaction(durable=True) as connection:
            self._insert(connection, record, on_conflict="REPLACE" if replace else "ABORT")

    def get(self, key: CheckpointName) -> CheckpointRecord | None:
        return self._first(f"{_NOT_EXPIRED} AND {self._has_key}", time.time(), *_key_values(key))

    def of_run(self, run_id: str) -> list[CheckpointRecord]:
        """The checkpoints of one run, newest first."""
        return self._select(f"{_NOT_EXPIRED} AND run_id = ? {_NEWEST_FIRST}", time.time(), run_id)

    def page(self, *, limit: int, offset: int) -> tuple[list[CheckpointRecord], int]:
        """One page of all checkpoints, newest first, and their number."""
        return self._page(_NOT_EXPIRED, time.time(), limit=limit, offset=offset)

    def all(self) -> list[CheckpointRecord]:
        """All checkpoints, expired ones included."""
        return self._select("TRUE")

    def expired(self) -> list[CheckpointRecord]:
        """The expired checkpoints."""
        return self._select(f"NOT {_NOT_EXPIRED}", time.time())

    def remove(self, name: CheckpointName) -> bool:
        """Delete the row, before the files are deleted. Returns False if it does not exist."""
        with self._database.transaction(durable=True) as connection:
            cursor = connection.execute(
                f"DELETE FROM checkpoints WHERE {self._has_key}", _key_values(name)
            )
            return cursor.rowcount == 1

    def _to_row(self, record: CheckpointRecord) -> dict[str, object]:
        return {**super()._to_row(record), **asdict(record.name)}

    def _from_row(self, row: dict[str, Any]) -> CheckpointRecord:
        name = CheckpointName(*(row.pop(column) for column in self.key))
        return super()._from_row({**row, "name": name})


class SamplerTable(Table[str, SamplerRecord]):
    """Sampling sessions by id."""

    table = "samplers"
    key = ("sampling_session_id",)
    record = SamplerRecord
    decoders: ClassVar = {"expired": bool}

    def add(self, record: SamplerRecord) -> None:
        """Insert a sampling session; an existing one is left unchanged."""
        with self._database.transaction() as connection:
            self._insert(connection, record, on_conflict="IGNORE")

    def join(self, sampling_session_id: str) -> int | None:
        """Count one more client of a sampling session and return the new count.

        Returns None if the session does not exist.
        """
        with self._database.transaction() as connection:
            row = connection.execute(
                "UPDATE samplers SET joined = joined + 1 WHERE sampling_session_id = ? "
                "RETURNING joined",
                (sampling_session_id,),
            ).fetchone()
        return None if row is None else int(row["joined"])

    def ids_of_session(self, session_id: str) -> list[str]:
        """Ids of a session's sampling sessions, oldest first."""
        samplers = self._select(f"session_id = ? {_OLDEST_FIRST}", session_id)
        return [sampler.sampling_session_id for sampler in samplers]

    def folders(self) -> list[str]:
        """Folders of unlisted weights that are still in use."""
        samplers = self._select("folder IS NOT NULL AND NOT expired")
        return [sampler.folder for sampler in samplers if sampler.folder is not None]

    def expire_older_folders(self, session_id: str, keep: int) -> list[str]:
        """Expire all but the newest `keep` unlisted weights of a session; returns their folders."""
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT folder FROM samplers WHERE session_id = ? AND folder IS NOT NULL "
                f"AND NOT expired {_NEWEST_FIRST} LIMIT -1 OFFSET ?",
                (session_id, keep),
            ).fetchall()
            folders = [row["folder"] for row in rows]
            connection.executemany(
                "UPDATE samplers SET expired = 1 WHERE folder = ?", [(name,) for name in folders]
            )
            return folders


def _key_values(key: str | CheckpointName) -> tuple[object, ...]:
    return (key,) if isinstance(key, str) else astuple(key)


def _encode(value: object) -> object:
    return json.dumps(value) if isinstance(value, dict | list) else value
