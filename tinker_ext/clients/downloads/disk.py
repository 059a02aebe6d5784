"""File names chosen by a server, and errors of the disk, as download errors."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath

from tinker_ext.errors import DownloadError

#: `errno` of a full disk, and of an exhausted quota.
_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})


class UnsafeNameError(ValueError):
    """A name leads out of its folder."""


def safe_parts(name: str) -> tuple[str, ...]:
    """The segments of a relative path, on any system.

    Raises:
        UnsafeNameError: it is empty or absolute, or contains ``..``, a drive or a NUL character.
    """
    path, windows = PurePosixPath(name), PureWindowsPath(name)
    outside = ".." in (*path.parts, *windows.parts)
    if path.is_absolute() or windows.drive or windows.root or outside or "\0" in name:
        raise UnsafeNameError(f"{name!r} is outside the target folder")
    return path.parts


@contextmanager
def disk_errors(path: Path, progress: str = "") -> Iterator[None]:
    """Turn an OSError into a DownloadError about `path`; `progress` names the bytes kept."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _FULL:
            raise disk_full(path, f"{reason}; {progress}" if progress else reason) from None
        raise DownloadError(f"{path}: {reason}", path=str(path)) from None


def disk_full(path: Path, details: str) -> DownloadError:
    """The error of a disk without space for `path`."""
    return DownloadError(
        f"disk full: {path} can't be written ({details}); free some space and download again",
        path=str(path),
    )
