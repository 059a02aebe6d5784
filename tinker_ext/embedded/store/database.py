"""One SQLite file in write-ahead mode, with one connection per thread and short transactions."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tinker_ext.embedded.errors import describe_storage_error
from tinker_ext.private_files import open_private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Incremented when the tables change. A state folder with a higher version is rejected.
SCHEMA_VERSION = 4

# Seconds that a writer waits for another thread's transaction, which takes microseconds.
BUSY_SECONDS = 10.0

# Times are seconds since the epoch; JSON is stored as text.
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

# Statements that upgrade a layout to the next version.
UPGRADES = {
    1: """
ALTER TABLE sessions ADD COLUMN project_id TEXT;
ALTER TABLE sessions ADD COLUMN display_name TEXT;
ALTER TABLE sessions ADD COLUMN finished TEXT;
ALTER TABLE checkpoints ADD COLUMN expires REAL;
ALTER TABLE checkpoints ADD COLUMN user_metadata TEXT;
""",
    2: "ALTER TABLE samplers ADD COLUMN joined INTEGER NOT NULL DEFAULT 0;",
    # SQLite can't change a CHECK constraint without recreating the table.
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
    """The state of one server. Thread-safe; each thread has its own connection.

    A committed transaction survives a crash of the process. With ``durable=True`` it also survives
    a power failure, at the cost of a disk flush.

    Raises:
        RuntimeError: the file is not a database, has an unknown layout or can't be written to.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        self._closed = False
        try:
            # SQLite creates the -wal and -shm files with the mode of the database.
            os.close(open_private(path, os.O_RDWR))
            self._create_or_upgrade()
        except (OSError, sqlite3.DatabaseError, RuntimeError) as error:
            self.close()
            advice = describe_storage_error(error) or f"{error}; choose another state folder"
            raise RuntimeError(f"{path}: {advice}") from error

    def _create_or_upgrade(self) -> None:
        if self._version(self.connection) == SCHEMA_VERSION:
            return  # a write would fail on a full disk
        with self.transaction() as connection:
            version = self._version(connection)
            if not 0 <= version <= SCHEMA_VERSION:
                raise RuntimeError(f"has layout {version}, this release supports {SCHEMA_VERSION}")
            upgrades = "".join(UPGRADES[step] for step in range(version, SCHEMA_VERSION) if version)
            script = upgrades or SCHEMA
            for statement in filter(str.strip, script.split(";")):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @staticmethod
    def _version(connection: sqlite3.Connection) -> int:
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        return version

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection, for reads."""
        existing: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if existing is not None:
            return existing
        with self._guard:
            if self._closed:  # As for a thread that already has a connection.
                raise sqlite3.ProgrammingError("the database is closed")
            connection = sqlite3.connect(
                self._path,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                # `close` runs in another thread than the one that opened the connection.
                check_same_thread=False,
            )
            self._opened.append(connection)  # Also if a statement below fails.
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        self._local.connection = connection
        return connection

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """A write transaction, rolled back if the block raises an exception."""
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

    def secret(self, name: str, new: bytes) -> bytes:
        """The stored secret of that name; stores and returns `new` if there is none yet."""
        row = self.connection.execute(
            "SELECT value FROM secrets WHERE name = ?", (name,)
        ).fetchone()
        if row is not None:
            stored: bytes = row[0]
            return stored
        with self.transaction() as connection:
            connection.execute("INSERT INTO secrets VALUES (?, ?)", (name, new))
        return new

    def close(self) -> None:
        """Close the connections of all threads. The database can't be used afterwards."""
        with self._guard:
            self._closed = True
            for connection in self._opened:
                connection.close()
            self._opened.clear()
