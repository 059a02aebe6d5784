"""Checkpoint folders: written whole or not at all.

A folder is filled under ``scratch``, flushed, and only then renamed to its place, so whatever has
a final name is complete. What it holds is a PEFT adapter, and for training the optimizer too:

* ``adapter_model.safetensors``: the adapter; its header says which base model and settings
* ``adapter_config.json``: the same settings as PEFT reads them
* ``optimizer.safetensors``: the optimizer's arrays; its header says the step (training only)
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

from tinker_ext.embedded.store.runs import LoraRecord
from tinker_ext.private_files import FOLDER_MODE, open_private, write_private

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    Arrays = Mapping[str, npt.NDArray[np.generic]]

logger = logging.getLogger("tinker_ext.embedded")

ADAPTER = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"
OPTIMIZER = "optimizer.safetensors"

# More than SQLite's shared memory (32 KiB) and the pages that a small transaction writes.
RESERVE_BYTES = 128 * 1024


@frozen
class Contents:
    """What a checkpoint holds.

    `optimizer` is None for weights that are only to be sampled; `step` counts optimizer steps.
    """

    base_model: str
    lora: LoraRecord
    adapter: Mapping[str, Any]
    optimizer: Mapping[str, Any] | None = None
    step: int = 0


class CheckpointFiles:
    """The folders of one state folder: ``checkpoints/RUN/KIND/NAME`` and ``samplers/ID``."""

    def __init__(self, state_dir: Path) -> None:
        self.root = state_dir
        self._scratch = state_dir / "scratch"
        self._reserve = state_dir / "reserve"
        self._scratch.mkdir(FOLDER_MODE, parents=True, exist_ok=True)

    def checkpoint(self, run_id: str, kind: str, name: str) -> Path:
        """Where a listed checkpoint lives. The colon of run ids is not a legal name everywhere."""
        return self.root / "checkpoints" / run_id.replace(":", "_") / kind / name

    def sampler(self, folder: str) -> Path:
        """Where unlisted weights of one sampling session live."""
        return self.root / "samplers" / folder

    def scratch_file(self, suffix: str) -> Path:
        """A name for a temporary file; whatever is left over goes at the next start."""
        return self._scratch / f"{uuid.uuid4().hex}{suffix}"

    def make_room(self) -> None:
        """Delete the reserve, and all temporary files, which a sudden end of a server leaves."""
        self._reserve.unlink(missing_ok=True)
        self._clear_scratch()

    def keep_reserve(self) -> None:
        """Set room aside with which the next start can open the database on a full disk."""
        try:
            # Random, so that no file system stores it in less.
            write_private(self._reserve, os.urandom(RESERVE_BYTES))
        except OSError:
            self._reserve.unlink(missing_ok=True)

    def _clear_scratch(self) -> None:
        for leftover in self._scratch.iterdir():
            _delete(leftover)

    def write(self, place: Path, contents: Contents, peft_config: Mapping[str, object]) -> int:
        """Write a checkpoint to `place`, instead of any other; returns its size in bytes."""
        with self.written(place, contents, peft_config) as size:
            return size

    @contextmanager
    def written(
        self, place: Path, contents: Contents, peft_config: Mapping[str, object]
    ) -> Iterator[int]:
        """Write a checkpoint to `place`, and have it stay if the block succeeds.

        If writing or the block fails, nothing of it is left, and `place` holds what it held before.
        """
        building, before = self.scratch_file(".checkpoint"), self.scratch_file(".before")
        try:
            building.mkdir(FOLDER_MODE)
            size = _fill(building, contents, peft_config)
            _make_folders(place.parent, self.root)
            with suppress(FileNotFoundError):
                os.rename(place, before)
            os.rename(building, place)
            _flush_folder(place.parent)
            yield size
        except BaseException:
            if not building.exists():
                self.remove(place)
            if before.exists():
                os.rename(before, place)
            raise
        finally:
            _delete(building)
            _delete(before)

    def read(self, place: Path, *, optimizer: bool) -> Contents:
        """Read a checkpoint back; with `optimizer`, its optimizer too where it has one."""
        adapter, settings = _read_arrays(place / ADAPTER)
        contents = Contents(
            base_model=settings["base_model"], lora=LoraRecord(**settings["lora"]), adapter=adapter
        )
        if not optimizer or not (place / OPTIMIZER).exists():
            return contents
        arrays, progress = _read_arrays(place / OPTIMIZER)
        return Contents(contents.base_model, contents.lora, adapter, arrays, progress["step"])

    def remove(self, place: Path) -> None:
        """Delete a folder: renamed first, so that nobody meets half of it."""
        doomed = self.scratch_file(".removed")
        try:
            os.rename(place, doomed)
        except FileNotFoundError:
            return
        shutil.rmtree(doomed, ignore_errors=True)

    def sweep(self, kept: Iterable[Path]) -> None:
        """Delete what no row knows: leftovers of a process that ended in the middle."""
        known = set(kept)
        self._clear_scratch()
        for pattern in ("checkpoints/*/*/*", "samplers/*"):
            for folder in self.root.glob(pattern):
                if folder not in known:
                    logger.info("deleting %s, which was never finished", folder)
                    _delete(folder)


def _fill(building: Path, contents: Contents, peft_config: Mapping[str, object]) -> int:
    """Write the files of a checkpoint; returns their size in bytes."""
    settings = {"base_model": contents.base_model, "lora": asdict(contents.lora)}
    _write_arrays(building / ADAPTER, contents.adapter, settings)
    _write_bytes(building / ADAPTER_CONFIG, json.dumps(peft_config, indent=2).encode())
    if contents.optimizer is not None:
        _write_arrays(building / OPTIMIZER, contents.optimizer, {"step": contents.step})
    _flush_folder(building)
    return sum(file.stat().st_size for file in building.iterdir())


def _make_folders(folder: Path, root: Path) -> None:
    """Make a folder below `root`, and those between; `mkdir` gives its mode to the last only."""
    missing = [folder, *folder.parents]
    for parent in reversed(missing[: missing.index(root)]):
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
    """Make names durable; a platform that cannot open folders does without."""
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
