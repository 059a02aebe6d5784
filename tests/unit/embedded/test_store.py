"""The database and its folder."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tinker_ext.embedded.state_folder import FolderLock
from tinker_ext.embedded.store import Database, RequestRecord, RequestTable
from tinker_ext.embedded.store.database import SCHEMA
from tinker_ext.embedded.store.tables import MAX_STORED_REQUESTS, MAX_STORED_RESULT_BYTES


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "state.sqlite3")
    yield database
    database.close()


def request(seq_id: int | None, request_id: str = "") -> RequestRecord:
    return RequestRecord(request_id or f"r{seq_id}", "run", seq_id, "optim_step", 1.0)


def test_failed_transaction_is_rolled_back(database: Database) -> None:
    def interrupted() -> None:
        with database.transaction(durable=True) as connection:
            connection.execute("INSERT INTO secrets VALUES ('a', 'b')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert database.connection.execute("SELECT count(*) FROM secrets").fetchone()[0] == 0


def test_only_durable_transactions_flush_to_disk(database: Database) -> None:
    normal, full = 1, 2
    with database.transaction(durable=True) as connection:
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == full
    with database.transaction() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == normal
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_threads_write_concurrently(database: Database) -> None:
    table = RequestTable(database)

    def write(first: int) -> None:
        for number in range(first, first + 50):
            table.add(request(number))

    threads = [threading.Thread(target=write, args=(start,)) for start in (1, 101, 201)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert database.connection.execute("SELECT count(*) FROM requests").fetchone()[0] == 150


def test_secret_is_created_once(database: Database) -> None:
    assert database.secret("archives", b"one") == b"one"
    assert database.secret("archives", b"two") == b"one"


def test_layout_of_later_release_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(RuntimeError, match="layout 99"):
        Database(path)


def test_layout_without_external_weights_is_upgraded(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.executescript(SCHEMA.replace(", 'external_weights'", ""))
        connection.execute("PRAGMA user_version = 3")
        row = ("run", "weights", "a", 1.0, 7, 1, None, "{}")
        connection.execute("INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    connection.close()
    database = Database(path)
    with database.transaction() as connection:
        rows = connection.execute("SELECT * FROM checkpoints").fetchall()
        assert [tuple(result) for result in rows] == [row]
        connection.execute(
            "INSERT INTO checkpoints (run_id, kind, name, created, size_bytes) "
            "VALUES ('run', 'external_weights', 'b', 2.0, 8)"
        )
    database.close()


def test_seq_id_is_unique_per_run(database: Database) -> None:
    table = RequestTable(database)
    table.add(request(1))
    with pytest.raises(sqlite3.IntegrityError):
        table.add(request(1, "another"))
    table.add(request(None, "x"))
    table.add(request(None, "y"))
    assert table.with_seq_id("run", 1) == request(1)
    assert table.with_seq_id("run", 2) is None


def test_only_small_results_are_stored(database: Database) -> None:
    table = RequestTable(database)
    for number, size in ((1, MAX_STORED_RESULT_BYTES), (2, MAX_STORED_RESULT_BYTES + 1)):
        table.add(request(number))
        table.set_result(f"r{number}", b"x" * size)
    small, large = table.get("r1"), table.get("r2")
    assert small is not None
    assert large is not None
    assert len(small.result or b"") == MAX_STORED_RESULT_BYTES
    assert large.result is None


def test_old_requests_are_deleted(database: Database) -> None:
    table = RequestTable(database)
    table.add(request(1))
    table.add(request(2 * MAX_STORED_REQUESTS))
    assert table.get("r1") is None
    assert table.get(f"r{2 * MAX_STORED_REQUESTS}") is not None


def test_folder_lock_is_exclusive(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    with pytest.raises(RuntimeError, match="in use by another embedded backend"):
        FolderLock(tmp_path)
    lock.release()
    FolderLock(tmp_path).release()


def test_closed_database_opens_no_connection_in_another_thread(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.sqlite")
    database.close()
    with ThreadPoolExecutor(1) as pool:
        error = pool.submit(lambda: database.connection).exception()
    assert isinstance(error, sqlite3.ProgrammingError)
