"""The state folder: readable by its owner only, and used by one server at a time."""

from __future__ import annotations

import logging
import os
import stat
import sys
from typing import TYPE_CHECKING

from tinker_ext.private_files import make_private, make_private_folder, open_private

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger("tinker_ext.embedded")

# Files that servers, and the processes that start them, create in a state folder.
OWN_NAMES = frozenset(
    {
        "checkpoints",
        "embedded.log",
        "key",
        "lock",
        "reserve",
        "samplers",
        "scratch",
        "state.sqlite3",
        "state.sqlite3-shm",
        "state.sqlite3-wal",
    }
)


def make_state_folder(folder: Path) -> None:
    """Create the folder with mode 0700, and make the files of an earlier release private.

    A folder that contains anything else (such as a home folder) or that all users may write to
    (``/tmp``) keeps its mode; the server's own files in it are private in any case.

    Raises:
        OSError: the folder can't be created, or is not a folder.
    """
    make_private_folder(folder)
    present = {entry.name for entry in folder.iterdir()}
    try:
        for name in present & OWN_NAMES:
            make_private(folder / name)
            if (folder / name).is_dir():
                for path in (folder / name).rglob("*"):
                    make_private(path)
        if present <= OWN_NAMES and not folder.stat().st_mode & stat.S_ISVTX:
            make_private(folder)
    except OSError as error:  # owned by another user, or a file system without modes
        logger.warning("%s may be readable by other users: %s", folder, error)


class FolderLock:
    """A lock on the folder, held until `release` or until the process ends for any reason.

    Raises:
        RuntimeError: another process holds the lock, or the folder can't be written to.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._handle = open_private(folder / "lock", os.O_RDWR)
        except OSError as error:
            raise RuntimeError(
                f"{folder} can't be written to ({error.strerror}): choose another state folder"
            ) from error
        # Windows has no flock; there the user must not start two servers on one folder.
        if sys.platform != "win32":
            import fcntl

            try:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(self._handle)
                raise RuntimeError(
                    f"{folder} is in use by another embedded backend: stop that backend, "
                    "or choose another state folder"
                ) from None

    def release(self) -> None:
        """Allow other servers to use the folder."""
        os.close(self._handle)
