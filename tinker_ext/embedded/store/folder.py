"""The state folder: only its owner can look into it."""

from __future__ import annotations

import logging
import stat
from typing import TYPE_CHECKING

from tinker_ext.private_files import make_private, make_private_folder

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger("tinker_ext.embedded")

# What servers, and the processes that start them, put into a state folder.
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
    """Make the folder with mode 0700, and take what an earlier release left from other users.

    A folder that holds anything else (a home folder, say) or that all users may write to (``/tmp``)
    keeps its mode; what the server has in it is private all the same.

    Raises:
        OSError: it can't be made, or is not a folder.
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
    except OSError as error:  # another owner's, or a file system without modes
        logger.warning("%s may be readable by other users: %s", folder, error)
