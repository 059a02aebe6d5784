"""The file of a recording."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tinker_ext.tracing.spans import Recorder


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o777])
def test_new_recording_is_private_regardless_of_umask(tmp_path: Path, mask: int) -> None:
    file = tmp_path / "trace.jsonl"
    before = os.umask(mask)
    try:
        Recorder(file)
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_bytes().endswith(b"\n")


def test_existing_recording_is_appended_to_and_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_bytes(b"{}\n")
    file.chmod(0o640)
    Recorder(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert file.read_bytes().startswith(b'{}\n{"kind":"recording"')
