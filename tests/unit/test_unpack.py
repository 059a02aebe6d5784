"""Unpacking an archive that somebody else made: whole, inside its folder, files only."""

from __future__ import annotations

import io
import shutil
import tarfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinker_ext.clients import unpack as unpacking
from tinker_ext.clients.unpack import unpack
from tinker_ext.errors import DownloadError

if TYPE_CHECKING:
    from pathlib import Path


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


def test_files_and_folders_are_unpacked(tmp_path: Path) -> None:
    archive = pack(tmp_path, entry("config.json"), entry("a", tarfile.DIRTYPE), entry("a/b/c.bin"))
    assert len(unpack(archive, tmp_path / "out")) == 2
    files = {str(one.relative_to(tmp_path / "out")) for one in (tmp_path / "out").rglob("*.*")}
    assert files == {"config.json", "a/b/c.bin"}
    assert (tmp_path / "out" / "a/b/c.bin").read_bytes() == b"abc"
    with pytest.raises(DownloadError, match="already there"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize(
    ("member", "told"),
    [
        (entry("../evil"), "leads out"),
        (entry("a/../../evil"), "leads out"),
        (entry("/etc/evil"), "leads out"),
        (entry("..\\evil"), "leads out"),
        (entry("C:\\evil"), "leads out"),
        (entry("\\\\host\\share\\evil"), "leads out"),
        (entry("link", tarfile.SYMTYPE, "/etc/passwd"), "not a plain file"),
        (entry("link", tarfile.SYMTYPE, "good"), "not a plain file"),
        (entry("link", tarfile.LNKTYPE, "good"), "not a plain file"),
        (entry("device", tarfile.CHRTYPE), "not a plain file"),
        (entry("pipe", tarfile.FIFOTYPE), "not a plain file"),
        (entry("good"), "File exists"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_what_could_reach_outside_is_refused_and_nothing_stays(
    member: tarfile.TarInfo, told: str, tmp_path: Path
) -> None:
    archive = pack(tmp_path, entry("good"), member)
    with pytest.raises(DownloadError, match=told):
        unpack(archive, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [archive]


def test_what_unfolds_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    huge = entry("huge")
    huge.size = 2**60
    archive = tmp_path / "a.tar"
    archive.write_bytes(huge.tobuf() + b"abc")
    with pytest.raises(DownloadError, match="more than there is room for"):
        unpack(archive, tmp_path / "out")
    monkeypatch.setattr(unpacking, "MAX_ENTRIES", 2)
    with pytest.raises(DownloadError, match="more than 2 files"):
        unpack(pack(tmp_path, *map(entry, "abc")), tmp_path / "out")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_archive_is_refused_or_unpacked(tmp_path: Path, data: st.DataObject) -> None:
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
    assert {one.name for one in tmp_path.iterdir()} >= {"a.tar.gz", "damaged"}
    assert not list(tmp_path.glob(".unpacking-*"))
