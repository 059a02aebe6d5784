"""Checkpoints as they come and go: files and list together."""

from __future__ import annotations

import sqlite3
import time
import uuid
from typing import TYPE_CHECKING

from attrs import frozen

from tinker_ext.embedded.checkpoints.names import BadNameError, CheckpointName, checked_name
from tinker_ext.embedded.execution.answers import UserFailureError
from tinker_ext.embedded.store import CheckpointRecord

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tinker_ext.embedded.checkpoints.files import CheckpointFiles, Contents
    from tinker_ext.embedded.checkpoints.names import CheckpointKind
    from tinker_ext.embedded.store import CheckpointTable


@frozen
class SaveRequest:
    """How something is to be saved. `ttl_seconds` is None for good, `path` for any name."""

    path: str | None
    seq_id: int | None
    ttl_seconds: int | None = None
    overwrite: bool = False
    user_metadata: dict[str, str] | None = None

    @property
    def expires(self) -> float | None:
        """When, in seconds since the epoch."""
        return None if self.ttl_seconds is None else time.time() + self.ttl_seconds


@frozen
class Saving:
    """Writes, copies and removes checkpoints. Files first, then the row: what is listed is whole.

    Safe to use from any thread, as table and files are.
    """

    checkpoints: CheckpointTable
    files: CheckpointFiles

    def place(self, name: CheckpointName) -> Path:
        """Where a checkpoint lives."""
        return self.files.checkpoint(name.run_id, name.kind, name.name)

    def free_name(self, run_id: str, kind: CheckpointKind, wish: SaveRequest) -> CheckpointName:
        """The name asked for, or one made from the number; one that is taken only by overwriting.

        Raises:
            UserFailureError: it is taken, or no name at all.
        """
        self.sweep_expired()
        number = uuid.uuid4().hex[:8] if wish.seq_id is None else f"{wish.seq_id:06d}"
        try:
            text = checked_name(f"checkpoint-{number}" if wish.path is None else wish.path)
        except BadNameError as error:
            raise UserFailureError(f"path: {error}") from None
        name = CheckpointName(run_id, kind, text)
        if not wish.overwrite and self.checkpoints.get(name) is not None:
            raise UserFailureError(
                f"path: {name.path} exists; take another name, or delete it before"
            )
        return name

    def save(self, name: CheckpointName, contents: Contents, wish: SaveRequest) -> int:
        """Write and list a checkpoint; returns its size in bytes.

        With `overwrite`, it replaces one of the same name. If it can't be written or listed,
        nothing of it remains, and the previous one stays.
        """
        place, config = self.place(name), peft_config_of(contents)
        with self.files.written(place, contents, config) as size:
            self._list(name, size, wish)
        return size

    def copy(self, source: CheckpointRecord, name: CheckpointName, wish: SaveRequest) -> None:
        """List the same weights once more, under another name."""
        contents = self.files.read(self.place(source.name), optimizer=True)
        self.save(name, contents, wish)

    def remove(self, name: CheckpointName) -> None:
        """Off the list, then off the disk; the next start completes a removal that was cut off.

        On a full disk the list can't be changed before the files have made room for it.
        """
        try:
            removed = self.checkpoints.remove(name)
        except sqlite3.Error:
            if self.checkpoints.get(name) is None:
                raise
            self.files.remove(self.place(name))
            removed = self.checkpoints.remove(name)
        if removed:
            self.files.remove(self.place(name))

    def sweep_expired(self) -> None:
        """Remove the checkpoints whose time is up."""
        for record in self.checkpoints.expired():
            self.remove(record.name)

    def _list(self, name: CheckpointName, size: int, wish: SaveRequest) -> None:
        self.checkpoints.add(
            CheckpointRecord(
                name,
                time.time(),
                size,
                expires=wish.expires,
                user_metadata=wish.user_metadata,
            ),
            replace=wish.overwrite,
        )


def peft_config_of(contents: Contents) -> Mapping[str, object]:
    """How PEFT describes an adapter of these contents."""
    from tinker_ext.embedded.engine.lora import peft_config
    from tinker_ext.embedded.execution.base_models import base_model, settings_of

    base = base_model(contents.base_model)
    return peft_config(contents.base_model, settings_of(contents.lora), base.shape)
