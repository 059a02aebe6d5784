"""The state folder is private, and disk errors lose no data."""

from __future__ import annotations

import errno
import os
import resource
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.unit.embedded.conftest import Api, OpenApi
from tinker_ext.embedded.backend import Backend
from tinker_ext.embedded.checkpoints.files import RESERVE_BYTES, CheckpointFiles
from tinker_ext.embedded.checkpoints.names import CheckpointName
from tinker_ext.embedded.errors import describe_storage_error
from tinker_ext.embedded.execution.saving import CheckpointSaver
from tinker_ext.embedded.launch import start_embedded
from tinker_ext.embedded.state_folder import make_state_folder
from tinker_ext.embedded.store import CheckpointRecord, CheckpointTable, Database
from tinker_ext.errors import ConfigurationError
from tinker_ext.private_files import new_backend_key

NAME = CheckpointName("5f0c:train:0", "weights", "a")

# Larger than the database of these tests, and smaller than a checkpoint of rank 16.
SMALL_FILE = 400_000


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Make writes fail beyond this file size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    """The permission bits of a folder and its contents, by path."""
    paths = [folder, *folder.rglob("*")]
    return {str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode) for path in paths}


async def post(api: Api, operation: str, **body: object) -> httpx.Response:
    """Like `Api.post`, for responses that no release documents."""
    api.http.event_hooks = {}
    return await api.post(operation, **body)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o777])
def test_server_process_creates_private_files_with_any_umask(tmp_path: Path, mask: int) -> None:
    folder = tmp_path / "state"
    with umask(mask), start_embedded(folder, key=new_backend_key()):
        mode_of = modes(folder)
    assert {"lock", "key", "embedded.log", "state.sqlite3", "state.sqlite3-wal"} <= mode_of.keys()
    for path, mode in mode_of.items():
        assert mode == (0o700 if (folder / path).is_dir() else 0o600), path


async def test_checkpoints_samplers_and_secrets_are_private(api: Api, tmp_path: Path) -> None:
    with umask(0o000):
        await api.new_model()
        await api.done("save_weights", model_id=api.model_id, seq_id=1, path="a")
        await api.done(
            "save_weights_for_sampler",
            model_id=api.model_id,
            seq_id=2,
            sampling_session_seq_id=0,
        )
    mode_of = modes(tmp_path / "state")
    assert sum(path.endswith(".safetensors") for path in mode_of) == 3
    for path, mode in mode_of.items():
        assert mode == (0o700 if (tmp_path / "state" / path).is_dir() else 0o600), path


def test_folder_of_an_earlier_release_is_made_private(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoints" / "run" / "weights" / "a"
    checkpoint.mkdir(parents=True)
    (checkpoint / "adapter_model.safetensors").touch()
    (tmp_path / "state.sqlite3").touch()
    for path in (tmp_path, *tmp_path.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    make_state_folder(tmp_path)
    assert set(modes(tmp_path).values()) == {0o700, 0o600}


def test_folder_with_foreign_files_keeps_all_modes(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    (tmp_path / "notes.txt").chmod(0o644)
    (tmp_path / "lock").touch()
    (tmp_path / "lock").chmod(0o644)
    tmp_path.chmod(0o755)
    make_state_folder(tmp_path)
    assert modes(tmp_path) == {".": 0o755, "notes.txt": 0o644, "lock": 0o600}


def test_folder_that_all_users_may_write_to_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    make_state_folder(tmp_path)
    assert modes(tmp_path) == {".": 0o1777}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENOSPC, "x"), "disk full (No space left on device)"),
        (OSError(errno.EDQUOT, "x"), "disk full"),
        (OSError(errno.EFBIG, "x"), "disk full"),
        (OSError(errno.EROFS, "x"), "not writable (Read-only file system)"),
        (PermissionError(errno.EACCES, "x"), "not writable"),
        (OSError(errno.EIO, "x"), "disk failed"),
    ],
)
def test_disk_error_description_starts_with_its_kind(error: OSError, kind: str) -> None:
    description = describe_storage_error(error)
    assert description is not None
    assert description.startswith(kind)


def test_other_errors_are_not_disk_errors() -> None:
    for error in (FileNotFoundError(errno.ENOENT, "x"), ValueError("full"), sqlite3.Error("full")):
        assert describe_storage_error(error) is None


def test_full_and_read_only_databases_are_recognized(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a") as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("PRAGMA max_page_count = 1")
        with pytest.raises(sqlite3.OperationalError) as caught:
            connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
        assert (describe_storage_error(caught.value) or "").startswith("disk full")
        connection.execute("PRAGMA query_only = 1")
        with pytest.raises(sqlite3.OperationalError) as caught:
            connection.execute("INSERT INTO t VALUES (1)")
        assert (describe_storage_error(caught.value) or "").startswith("not writable")
    connection.close()


async def test_save_on_full_disk_fails_and_leaves_no_files(api: Api) -> None:
    await api.new_model(rank=16)
    with largest_file(SMALL_FILE):
        failed = await api.done("save_weights", model_id=api.model_id, seq_id=1, path="a")
    assert failed["error"].startswith("save_weights failed: disk full (File too large)")
    assert failed["category"] == "user", "clients don't retry it"
    assert list((api.backend.files.root / "scratch").iterdir()) == []
    assert (await api.get("checkpoints")).json()["checkpoints"] == []
    saved = await api.done("save_weights", model_id=api.model_id, seq_id=2, path="a")
    assert saved["path"].endswith("/weights/a")


async def test_sampler_save_on_full_disk_leaves_no_files(api: Api) -> None:
    await api.new_model(rank=32)
    request = {"model_id": api.model_id, "sampling_session_seq_id": 0}
    with largest_file(SMALL_FILE):
        failed = await api.done("save_weights_for_sampler", seq_id=1, **request)
    assert "disk full" in failed["error"]
    assert not list(api.backend.files.root.glob("samplers/*"))
    assert "sampling_session_id" in await api.done("save_weights_for_sampler", seq_id=2, **request)


async def test_failed_overwrite_keeps_the_previous_checkpoint(api: Api) -> None:
    await api.new_model(rank=16)
    save = {"model_id": api.model_id, "path": "a", "overwrite": True}
    path = (await api.done("save_weights", seq_id=1, **save))["path"]
    before = (await api.get("checkpoints")).json()
    with largest_file(SMALL_FILE):
        assert "disk full" in (await api.done("save_weights", seq_id=2, **save))["error"]
    assert (await api.get("checkpoints")).json() == before
    loaded = await api.done("load_weights", model_id=api.model_id, seq_id=3, path=path)
    assert loaded["path"] == path
    await api.done("save_weights", seq_id=4, **save)
    [listed] = (await api.get("checkpoints")).json()["checkpoints"]
    assert listed["time"] > before["checkpoints"][0]["time"]


async def test_request_that_cannot_be_stored_returns_507_without_retry(api: Api) -> None:
    await api.new_model()
    step = {"model_id": api.model_id, "adam_params": {}}
    with largest_file(0):
        rejected = await post(api, "optim_step", seq_id=1, **step)
        heartbeat = await post(api, "session_heartbeat", session_id=api.session_id)
    assert rejected.status_code == 507
    assert rejected.headers["x-should-retry"] == "false"
    assert rejected.json()["detail"].startswith("disk failed (disk I/O error): check the disk")
    assert heartbeat.status_code == 200
    assert "metrics" in await api.optim_step(2), "it does not wait for the rejected one"


async def test_archive_on_full_disk_returns_507_and_leaves_no_files(api: Api) -> None:
    await api.new_model(rank=16)
    await api.done("save_weights", model_id=api.model_id, seq_id=1, path="a")
    path = f"training_runs/{api.model_id}/checkpoints/weights/a/archive"
    location = (await api.get(path)).headers["location"]
    with largest_file(10_000):
        rejected = await api.http.get(location)
    assert rejected.status_code == 507
    assert "disk full" in rejected.json()["detail"]
    assert list((api.backend.files.root / "scratch").iterdir()) == []
    assert (await api.http.get(location)).status_code == 200


class FullTable(CheckpointTable):
    """Rejects changes while a folder exists, like a full disk."""

    def __init__(self, database: Database, folder: Path) -> None:
        super().__init__(database)
        self._folder = folder

    def remove(self, name: CheckpointName) -> bool:
        if self._folder.exists():
            raise sqlite3.OperationalError("database or disk is full")
        return super().remove(name)


def test_checkpoint_can_be_deleted_on_a_full_disk(tmp_path: Path) -> None:
    database, files = Database(tmp_path / "state.sqlite3"), CheckpointFiles(tmp_path)
    folder = files.checkpoint(NAME.run_id, NAME.kind, NAME.name)
    folder.mkdir(parents=True)
    table = FullTable(database, folder)
    table.add(CheckpointRecord(NAME, 1.0, 1))
    CheckpointSaver(table, files).remove(NAME)
    assert table.all() == []
    assert not folder.exists()
    database.close()


def test_start_clears_scratch_before_it_opens_the_database(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite3").write_text("not a database, so that opening it fails")
    (tmp_path / "scratch" / "half.checkpoint").mkdir(parents=True)
    (tmp_path / "scratch" / "half.checkpoint" / "adapter_model.safetensors").touch()
    (tmp_path / "scratch" / "half.tar.gz").touch()
    with pytest.raises(RuntimeError, match="file is not a database"):
        Backend(tmp_path)
    assert list((tmp_path / "scratch").iterdir()) == []


async def test_start_deletes_reserve_before_it_opens_the_database(
    open_api: OpenApi, tmp_path: Path
) -> None:
    async with open_api():
        pass
    reserve = tmp_path / "state" / "reserve"
    assert reserve.stat().st_size == RESERVE_BYTES
    (tmp_path / "state" / "state.sqlite3").write_text("not a database, so that opening it fails")
    with pytest.raises(RuntimeError, match="file is not a database"):
        Backend(tmp_path / "state")
    assert not reserve.exists(), "its space was released before the database was opened"


async def test_server_starts_without_space_for_the_reserve(
    open_api: OpenApi, tmp_path: Path
) -> None:
    async with open_api():
        pass
    with largest_file(100_000):
        async with open_api() as api:
            assert (await api.get("healthz")).status_code == 200
    assert not (tmp_path / "state" / "reserve").exists()


async def test_restart_writes_nothing_to_the_database(open_api: OpenApi, tmp_path: Path) -> None:
    async with open_api() as api:
        await api.new_session()
        session_id = api.session_id
    database = tmp_path / "state" / "state.sqlite3"
    content = database.read_bytes()
    async with open_api() as api:
        assert (tmp_path / "state" / "state.sqlite3-wal").stat().st_size == 0
        assert (await api.get("sessions")).json() == {"sessions": [session_id]}
    assert database.read_bytes() == content


@pytest.mark.parametrize("path", ["file", "file/below", "file/far/below"])
def test_state_dir_that_cannot_be_created_raises_configuration_error(
    tmp_path: Path, path: str
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        ConfigurationError, match="its path, or a parent of it, is a file"
    ) as caught:
        start_embedded(tmp_path / path)
    assert str(tmp_path / path) in str(caught.value)
    assert "TINKER_EMBEDDED_DIR" in str(caught.value)
    assert caught.value.setting == "embedded_dir"
