"""Files and folders that only their owner can read, and their errors."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from tinker_ext.errors import DownloadError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FILE_MODE, _FOLDER_MODE = 0o600, 0o700
#: `errno` of a full disk, and of a quota that is used up.
_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})


class UnsafeNameError(ValueError):
    """A name that leads out of its folder."""


def private_opener(path: str, flags: int) -> int:
    """An `opener` for `open`: mode 0600, and no symbolic link is followed."""
    descriptor = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), _FILE_MODE)
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, _FILE_MODE)  # It may have been there before.
    return descriptor


def make_folders(folder: Path) -> int:
    """Make a folder and its missing parents with mode 0700; returns how many were made."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(_FOLDER_MODE, exist_ok=True)
    return len(missing)


def safe_parts(name: str) -> tuple[str, ...]:
    """The segments of a relative path, on any system.

    Raises:
        UnsafeNameError: it is empty or absolute, or contains ``..``, a drive or a NUL character.
    """
    path, windows = PurePosixPath(name), PureWindowsPath(name)
    outside = ".." in (*path.parts, *windows.parts)
    if path.is_absolute() or windows.drive or windows.root or outside or "\0" in name:
        raise UnsafeNameError(f"{name!r} leads out of the folder")
    return path.parts


@contextmanager
def disk_errors(path: Path, kept: str = "") -> Iterator[None]:
    """Turn an OSError into a DownloadError about `path`; `kept` says what is left of the work."""
    try:
        yield
    except OSError as error:
        words = error.strerror or str(error)
        if error.errno in _FULL:
            raise disk_full(path, f"{words}; {kept}" if kept else words) from None
        raise DownloadError(f"{path}: {words}", path=str(path)) from None


def disk_full(path: Path, details: str) -> DownloadError:
    """The error of a disk without room for `path`."""
    return DownloadError(
        f"disk full: {path} can't be written ({details}); free some space and download again",
        path=str(path),
    )
