"""Saving an archive: whole or not at all, and never outside its folder."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar

import pytest

from tinker_ext.cli.download import archive_name, save_archive
from tinker_ext.cli.problems import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ARCHIVE = bytes(range(256)) * 8192  # 2 MiB, more than one chunk


class Storage(BaseHTTPRequestHandler):
    """Signed storage: /whole, /half breaks off, /gone has expired, /moved leads to /whole."""

    seen: ClassVar[list[dict[str, str]]] = []

    def do_GET(self) -> None:
        self.seen.append({name.lower(): value for name, value in self.headers.items()})
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/whole")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(403 if self.path == "/gone" else 200)
        self.send_header("Content-Length", str(len(ARCHIVE)))
        self.end_headers()
        self.wfile.write(ARCHIVE[: 1000 if self.path == "/half" else None])

    def log_message(self, *_: object) -> None:
        """Nothing: a test's output is its own."""


@contextmanager
def storage() -> Iterator[str]:
    Storage.seen.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Storage) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_the_archive_arrives_whole_and_nothing_else_stays(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.tar.gz"
    with storage() as url:
        assert save_archive(f"{url}/moved", target) == len(ARCHIVE)
    assert target.read_bytes() == ARCHIVE
    assert list(target.parent.iterdir()) == [target]


def test_the_key_is_not_shown_to_the_storage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINKER_API_KEY", "tml-secret-of-mine")
    with storage() as url:
        save_archive(f"{url}/whole", tmp_path / "a")
    assert "secret-of-mine" not in str(Storage.seen)
    assert Storage.seen[0]["accept-encoding"] == "identity"


@pytest.mark.parametrize(("path", "told"), [("half", "broke off"), ("gone", "403")])
def test_a_failed_download_leaves_no_file_and_keeps_the_old_one(
    path: str, told: str, tmp_path: Path
) -> None:
    target = tmp_path / "a.tar.gz"
    target.write_bytes(b"old")
    with storage() as url, pytest.raises(CommandError, match=told):
        save_archive(f"{url}/{path}", target)
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [
        ("a.tar.gz", b"old")
    ]


@pytest.mark.parametrize(
    ("tinker_path", "name"),
    [
        ("tinker://run-1/weights/0001", "run-1_weights_0001.tar.gz"),
        ("tinker://run:train:0/sampler_weights/a b", "run-train-0_sampler_weights_a-b.tar.gz"),
        ("tinker://../weights/..\\..\\x", "_weights_..-..-x.tar.gz"),
    ],
)
def test_the_name_of_an_archive_stays_in_its_folder(tinker_path: str, name: str) -> None:
    assert archive_name(tinker_path) == name
