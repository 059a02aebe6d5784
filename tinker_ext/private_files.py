"""Files and folders that only their owner can read, regardless of the umask, and file locks.

One such file has the random key of a private embedded backend. The process that starts the backend
generates the key. The backend writes it into its state folder, where clients that were unpickled or
created from a sampler handle read it: a pickle holds the path of the file instead of the key.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
import sys
from pathlib import Path

from tinker_ext.redaction.secret import Secret

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

FILE_MODE = 0o600
FOLDER_MODE = 0o700

#: Permission bits of the group and of other users.
_SHARED = 0o077


def open_private(path: Path, flags: int) -> int:
    """Open a file for writing, with mode 0600 if it is created; returns its descriptor.

    The mode of a file that exists is left alone: it may be a device or a pipe.

    Raises:
        OSError: as `os.open`.
    """
    try:
        created = os.open(path, flags | os.O_CREAT | os.O_EXCL, FILE_MODE)
    except FileExistsError:
        return os.open(path, flags | os.O_CREAT, FILE_MODE)
    if sys.platform != "win32":
        os.fchmod(created, FILE_MODE)  # The umask may remove the owner's bits, too.
    return created


def private_opener(path: str, flags: int) -> int:
    """An `opener` for `open`: mode 0600, and no symbolic link is followed."""
    descriptor = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), FILE_MODE)
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, FILE_MODE)  # The file may have existed.
    return descriptor


def write_private(path: Path, content: bytes) -> None:
    """Replace a file with one of mode 0600."""
    path.unlink(missing_ok=True)
    with open(open_private(path, os.O_WRONLY), "wb") as file:
        file.write(content)


def make_private_folder(folder: Path) -> None:
    """Create a folder with mode 0700, its parents with the usual mode; an existing one is kept."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir(FOLDER_MODE)
    except FileExistsError:
        if not folder.is_dir():
            raise
    else:
        folder.chmod(FOLDER_MODE)


def make_private_folders(folder: Path) -> int:
    """Create a folder and its missing parents with mode 0700; returns how many were created."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(FOLDER_MODE, exist_ok=True)
    return len(missing)


def unusable(error: OSError) -> str:
    """The reason why `make_private_folder` failed, for a message that names the folder."""
    if isinstance(error, FileExistsError | NotADirectoryError):
        return "its path, or a parent of it, is a file"
    return error.strerror or str(error)


def make_private(path: Path) -> None:
    """Remove all permissions of other users on a file or folder; links are left alone."""
    mode = path.lstat().st_mode
    if mode & _SHARED and (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        path.chmod(stat.S_IMODE(mode) & ~_SHARED)


def is_shared(path: Path) -> bool:
    """Whether users other than the owner may read or write a file; False if there is none."""
    try:
        return sys.platform != "win32" and bool(path.stat().st_mode & _SHARED)
    except OSError:
        return False


def lock_descriptor(descriptor: int) -> None:
    """Lock an open file until it is closed; does nothing if the file system has no locks.

    Raises:
        BlockingIOError, PermissionError: it is locked already.
    """
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        raise
    except OSError:
        return


BACKEND_KEY_FILE = "key"

# Strict, so that a path from a foreign pickle can't have any other file sent to a server.
_KEY = re.compile(r"embedded-[A-Za-z0-9_-]{43}")


def new_backend_key() -> Secret:
    """A key that can't be guessed: 256 random bits."""
    return Secret(f"embedded-{secrets.token_urlsafe(32)}")


def write_backend_key(state_dir: Path, key: Secret) -> None:
    """Write the key into a state folder, for the owner's other processes."""
    write_private(state_dir / BACKEND_KEY_FILE, key.reveal().encode())


def read_backend_key(file: Path) -> Secret | None:
    """The key in a file, or None if the file is gone or holds anything else."""
    try:
        text = file.read_text(encoding="ascii")
    except (OSError, ValueError):
        return None
    return Secret(text) if _KEY.fullmatch(text) else None
