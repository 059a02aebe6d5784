"""A lock on the target of a download, against other downloads, also in other processes."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tinker_ext.clients.downloads.disk import disk_errors
from tinker_ext.clients.downloads.transfer import on_thread
from tinker_ext.errors import DownloadError
from tinker_ext.private_files import lock_descriptor, make_private_folders, private_opener

#: Suffix of the lock file. One that a killed process left behind is not locked.
LOCK = ".part.lock"


@asynccontextmanager
async def locked(target: Path) -> AsyncIterator[None]:
    """Hold the lock on `target` within the context.

    Raises:
        DownloadError: another download holds it, or the lock file can't be created.
    """
    lock = _Lock(target)
    try:
        await on_thread(_Lock.acquire, lock)
        yield
    finally:
        lock.release()


class _Lock:
    def __init__(self, target: Path) -> None:
        self._target = target
        self._path = target.with_name(target.name + LOCK)
        self._descriptor: int | None = None

    def acquire(self) -> None:
        with disk_errors(self._path):
            make_private_folders(self._path.parent)
            while self._descriptor is None:
                descriptor = private_opener(str(self._path), os.O_RDWR | os.O_CREAT)
                try:
                    lock_descriptor(descriptor)
                    if self._is_current(descriptor):
                        self._descriptor = descriptor
                except (BlockingIOError, PermissionError):
                    raise DownloadError(
                        f"another download writes to {self._target}", path=str(self._target)
                    ) from None
                finally:
                    if self._descriptor is None:
                        os.close(descriptor)

    def _is_current(self, descriptor: int) -> bool:
        """Whether the path still is the open file: its last owner may have deleted it."""
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.lstat())
        except FileNotFoundError:
            return False

    def release(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        if sys.platform == "win32":  # It can't delete an open file.
            os.close(descriptor)
        with suppress(OSError):
            self._path.unlink()
        if sys.platform != "win32":
            os.close(descriptor)
