"""Saves and deletes checkpoints, in the files and in the table."""

from __future__ import annotations

import sqlite3
import time
import uuid
from typing import TYPE_CHECKING

from attrs import frozen

from tinker_ext.embedded.checkpoints.names import BadNameError, CheckpointName, check_name
from tinker_ext.embedded.errors import UserFailureError
from tinker_ext.embedded.store import CheckpointRecord

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tinker_ext.embedded.checkpoints.encryption import Encryption
    from tinker_ext.embedded.checkpoints.files import CheckpointContents, CheckpointFiles
    from tinker_ext.embedded.checkpoints.names import CheckpointKind
    from tinker_ext.embedded.store import CheckpointTable


@frozen
class SaveRequest:
    """How to save a checkpoint.

    `ttl_seconds` None means forever, `path` None a generated name, `encryption` None plain files.
    """

    path: str | None
    seq_id: int | None
    ttl_seconds: int | None = None
    overwrite: bool = False
    user_metadata: dict[str, str] | None = None
    encryption: Encryption | None = None

    @property
    def expires(self) -> float | None:
        """When the checkpoint expires, in seconds since the epoch."""
        return None if self.ttl_seconds is None else time.time() + self.ttl_seconds


@frozen
class CheckpointSaver:
    """Writes, copies and removes checkpoints.

    Files are written before the row is inserted, so that a listed checkpoint is complete.
    Thread-safe, as the table and the files are.
    """

    checkpoints: CheckpointTable
    files: CheckpointFiles

    def folder(self, name: CheckpointName) -> Path:
        """The folder of a checkpoint."""
        return self.files.checkpoint(name.run_id, name.kind, name.name)

    def choose_name(
        self, run_id: str, kind: CheckpointKind, request: SaveRequest
    ) -> CheckpointName:
        """The requested name, or one generated from the sequence number.

        Raises:
            UserFailureError: the name is invalid, or it exists and the request doesn't overwrite.
        """
        self.remove_expired()
        number = uuid.uuid4().hex[:8] if request.seq_id is None else f"{request.seq_id:06d}"
        try:
            text = check_name(f"checkpoint-{number}" if request.path is None else request.path)
        except BadNameError as error:
            raise UserFailureError(f"path: {error}") from None
        name = CheckpointName(run_id, kind, text)
        if not request.overwrite and self.checkpoints.get(name) is not None:
            raise UserFailureError(
                f"path: {name.path} exists; choose another name, or delete it first"
            )
        return name

    def save(self, name: CheckpointName, contents: CheckpointContents, request: SaveRequest) -> int:
        """Write and list a checkpoint; returns its size in bytes.

        With `overwrite`, it replaces a checkpoint of the same name. If it can't be written or
        listed, its files are removed, and a previous checkpoint stays.
        """
        config = peft_config_of(contents)
        folder = self.folder(name)
        with self.files.writing(folder, contents, config, request.encryption) as size:
            self._list(name, size, request)
        return size

    def copy(self, source: CheckpointRecord, name: CheckpointName, request: SaveRequest) -> None:
        """Save the same weights under another name."""
        contents = self.files.read(self.folder(source.name), optimizer=True)
        self.save(name, contents, request)

    def remove(self, name: CheckpointName) -> None:
        """Delete the row, then the files; the next start completes an interrupted removal.

        On a full disk the files are deleted first, because the row can't be deleted without space.
        """
        try:
            removed = self.checkpoints.remove(name)
        except sqlite3.Error:
            if self.checkpoints.get(name) is None:
                raise
            self.files.remove(self.folder(name))
            removed = self.checkpoints.remove(name)
        if removed:
            self.files.remove(self.folder(name))

    def remove_expired(self) -> None:
        """Remove the expired checkpoints."""
        for record in self.checkpoints.expired():
            self.remove(record.name)

    def _list(self, name: CheckpointName, size: int, request: SaveRequest) -> None:
        self.checkpoints.add(
            CheckpointRecord(
                name,
                time.time(),
                size,
                expires=request.expires,
                user_metadata=request.user_metadata,
            ),
            replace=request.overwrite,
        )


def peft_config_of(contents: CheckpointContents) -> Mapping[str, object]:
    """The content of PEFT's `adapter_config.json`."""
    from tinker_ext.embedded.engine.lora import peft_config
    from tinker_ext.embedded.execution.base_models import base_model, lora_settings

    base = base_model(contents.base_model)
    return peft_config(contents.base_model, lora_settings(contents.lora), base.shape)
