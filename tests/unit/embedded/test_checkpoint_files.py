"""Checkpoint folders are written atomically, in the layout that PEFT reads."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tinker_ext.embedded.checkpoints.archive import LIFETIME_SECONDS, ArchiveSigner, pack
from tinker_ext.embedded.checkpoints.files import CheckpointContents, CheckpointFiles
from tinker_ext.embedded.checkpoints.names import CheckpointName
from tinker_ext.embedded.store import LoraRecord

ADAPTER = {"base_model.model.lm_head.lora_A.weight": np.arange(6, dtype=np.float32).reshape(2, 3)}
OPTIMIZER = {"moment": np.ones(3, np.float32)}
CONTENTS = CheckpointContents(
    "embedded/tiny", LoraRecord(2, train_mlp=False), ADAPTER, OPTIMIZER, step=7
)
NAME = CheckpointName("5f0c:train:0", "weights", "a")


@pytest.fixture
def files(tmp_path: Path) -> CheckpointFiles:
    return CheckpointFiles(tmp_path)


@pytest.fixture
def folder(files: CheckpointFiles) -> Path:
    return files.checkpoint(NAME.run_id, NAME.kind, NAME.name)


def test_read_returns_written_contents(files: CheckpointFiles, folder: Path) -> None:
    size = files.write(folder, CONTENTS, {"r": 2})
    assert size == sum(file.stat().st_size for file in folder.iterdir())
    read = files.read(folder, optimizer=True)
    assert (read.base_model, read.lora, read.step) == ("embedded/tiny", CONTENTS.lora, 7)
    assert read.optimizer is not None
    np.testing.assert_array_equal(read.optimizer["moment"], OPTIMIZER["moment"])
    for name, array in ADAPTER.items():
        np.testing.assert_array_equal(read.adapter[name], array)
    assert files.read(folder, optimizer=False).optimizer is None


def test_file_layout_matches_peft(files: CheckpointFiles, folder: Path) -> None:
    files.write(folder, CONTENTS, {"peft_type": "LORA", "r": 2})
    assert json.loads((folder / "adapter_config.json").read_text()) == {"peft_type": "LORA", "r": 2}
    assert load_file(folder / "adapter_model.safetensors").keys() == ADAPTER.keys()
    assert sorted(file.name for file in folder.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "optimizer.safetensors",
    ]


def test_sampler_weights_have_no_optimizer_file(files: CheckpointFiles, folder: Path) -> None:
    files.write(folder, CheckpointContents("embedded/tiny", LoraRecord(2), ADAPTER), {})
    assert not (folder / "optimizer.safetensors").exists()
    assert files.read(folder, optimizer=True).optimizer is None


def test_failed_write_leaves_no_checkpoint(files: CheckpointFiles, folder: Path) -> None:
    bad = CheckpointContents("embedded/tiny", LoraRecord(2), ADAPTER, {"moment": "not an array"})
    with pytest.raises(Exception, match=r"."):
        files.write(folder, bad, {})
    assert not folder.exists()
    files.write(folder, CONTENTS, {})
    assert files.read(folder, optimizer=True).step == 7


def test_delete_unlisted_removes_incomplete_folders(files: CheckpointFiles, folder: Path) -> None:
    unlisted = folder.with_name("renamed-but-not-listed")
    incomplete = files.scratch_file(".checkpoint")
    incomplete.mkdir()
    (incomplete / "adapter_model.safetensors").write_bytes(b"incomplete")
    files.scratch_file(".tar.gz").write_bytes(b"incomplete")
    for path in (folder, unlisted, files.sampler("kept"), files.sampler("unused")):
        files.write(path, CONTENTS, {})
    files.delete_unlisted([folder, files.sampler("kept")])
    assert folder.is_dir()
    assert files.sampler("kept").is_dir()
    assert not unlisted.exists()
    assert not files.sampler("unused").exists()
    assert list((files.root / "scratch").iterdir()) == []


def test_write_refolders_unlisted_folder(files: CheckpointFiles, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "junk").write_text("from an interrupted save")
    files.write(folder, CONTENTS, {})
    assert not (folder / "junk").exists()


def test_second_remove_does_nothing(files: CheckpointFiles, folder: Path) -> None:
    files.write(folder, CONTENTS, {})
    files.remove(folder)
    files.remove(folder)
    assert not folder.exists()


def test_archive_contains_files_without_user_information(
    files: CheckpointFiles, folder: Path, tmp_path: Path
) -> None:
    files.write(folder, CONTENTS, {"r": 2})
    archive = tmp_path / "a.tar.gz"
    pack(folder, archive)
    with tarfile.open(archive, "r:gz") as tar:
        members = {member.name: member for member in tar.getmembers()}
        config = tar.extractfile("adapter_config.json")
        assert config is not None
        assert json.load(config) == {"r": 2}
    assert members.keys() == {file.name for file in folder.iterdir()}
    assert {member.uname for member in members.values()} == {""}
    assert {member.uid for member in members.values()} == {0}


class TestSignature:
    signer = ArchiveSigner(b"secret")
    now = 1_000_000.0

    def query(self, **changes: str) -> dict[str, str]:
        url = self.signer.sign(NAME, int(self.now) + LIFETIME_SECONDS)
        pairs = url.partition("?")[2].split("&")
        return {**dict(pair.split("=") for pair in pairs), **changes}

    def test_signed_url_is_valid(self) -> None:
        assert self.signer.is_valid(NAME, self.query(), self.now)
        assert self.signer.sign(NAME, 5).startswith("/archives/5f0c%3Atrain%3A0/weights/a?")

    def test_expired_url_is_invalid(self) -> None:
        assert not self.signer.is_valid(NAME, self.query(), self.now + LIFETIME_SECONDS)

    @pytest.mark.parametrize(
        "changes",
        [{"expires": "9999999999"}, {"signature": "0" * 64}, {"signature": "é"}, {"expires": "x"}],
    )
    def test_modified_url_is_invalid(self, changes: dict[str, str]) -> None:
        assert not self.signer.is_valid(NAME, self.query(**changes), self.now)

    def test_url_is_valid_for_one_checkpoint_and_secret(self) -> None:
        other = CheckpointName(NAME.run_id, "sampler_weights", "a")
        assert not self.signer.is_valid(other, self.query(), self.now)
        assert not self.signer.is_valid(NAME, {}, self.now)
        assert not ArchiveSigner(b"another").is_valid(NAME, self.query(), self.now)
