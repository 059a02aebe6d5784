"""Unpacking an untrusted archive: completely or not at all, only files, inside its folder."""

from __future__ import annotations

import io
import shutil
import stat
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinker_ext.clients.downloads import unpack as unpacking
from tinker_ext.clients.downloads.unpack import unpack
from tinker_ext.errors import DownloadError


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, target, 3 if kind == tarfile.REGTYPE else 0
    return member


def pack(folder: Path, *members: tarfile.TarInfo) -> Path:
    archive = folder / "a.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"abc" if member.size else b""))
    return archive


def test_files_and_folders_unpacked(tmp_path: Path) -> None:
    archive = pack(tmp_path, entry("config.json"), entry("a", tarfile.DIRTYPE), entry("a/b/c.bin"))
    assert len(unpack(archive, tmp_path / "out")) == 2
    files = {str(item.relative_to(tmp_path / "out")) for item in (tmp_path / "out").rglob("*.*")}
    assert files == {"config.json", "a/b/c.bin"}
    assert (tmp_path / "out" / "a/b/c.bin").read_bytes() == b"abc"
    with pytest.raises(DownloadError, match="already exists"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize(
    ("member", "words"),
    [
        (entry("../evil"), "is outside the target folder"),
        (entry("a/../../evil"), "is outside the target folder"),
        (entry("/etc/evil"), "is outside the target folder"),
        (entry("..\\evil"), "is outside the target folder"),
        (entry("C:\\evil"), "is outside the target folder"),
        (entry("\\\\host\\share\\evil"), "is outside the target folder"),
        (entry("link", tarfile.SYMTYPE, "/etc/passwd"), "is a link, device or sparse file"),
        (entry("link", tarfile.SYMTYPE, "good"), "is a link, device or sparse file"),
        (entry("link", tarfile.LNKTYPE, "good"), "is a link, device or sparse file"),
        (entry("device", tarfile.CHRTYPE), "is a link, device or sparse file"),
        (entry("pipe", tarfile.FIFOTYPE), "is a link, device or sparse file"),
        (entry("good"), "File exists"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_unsafe_entry_rejected_and_nothing_written(
    member: tarfile.TarInfo, words: str, tmp_path: Path
) -> None:
    archive = pack(tmp_path, entry("good"), member)
    with pytest.raises(DownloadError, match=words):
        unpack(archive, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [archive]


def test_folders_count_as_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MAX_ENTRIES", 5)
    deep = pack(tmp_path, entry("a/b/c/d/e"))
    assert len(unpack(deep, tmp_path / "deep")) == 1
    too_deep = pack(tmp_path, entry("a/b/c/d/e/f"))
    with pytest.raises(DownloadError, match="more than 5 files and folders"):
        unpack(too_deep, tmp_path / "out")
    again = pack(tmp_path, *[entry("a", tarfile.DIRTYPE)] * 6)
    with pytest.raises(DownloadError, match="more than 5 files and folders"):
        unpack(again, tmp_path / "out")


def test_file_and_total_size_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = pack(tmp_path, entry("a"), entry("b"))
    for name, limit in (("MAX_FILE_BYTES", 2), ("MAX_TOTAL_BYTES", 5)):
        with monkeypatch.context() as patched:
            patched.setattr(unpacking, name, limit)
            with pytest.raises(DownloadError, match="the contents exceed"):
                unpack(archive, tmp_path / "out")
    assert len(unpack(archive, tmp_path / "out")) == 2


def long_header(kind: bytes, size: int, content: bytes = b"") -> bytes:
    """The header of an extended entry that announces `size` bytes."""
    member = tarfile.TarInfo("long")
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT) + content


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
@pytest.mark.parametrize("size", [20_000, 2**40])
def test_long_header_rejected_before_reading(kind: bytes, size: int, tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    archive.write_bytes(long_header(kind, size, b"1" * 20_480))
    with pytest.raises(DownloadError, match="a header of more than 10240 bytes"):
        unpack(archive, tmp_path / "out")


def test_many_long_headers_rejected(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        for number in range(100):
            member = entry(f"{number}")
            member.pax_headers = {"comment": "1" * 7_000}
            tar.addfile(member, io.BytesIO(b"abc"))
    with pytest.raises(DownloadError, match="the headers exceed 65536 bytes"):
        unpack(archive, tmp_path / "out")


def test_long_chain_of_headers_rejected(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    archive.write_bytes(long_header(tarfile.XGLTYPE, 0) * 5_000)
    with pytest.raises(DownloadError, match="a header of more than 10240 bytes"):
        unpack(archive, tmp_path / "out")


def test_long_valid_name_unpacked(tmp_path: Path) -> None:
    name = "/".join(["folder" * 10] * 20 + ["file"])
    assert unpack(pack(tmp_path, entry(name)), tmp_path / "out") == [tmp_path / "out" / name]


def test_sparse_file_rejected(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    archive.write_bytes(long_header(tarfile.GNUTYPE_SPARSE, 0, bytes(10_240)))
    with pytest.raises(DownloadError, match="is a link, device or sparse file"):
        unpack(archive, tmp_path / "out")


def test_damaged_header_not_taken_for_end_of_archive(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w") as tar:
        for name in ("one", "two"):
            tar.addfile(entry(name), io.BytesIO(b"abc"))
    content = bytearray(archive.read_bytes())
    content[1024 + 10] ^= 1
    archive.write_bytes(content)
    with pytest.raises(DownloadError, match="the archive is damaged at byte"):
        unpack(archive, tmp_path / "out")


def test_unpacked_files_are_private(tmp_path: Path) -> None:
    open_to_all = entry("folder/file")
    open_to_all.mode = 0o777
    unpack(pack(tmp_path, open_to_all), tmp_path / "out")
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").rglob("*")}
    assert modes == {tmp_path / "out/folder": 0o700, tmp_path / "out/folder/file": 0o600}


def test_too_many_bytes_or_files_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    huge = entry("huge")
    huge.size = 2**60
    archive = tmp_path / "a.tar"
    archive.write_bytes(huge.tobuf() + b"abc")
    with pytest.raises(DownloadError, match="the contents exceed the free disk space of"):
        unpack(archive, tmp_path / "out")
    monkeypatch.setattr(unpacking, "MAX_ENTRIES", 2)
    with pytest.raises(DownloadError, match="more than 2 files"):
        unpack(pack(tmp_path, *map(entry, "abc")), tmp_path / "out")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_archive_rejected_or_unpacked(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(pack(tmp_path, entry("one"), entry("two")).read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    archive = tmp_path / "damaged"
    archive.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    out = tmp_path / "out"
    shutil.rmtree(out, ignore_errors=True)
    try:
        unpack(archive, out)
    except DownloadError:
        assert not out.exists()
    assert {item.name for item in tmp_path.iterdir()} >= {"a.tar.gz", "damaged"}
    assert not list(tmp_path.glob(".unpacking-*"))
