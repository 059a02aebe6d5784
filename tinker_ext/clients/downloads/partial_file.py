"""A file that is being downloaded: NAME.part, which a later download can resume; its lock, against
other downloads, also in other processes; safe file names, and errors of the disk."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from attrs import evolve

from tinker_ext.clients.downloads.transfer import on_thread
from tinker_ext.errors import DownloadError
from tinker_ext.private_files import lock_descriptor, make_private_folders, private_opener
from tinker_ext.transport.storage import Content, is_sendable

#: Suffixes of the bytes received so far, and of the description of their version.
PART, DESCRIPTION = ".part", ".part.json"
#: `errno` of a full disk, and of an exhausted quota.
_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
#: Suffix of the lock file. One that a killed process left behind is not locked.
LOCK = ".part.lock"


class PartialFile:
    """Collects the bytes of a file and moves it to its path when it is complete.

    Its methods block, so an event loop calls them on a worker thread, one at a time.

    Attributes:
        target: the file's final path.
        offset: the number of bytes received, from the start.
        content: the size, validator and digest of the whole file; None before the first response.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.part = target.with_name(target.name + PART)
        self._description = target.with_name(target.name + DESCRIPTION)
        self._file: IO[bytes] | None = None
        self.offset = 0
        self.content: Content | None = None
        self._resume()

    def _resume(self) -> None:
        """Continue an earlier download that has a validator, with which changes can be detected."""
        try:
            described = json.loads(self._description.read_bytes())
            size, validator = described["size"], described["validator"]
            if not isinstance(validator, str) or not is_sendable(validator):
                return
            self.offset = self.part.stat().st_size
        except (OSError, ValueError, KeyError, TypeError):
            return
        self.content = Content(0, size if isinstance(size, int) else None, validator)

    def fits(self, content: Content) -> bool:
        """Whether the bytes of a response belong to the same version of the file."""
        known = self.content
        if content.start == 0 or known is None:
            return True
        same_size = None in (known.size, content.size) or known.size == content.size
        # Without one in the response, the server has compared that of `If-Range`.
        validators = (known.validator, content.validator)
        same_validator = None in validators or known.validator == content.validator
        same_tag = None in (known.tag, content.tag) or known.tag == content.tag
        return same_size and same_validator and same_tag

    def open(self, content: Content) -> None:
        """Prepare to write the bytes of a response at its offset.

        Raises:
            DownloadError: the disk has no space for them, or the file can't be written.
        """
        if content.start == 0 or self.content is None:
            self.content = content
        else:
            digest, tag = content.digest or self.content.digest, self.content.tag or content.tag
            size = content.size if self.content.size is None else self.content.size
            self.content = evolve(self.content, size=size, digest=digest, tag=tag)
        self.offset = content.start
        with disk_errors(self.part):
            make_private_folders(self.part.parent)
            self._check_size()
            self._check_room()
            self._describe()
            flags = "r+b" if self.part.exists() else "xb"
            self._file = open(self.part, flags, opener=private_opener)  # noqa: SIM115  # see close
            self._file.seek(self.offset)
            self._file.truncate()

    def _size_on_disk(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _check_size(self, *, complete: bool = False) -> None:
        """Raise DownloadError if another program removed bytes, or changed a complete file."""
        size = self._size_on_disk()
        if size < self.offset or (complete and size > self.offset):
            raise DownloadError(
                f"{self.part} has {size} bytes, expected {self.offset}: another program changed it",
                path=str(self.part),
            )

    def _check_room(self) -> None:
        size = self.content.size if self.content is not None else None
        if size is None:
            return
        missing, free = size - self._size_on_disk(), shutil.disk_usage(self.part.parent).free
        if missing > free:
            raise disk_full(self.part, f"{missing} more bytes are needed, {free} are free")

    def _describe(self) -> None:
        if self.content is None or self.content.validator is None:
            self._description.unlink(missing_ok=True)
            return
        described = {"size": self.content.size, "validator": self.content.validator}
        with open(self._description, "w", encoding="utf-8", opener=private_opener) as file:
            json.dump(described, file)

    def write(self, piece: bytes) -> None:
        """Append bytes; on a full disk, those written before are kept.

        Raises:
            DownloadError: the disk is full, or the file can't be written.
        """
        assert self._file is not None
        with disk_errors(self.part, f"the first {self.offset} bytes are kept"):
            self._file.write(piece)
            self._file.flush()
        self.offset += len(piece)

    def close(self) -> None:
        """Stop writing; all bytes but those of a failed write are already on the disk."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):  # Closing writes those again, on a full disk.
                file.close()

    @property
    def missing(self) -> int:
        """The number of missing bytes; 0 if the size is unknown, negative if there are too many."""
        size = self.content.size if self.content is not None else None
        return 0 if size is None else size - self.offset

    def flaw(self) -> str | None:
        """Describes a wrong size or digest of a complete file; None if there is none."""
        content = self.content
        if self.missing < 0:
            return f"it has {self.offset} bytes, expected {self.offset + self.missing}"
        if content is None or content.digest is None:
            return None
        algorithm, expected = content.digest
        with disk_errors(self.part), self.part.open("rb") as file:
            digest = hashlib.file_digest(file, algorithm).digest()
        if digest == expected:
            return None
        return f"its {algorithm} is {digest.hex()}, expected {expected.hex()}"

    def discard(self) -> None:
        """Delete the received bytes and start again."""
        self.part.unlink(missing_ok=True)
        self._description.unlink(missing_ok=True)
        self.offset, self.content = 0, None

    def finish(self) -> None:
        """Move the complete file to its path.

        Raises:
            DownloadError: another program changed the file, or it can't be moved.
        """
        with disk_errors(self.target):
            self._check_size(complete=True)
            with self.part.open("rb") as file:
                os.fsync(file.fileno())
            self.part.replace(self.target)
            self._description.unlink(missing_ok=True)


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
