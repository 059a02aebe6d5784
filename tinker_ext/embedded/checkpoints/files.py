"""Checkpoint folders, written atomically.

A folder is filled under ``scratch``, flushed, and then renamed, so that a folder with a final name
is complete. It contains a PEFT adapter, and for training the optimizer:

* ``adapter_model.safetensors``: the adapter; its header has the base model and the settings
* ``adapter_config.json``: the settings in PEFT's format
* ``optimizer.safetensors``: the optimizer's arrays; its header has the step (training only)

External weights may be encrypted; their files then have the suffix ``.age``.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import uuid
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from attrs import asdict, frozen

from tinker_ext.embedded.checkpoints.encryption import SUFFIX
from tinker_ext.embedded.store.records import LoraRecord
from tinker_ext.private_files import FOLDER_MODE, open_private, write_private

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from tinker_ext.embedded.checkpoints.encryption import Encryption

    Arrays = Mapping[str, npt.NDArray[np.generic]]

logger = logging.getLogger("tinker_ext.embedded")

ADAPTER = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"
OPTIMIZER = "optimizer.safetensors"

# Enough for SQLite's shared memory (32 KiB) and the pages that a small transaction writes.
RESERVE_BYTES = 128 * 1024


@frozen
class CheckpointContents:
    """The contents of a checkpoint.

    `optimizer` is None for weights for sampling; `step` counts optimizer steps.
    """

    base_model: str
    lora: LoraRecord
    adapter: Mapping[str, Any]
    optimizer: Mapping[str, Any] | None = None
    step: int = 0


class CheckpointFiles:
    """The checkpoints in a state folder: ``checkpoints/RUN/KIND/NAME`` and ``samplers/ID``."""

    def __init__(self, state_dir: Path) -> None:
        self.root = state_dir
        self._scratch = state_dir / "scratch"
        self._reserve = state_dir / "reserve"
        self._scratch.mkdir(FOLDER_MODE, parents=True, exist_ok=True)

    def checkpoint(self, run_id: str, kind: str, name: str) -> Path:
        """The folder of a listed checkpoint. Some file systems don't allow the colon of run ids."""
        return self.root / "checkpoints" / run_id.replace(":", "_") / kind / name

    def sampler(self, folder: str) -> Path:
        """The folder of the unlisted weights of one sampling session."""
        return self.root / "samplers" / folder

    def scratch_file(self, suffix: str) -> Path:
        """A path for a temporary file. Remaining files are deleted at the next start."""
        return self._scratch / f"{uuid.uuid4().hex}{suffix}"

    def free_space(self) -> None:
        """Delete the reserve, and the temporary files that a crashed server left behind."""
        self._reserve.unlink(missing_ok=True)
        self._clear_scratch()

    def create_reserve(self) -> None:
        """Reserve space, so that the next start can open the database on a full disk."""
        try:
            # Random bytes, so that a file system can't compress them.
            write_private(self._reserve, os.urandom(RESERVE_BYTES))
        except OSError:
            self._reserve.unlink(missing_ok=True)

    def _clear_scratch(self) -> None:
        for path in self._scratch.iterdir():
            _delete(path)

    def write(
        self, folder: Path, contents: CheckpointContents, peft_config: Mapping[str, object]
    ) -> int:
        """Write a checkpoint to `folder` and replace any other; returns its size in bytes."""
        with self.writing(folder, contents, peft_config) as size:
            return size

    @contextmanager
    def writing(
        self,
        folder: Path,
        contents: CheckpointContents,
        peft_config: Mapping[str, object],
        encryption: Encryption | None = None,
    ) -> Iterator[int]:
        """Write a checkpoint to `folder`, and keep it if the ``with`` block succeeds.

        If writing or the block fails, the previous state of `folder` is restored.
        """
        building, before = self.scratch_file(".checkpoint"), self.scratch_file(".before")
        try:
            building.mkdir(FOLDER_MODE)
            _fill(building, contents, peft_config)
            if encryption is not None:
                _encrypt(building, encryption)
            _flush_folder(building)
            size = sum(file.stat().st_size for file in building.iterdir())
            _make_folders(folder.parent, self.root)
            with suppress(FileNotFoundError):
                os.rename(folder, before)
            os.rename(building, folder)
            _flush_folder(folder.parent)
            yield size
        except BaseException:
            if not building.exists():
                self.remove(folder)
            if before.exists():
                os.rename(before, folder)
            raise
        finally:
            _delete(building)
            _delete(before)

    def read(self, folder: Path, *, optimizer: bool) -> CheckpointContents:
        """Read a checkpoint; with `optimizer`, including its optimizer if it has one."""
        adapter, settings = _read_arrays(folder / ADAPTER)
        contents = CheckpointContents(
            base_model=settings["base_model"], lora=LoraRecord(**settings["lora"]), adapter=adapter
        )
        if not optimizer or not (folder / OPTIMIZER).exists():
            return contents
        arrays, progress = _read_arrays(folder / OPTIMIZER)
        return CheckpointContents(
            contents.base_model, contents.lora, adapter, arrays, progress["step"]
        )

    def remove(self, folder: Path) -> None:
        """Delete a folder. It is renamed first, so that no reader sees an incomplete checkpoint."""
        removed = self.scratch_file(".removed")
        try:
            os.rename(folder, removed)
        except FileNotFoundError:
            return
        shutil.rmtree(removed, ignore_errors=True)

    def delete_unlisted(self, listed: Iterable[Path]) -> None:
        """Delete all other folders: the incomplete work of a crashed process."""
        keep = set(listed)
        self._clear_scratch()
        for pattern in ("checkpoints/*/*/*", "samplers/*"):
            for folder in self.root.glob(pattern):
                if folder not in keep:
                    logger.info("deleting the incomplete folder %s", folder)
                    _delete(folder)


def is_encrypted(folder: Path) -> bool:
    """Whether the files of a checkpoint are encrypted, so that only their recipients read them."""
    return (folder / f"{ADAPTER}{SUFFIX}").exists()


def _fill(building: Path, contents: CheckpointContents, peft_config: Mapping[str, object]) -> None:
    """Write the files of a checkpoint."""
    settings = {"base_model": contents.base_model, "lora": asdict(contents.lora)}
    _write_arrays(building / ADAPTER, contents.adapter, settings)
    _write_bytes(building / ADAPTER_CONFIG, json.dumps(peft_config, indent=2).encode())
    if contents.optimizer is not None:
        _write_arrays(building / OPTIMIZER, contents.optimizer, {"step": contents.step})


def _encrypt(folder: Path, encryption: Encryption) -> None:
    """Replace the files of a folder by encrypted ones."""
    for file in list(folder.iterdir()):
        _write_bytes(file.with_name(file.name + SUFFIX), encryption(file.read_bytes()))
        file.unlink()


def _make_folders(folder: Path, root: Path) -> None:
    """Create a folder below `root` and its parents; `mkdir` sets the mode of the last one only."""
    folders = [folder, *folder.parents]
    for parent in reversed(folders[: folders.index(root)]):
        parent.mkdir(FOLDER_MODE, exist_ok=True)


def _write_arrays(file: Path, arrays: Arrays, header: Mapping[str, object]) -> None:
    from safetensors.numpy import save

    _write_bytes(file, save(dict(arrays), metadata={"format": "pt", "tinker": json.dumps(header)}))


def _read_arrays(file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    from safetensors import safe_open

    with safe_open(file, framework="numpy") as opened:
        arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118  # not a mapping
        return arrays, json.loads(opened.metadata()["tinker"])


def _write_bytes(file: Path, content: bytes) -> None:
    with open(open_private(file, os.O_WRONLY | os.O_EXCL), "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())


def _flush_folder(folder: Path) -> None:
    """Flush the names in a folder to disk, on platforms that can open folders."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
