"""The progress and the result of a download."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from attrs import frozen

from tinker_ext.types.records import Record


@frozen
class DownloadProgress(Record):
    """The progress of a download.

    Attributes:
        stage: "preparing" while the server packs an archive or exports weights, then "downloading".
        bytes_done: bytes on disk, including those of an earlier download that is resumed.
        bytes_total: the size of all files; None until the storage has reported every size.
        files_done, files_total: complete files and all files; 0 of 0 while preparing.
        elapsed: seconds since the call started.
    """

    stage: Literal["preparing", "downloading"]
    bytes_done: int
    bytes_total: int | None
    files_done: int
    files_total: int
    elapsed: float


@frozen
class CheckpointDownload(Record):
    """A finished download.

    Attributes:
        tinker_path: the checkpoint.
        archive: the tar.gz file if the server packs archives, else None.
        folder: the folder that contains the files; None if the archive was not extracted.
        files: the files in `folder`, or only the archive.
        size_bytes: the size of the downloaded files.
    """

    tinker_path: str
    archive: Path | None
    folder: Path | None
    files: tuple[Path, ...]
    size_bytes: int
