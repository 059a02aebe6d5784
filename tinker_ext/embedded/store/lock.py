"""One state folder, one server."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class FolderLock:
    """Held until released or the process ends, however it ends.

    Raises:
        RuntimeError: another process holds it.
    """

    def __init__(self, folder: Path) -> None:
        self._handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
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
