"""The progress and the result of a download."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import frozen

if TYPE_CHECKING:
    from pathlib import Path


@frozen
class DownloadProgress:
    """How far a download has come.

    Attributes:
        stage: "preparing" while the server packs an archive or exports weights, then "downloading".
        bytes_done: bytes on disk, those of an earlier download that is resumed included.
        bytes_total: the size of all files; None until the storage has announced each.
        files_done, files_total: complete files and all files; 0 of 0 while preparing.
        elapsed: seconds since the call.
    """

    stage: Literal["preparing", "downloading"]
    bytes_done: int
    bytes_total: int | None
    files_done: int
    files_total: int
    elapsed: float


@frozen
class CheckpointDownload:
    """What a download has saved.

    Attributes:
        tinker_path: the checkpoint.
        archive: the tar.gz, if the server packs archives; None otherwise.
        folder: the folder of the files; None for an archive that was not extracted.
        files: the files in `folder`, or the archive alone.
        size_bytes: of the downloaded files.
    """

    tinker_path: str
    archive: Path | None
    folder: Path | None
    files: tuple[Path, ...]
    size_bytes: int
