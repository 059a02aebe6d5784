"""One SQLite file in write-ahead mode, a connection for each thread, short transactions."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tinker_ext.embedded.storage import storage_problem
from tinker_ext.private_files import open_private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Raised when the tables change; a state folder of a higher number is refused, not guessed at.
SCHEMA_VERSION = 4

# How long a writer waits for another thread's transaction. Transactions here take microseconds.
BUSY_SECONDS = 10.0

# Times are seconds since the epoch; JSON is kept as text.
SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    session_id TEXT PRIMARY KEY,
    created REAL NOT NULL,
    last_heartbeat REAL NOT NULL,
    sdk_version TEXT NOT NULL,
    tags TEXT NOT NULL,
    user_metadata TEXT,
    telemetry_events INTEGER NOT NULL DEFAULT 0,
    project_id TEXT,
    display_name TEXT,
    finished TEXT
);
CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL,
    base_model TEXT NOT NULL,
    lora TEXT NOT NULL,
    user_metadata TEXT,
    created REAL NOT NULL,
    last_request REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS requests (
    request_id TEXT PRIMARY KEY,
    run_id TEXT NOT NULL,
    seq_id INTEGER,
    kind TEXT NOT NULL,
    created REAL NOT NULL,
    answer BLOB,
    UNIQUE (run_id, seq_id)
);
CREATE TABLE IF NOT EXISTS checkpoints (
    run_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('weights', 'sampler_weights', 'external_weights')),
    name TEXT NOT NULL,
    created REAL NOT NULL,
    size_bytes INTEGER NOT NULL,
    public INTEGER NOT NULL DEFAULT 0,
    expires REAL,
    user_metadata TEXT,
    PRIMARY KEY (run_id, kind, name)
);
CREATE TABLE IF NOT EXISTS samplers (
    sampling_session_id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL,
    base_model TEXT NOT NULL,
    model_path TEXT,
    folder TEXT,
    expired INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL,
    joined INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL);
"""

# What makes a state folder of an earlier layout one of the next.
UPGRADES = {
    1: """
ALTER TABLE sessions ADD COLUMN project_id TEXT;
ALTER TABLE sessions ADD COLUMN display_name TEXT;
ALTER TABLE sessions ADD COLUMN finished TEXT;
ALTER TABLE checkpoints ADD COLUMN expires REAL;
ALTER TABLE checkpoints ADD COLUMN user_metadata TEXT;
""",
    2: "ALTER TABLE samplers ADD COLUMN joined INTEGER NOT NULL DEFAULT 0;",
    # SQLite changes a CHECK only with its table.
    3: """
CREATE TABLE new_checkpoints (
    run_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('weights', 'sampler_weights', 'external_weights')),
    name TEXT NOT NULL,
    created REAL NOT NULL,
    size_bytes INTEGER NOT NULL,
    public INTEGER NOT NULL DEFAULT 0,
    expires REAL,
    user_metadata TEXT,
    PRIMARY KEY (run_id, kind, name)
);
INSERT INTO new_checkpoints
SELECT run_id, kind, name, created, size_bytes, public, expires, user_metadata FROM checkpoints;
DROP TABLE checkpoints;
ALTER TABLE new_checkpoints RENAME TO checkpoints;
""",
}


class Database:
    """The state of one server. Safe to use from any thread; each has a connection of its own.

    A committed transaction survives the end of the process, however sudden. With
    ``durable=True`` it also survives a power cut, for the price of a disk flush.

    Raises:
        RuntimeError: the file is not a database, or of another release, or can't be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        try:
            # SQLite gives the files beside it (-wal, -shm) the mode of the database.
            os.close(open_private(path, os.O_RDWR))
            self._lay_out()
        except (OSError, sqlite3.DatabaseError, RuntimeError) as error:
            self.close()
            advice = storage_problem(error) or f"{error}; choose another state folder"
            raise RuntimeError(f"{path}: {advice}") from error

    def _lay_out(self) -> None:
        if self._version(self.connection) == SCHEMA_VERSION:
            return  # nothing to write, which a full disk would not take
        with self.transaction() as connection:
            version = self._version(connection)
            if not 0 <= version <= SCHEMA_VERSION:
                raise RuntimeError(f"has layout {version}, this release knows {SCHEMA_VERSION}")
            earlier = "".join(UPGRADES[step] for step in range(version, SCHEMA_VERSION) if version)
            changes = earlier or SCHEMA
            for statement in filter(str.strip, changes.split(";")):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @staticmethod
    def _version(connection: sqlite3.Connection) -> int:
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        return version

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection, for reading."""
        existing: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if existing is not None:
            return existing
        connection = sqlite3.connect(
            self._path,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            # Closing happens in another thread than the one that opened; nothing else does.
            check_same_thread=False,
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        self._local.connection = connection
        with self._guard:
            self._opened.append(connection)
        return connection

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """Write: all of the block's statements happen, or none."""
        connection = self.connection
        if durable:
            connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # SQLite itself rolls back after some errors
                connection.execute("ROLLBACK")
            raise
        finally:
            if durable:
                connection.execute("PRAGMA synchronous = NORMAL")

    def secret(self, name: str, fresh: bytes) -> bytes:
        """The secret of this state folder; `fresh` becomes it where there is none yet."""
        known = self._secret(name)
        if known is not None:
            return known
        with self.transaction() as connection:
            connection.execute("INSERT INTO secrets VALUES (?, ?)", (name, fresh))
        return fresh

    def _secret(self, name: str) -> bytes | None:
        row = self.connection.execute(
            "SELECT value FROM secrets WHERE name = ?", (name,)
        ).fetchone()
        return None if row is None else row[0]

    def close(self) -> None:
        """Close every thread's connection. The database must not be used afterwards."""
        with self._guard:
            for connection in self._opened:
                connection.close()
            self._opened.clear()
