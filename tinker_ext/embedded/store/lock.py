"""One state folder, one server."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from tinker_ext.private_files import open_private

if TYPE_CHECKING:
    from pathlib import Path


class FolderLock:
    """Held until released or the process ends, however it ends.

    Raises:
        RuntimeError: another process holds it, or the folder can't be written to.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._handle = open_private(folder / "lock", os.O_RDWR)
        except OSError as error:
            raise RuntimeError(
                f"{folder} can't be written to ({error.strerror}): choose another state folder"
            ) from error
        # Windows has no flock; there the folder's owner has to take care.
        if sys.platform != "win32":
            import fcntl

            try:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(self._handle)
                raise RuntimeError(
                    f"{folder} is in use by another embedded server: stop that one, "
                    "or choose another state folder"
                ) from None

    def release(self) -> None:
        """Let others have the folder."""
        os.close(self._handle)
