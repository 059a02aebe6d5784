"""Checkpoints on disk: whole or absent, and in the layout that PEFT reads."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from safetensors.numpy import load_file

from tinker_ext.embedded.checkpoints.archive import LIFETIME_SECONDS, ArchiveSigner, pack
from tinker_ext.embedded.checkpoints.files import CheckpointFiles, Contents
from tinker_ext.embedded.checkpoints.names import CheckpointName
from tinker_ext.embedded.store.runs import LoraRecord

if TYPE_CHECKING:
    from pathlib import Path

ADAPTER = {"base_model.model.lm_head.lora_A.weight": np.arange(6, dtype=np.float32).reshape(2, 3)}
OPTIMIZER = {"moment": np.ones(3, np.float32)}
CONTENTS = Contents("embedded/tiny", LoraRecord(2, train_mlp=False), ADAPTER, OPTIMIZER, step=7)
NAME = CheckpointName("5f0c:train:0", "weights", "a")


@pytest.fixture
def files(tmp_path: Path) -> CheckpointFiles:
    return CheckpointFiles(tmp_path)


@pytest.fixture
def place(files: CheckpointFiles) -> Path:
    return files.checkpoint(NAME.run_id, NAME.kind, NAME.name)


def test_what_is_written_is_read_back(files: CheckpointFiles, place: Path) -> None:
    size = files.write(place, CONTENTS, {"r": 2})
    assert size == sum(file.stat().st_size for file in place.iterdir())
    read = files.read(place, optimizer=True)
    assert (read.base_model, read.lora, read.step) == ("embedded/tiny", CONTENTS.lora, 7)
    assert read.optimizer is not None
    np.testing.assert_array_equal(read.optimizer["moment"], OPTIMIZER["moment"])
    for name, array in ADAPTER.items():
        np.testing.assert_array_equal(read.adapter[name], array)
    assert files.read(place, optimizer=False).optimizer is None


def test_the_layout_is_that_of_peft(files: CheckpointFiles, place: Path) -> None:
    files.write(place, CONTENTS, {"peft_type": "LORA", "r": 2})
    assert json.loads((place / "adapter_config.json").read_text()) == {"peft_type": "LORA", "r": 2}
    assert load_file(place / "adapter_model.safetensors").keys() == ADAPTER.keys()
    assert sorted(file.name for file in place.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "optimizer.safetensors",
    ]


def test_weights_to_sample_from_have_no_optimizer(files: CheckpointFiles, place: Path) -> None:
    files.write(place, Contents("embedded/tiny", LoraRecord(2), ADAPTER), {})
    assert not (place / "optimizer.safetensors").exists()
    assert files.read(place, optimizer=True).optimizer is None


def test_a_write_that_fails_in_the_middle_leaves_no_checkpoint(
    files: CheckpointFiles, place: Path
) -> None:
    bad = Contents("embedded/tiny", LoraRecord(2), ADAPTER, {"moment": "no array"})
    with pytest.raises(Exception, match=r"."):
        files.write(place, bad, {})
    assert not place.exists()
    files.write(place, CONTENTS, {})
    assert files.read(place, optimizer=True).step == 7


def test_leftovers_of_a_sudden_end_are_swept(files: CheckpointFiles, place: Path) -> None:
    unlisted = place.with_name("renamed-but-not-listed")
    half = files.scratch_file(".checkpoint")
    half.mkdir()
    (half / "adapter_model.safetensors").write_bytes(b"half")
    files.scratch_file(".tar.gz").write_bytes(b"half")
    for folder in (place, unlisted, files.sampler("kept"), files.sampler("forgotten")):
        files.write(folder, CONTENTS, {})
    files.sweep([place, files.sampler("kept")])
    assert place.is_dir()
    assert files.sampler("kept").is_dir()
    assert not unlisted.exists()
    assert not files.sampler("forgotten").exists()
    assert list((files.root / "scratch").iterdir()) == []


def test_an_unlisted_folder_does_not_stand_in_the_way(files: CheckpointFiles, place: Path) -> None:
    place.mkdir(parents=True)
    (place / "junk").write_text("from a save that was cut off")
    files.write(place, CONTENTS, {})
    assert not (place / "junk").exists()


def test_removing_twice_is_no_mistake(files: CheckpointFiles, place: Path) -> None:
    files.write(place, CONTENTS, {})
    files.remove(place)
    files.remove(place)
    assert not place.exists()


def test_an_archive_holds_the_files_and_nothing_about_the_user(
    files: CheckpointFiles, place: Path, tmp_path: Path
) -> None:
    files.write(place, CONTENTS, {"r": 2})
    archive = tmp_path / "a.tar.gz"
    pack(place, archive)
    with tarfile.open(archive, "r:gz") as tar:
        members = {member.name: member for member in tar.getmembers()}
        config = tar.extractfile("adapter_config.json")
        assert config is not None
        assert json.load(config) == {"r": 2}
    assert members.keys() == {file.name for file in place.iterdir()}
    assert {member.uname for member in members.values()} == {""}
    assert {member.uid for member in members.values()} == {0}


class TestSignature:
    signer = ArchiveSigner(b"secret")
    now = 1_000_000.0

    def query(self, **changes: str) -> dict[str, str]:
        address = self.signer.address(NAME, int(self.now) + LIFETIME_SECONDS)
        pairs = address.partition("?")[2].split("&")
        return {**dict(pair.split("=") for pair in pairs), **changes}

    def test_a_signed_address_is_admitted(self) -> None:
        assert self.signer.admits(NAME, self.query(), self.now)
        assert self.signer.address(NAME, 5).startswith("/archives/5f0c%3Atrain%3A0/weights/a?")

    def test_it_expires(self) -> None:
        assert not self.signer.admits(NAME, self.query(), self.now + LIFETIME_SECONDS)

    @pytest.mark.parametrize(
        "changes",
        [{"expires": "9999999999"}, {"signature": "0" * 64}, {"signature": "é"}, {"expires": "x"}],
    )
    def test_a_changed_one_is_not(self, changes: dict[str, str]) -> None:
        assert not self.signer.admits(NAME, self.query(**changes), self.now)

    def test_it_is_good_for_one_checkpoint(self) -> None:
        other = CheckpointName(NAME.run_id, "sampler_weights", "a")
        assert not self.signer.admits(other, self.query(), self.now)
        assert not self.signer.admits(NAME, {}, self.now)
        assert not ArchiveSigner(b"another").admits(NAME, self.query(), self.now)
