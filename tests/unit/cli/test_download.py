"""Downloads of the command line: the saved file, its name and progress."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

import tinker_ext as tinker
from tests.unit.cli.running import as_json
from tests.wire.storage import SIGNATURE, Fault, Storage, storage
from tinker_ext.cli import fetching
from tinker_ext.cli.fetching import show_progress
from tinker_ext.cli.main import program
from tinker_ext.clients.downloads.download import download_url, file_name, target_of
from tinker_ext.errors import APIError, InvalidInputError
from tinker_ext.testing import FakeServer, FaultServer, Reply, SimulatedTime, make_client
from tinker_ext.types import DownloadProgress

CONTENT = bytes(range(256)) * 8192


@pytest.fixture
def store() -> Iterator[Storage]:
    with storage() as served:
        served.files["/trace"] = CONTENT
        yield served


@pytest.fixture
def rest() -> Iterator[tinker.RestClient]:
    with make_client(FakeServer(), clock=SimulatedTime().clock, retry_window=5) as service:
        yield service.create_rest_client()


def test_download_url_saves_file_and_leaves_no_other_files(
    rest: tinker.RestClient, store: Storage, tmp_path: Path
) -> None:
    store.faults.append(Fault(cut=1000))
    target = tmp_path / "new" / "a.pftrace"
    assert download_url(rest, store.signed("/trace"), target).result(60) == len(CONTENT)
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("status", [403, 501, 503])
def test_failed_download_keeps_old_file(
    status: int, rest: tinker.RestClient, store: Storage, tmp_path: Path
) -> None:
    target = tmp_path / "a.pftrace"
    target.write_bytes(b"old")
    store.faults += [Fault(cut=1000), *[Fault(status=status)] * 200]
    with pytest.raises(APIError, match=str(status)):
        download_url(rest, store.signed("/trace"), target).result(60)
    assert target.read_bytes() == b"old"
    assert (tmp_path / "a.pftrace.part").read_bytes() == CONTENT[:1000]


def test_archive_name_cannot_leave_its_folder(tmp_path: Path) -> None:
    for path, name in (
        ("tinker://run-1/weights/0001", "run-1_weights_0001"),
        ("tinker://run:train:0/sampler_weights/a b", "run-train-0_sampler_weights_a-b"),
        ("tinker://run/weights/..\\..\\x", "run_weights_.._.._x"),
    ):
        target = target_of(path, tmp_path)
        assert target.archive == tmp_path / f"{name}.tar.gz"
        assert target.folder == tmp_path / name
    assert file_name("..", "weights", "..\\..\\x") == "_weights_..-..-x"
    with pytest.raises(InvalidInputError):
        target_of("tinker://../weights/x", tmp_path)


def test_progress_is_only_shown_on_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress("run-1") as update:
        update(DownloadProgress("preparing", 0, None, 0, 0, 61.0))
        update(DownloadProgress("downloading", 10, 20, 0, 1, 62.0))
    shown = capsys.readouterr()
    assert shown.out == ""


def test_download_from_server_without_archives_saves_folder(
    store: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINKER_API_KEY", "tml-any")
    path = "tinker://run-1/external_weights/final"
    with FaultServer() as server:
        monkeypatch.setenv("TINKER_BASE_URL", server.url)
        body = {"urls": {"a": store.signed("/trace")}, "expires": "2099-01-01T00:00:00Z"}
        server.respond_always("get_external_weights_urls", Reply(200, body))
        command = ("checkpoint", "download", path, "-o", str(tmp_path), "-f", "json")
        store.faults += [Fault(status=403)] * 2
        failed = CliRunner().invoke(program, command)
        assert failed.exit_code == 1
        assert "403" in failed.stderr
        assert SIGNATURE.partition("=")[2] not in failed.stderr
        record = as_json(CliRunner().invoke(program, command))
        folder = tmp_path / "run-1_external_weights_final"
        assert record == {
            "tinker_path": path,
            "size_bytes": len(CONTENT),
            "folder": str(folder),
            "files": 1,
        }
        assert (folder / "a").read_bytes() == CONTENT
        again = CliRunner().invoke(program, command)
        assert again.exit_code == 1
        assert f"{folder} already exists; pass --force to replace it" in again.stderr
        assert CliRunner().invoke(program, (*command, "--force")).exit_code == 0


def test_archive_timeout_option_limits_wait(
    store: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINKER_API_KEY", "tml-any")
    path = "tinker://run-1/sampler_weights/final"
    with FaultServer() as server:
        monkeypatch.setenv("TINKER_BASE_URL", server.url)
        reply = Reply(302, None, {"location": store.signed("/trace")}, delay=1.5)
        server.respond_always("get_checkpoint_archive_url", reply)
        command = ("checkpoint", "download", path, "-o", str(tmp_path))
        saved = CliRunner().invoke(program, command)
        assert saved.exit_code == 0
        assert (tmp_path / "run-1_sampler_weights_final.tar.gz").read_bytes() == CONTENT
        monkeypatch.setattr(fetching, "RETRY_WINDOW", 0.2)
        late = CliRunner().invoke(program, (*command, "--force", "--archive-timeout", "0.2"))
        assert late.exit_code == 1
        assert "archive_timeout, which bounds the wait for an archive, is 0.2 s" in late.stderr
