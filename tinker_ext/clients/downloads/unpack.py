"""Unpacks the untrusted archive of a checkpoint: only plain files, inside one new folder."""

from __future__ import annotations

import gzip
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import IO, cast

from attrs import define

from tinker_ext.clients.downloads.partial_file import UnsafeNameError, disk_errors, safe_parts
from tinker_ext.errors import DownloadError
from tinker_ext.private_files import make_private_folders, private_opener

#: Files and folders of one archive, including the parents in a path. A checkpoint has a handful.
MAX_ENTRIES = 10_000
#: Bytes of one file and of all files. Ours: far more than any checkpoint has.
MAX_FILE_BYTES = 1 << 40
MAX_TOTAL_BYTES = 4 << 40
#: Bytes read to find one entry, and bytes of all headers beyond the usual three blocks. Parsing
#: long headers takes quadratic time in Python before 3.11.10 and 3.12.6 (CVE-2024-6232). A path
#: has at most 4096 bytes.
MAX_HEADER_BYTES = 10_240
MAX_LONG_HEADERS_BYTES = 65_536
#: Trailing zero bytes; GNU tar writes records of 10 KiB, other programs up to 512 KiB.
MAX_TRAILER_BYTES = 1 << 20
_USUAL_HEADER_BYTES = 3 * tarfile.BLOCKSIZE

_GZIP_MAGIC = b"\x1f\x8b"


def unpack(archive: Path, folder: Path) -> list[Path]:
    """Unpack a tar or tar.gz into `folder`, which must not exist; returns the files' paths.

    Unpacks everything or nothing. Rejects an archive with a link, a device, a sparse file, a name
    that leads out of the folder, a duplicate name, too many entries, too long headers, or more
    bytes than the disk has space for.

    Raises:
        DownloadError: it was rejected, is damaged, or can't be written.
    """
    if folder.exists():
        raise DownloadError(f"{folder} already exists", path=str(folder))
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unpacking-") as temporary:
        unpacked = Path(temporary) / "files"
        unpacked.mkdir(0o700)
        try:
            with disk_errors(folder), _open(archive) as stream:
                names = _Unpacking(unpacked, stream).run()
        except DownloadError as error:
            raise _unpack_error(archive, error) from None
        except (tarfile.TarError, EOFError, zlib.error, ValueError, RecursionError) as error:
            raise _unpack_error(archive, error) from None
        unpacked.rename(folder)
    return [folder.joinpath(*name) for name in names]


def _unpack_error(archive: Path, error: Exception) -> DownloadError:
    return DownloadError(f"{archive} can't be unpacked: {error}", path=str(archive))


def _open(archive: Path) -> IO[bytes]:
    with archive.open("rb") as file:
        compressed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    return cast("IO[bytes]", gzip.open(archive)) if compressed else archive.open("rb")


@define(eq=False)
class _Metered:
    """A stream that limits how many bytes tarfile reads to find the next entry."""

    stream: IO[bytes]
    #: Bytes that may be read; None (no limit) while reading the contents of an entry.
    allowed: int | None = MAX_HEADER_BYTES
    long_headers: int = 0

    def read(self, size: int = -1) -> bytes:
        if self.allowed is not None:
            if size < 0 or size > self.allowed:
                raise tarfile.TarError(
                    f"an entry has a header of more than {MAX_HEADER_BYTES} bytes"
                )
            self.allowed -= size
        return self.stream.read(size)

    def seek(self, position: int) -> int:
        return self.stream.seek(position)

    def tell(self) -> int:
        return self.stream.tell()

    def next_entry(self) -> None:
        """Allow the bytes of the next header."""
        used = MAX_HEADER_BYTES - (self.allowed or 0)
        if self.allowed is not None:
            self.long_headers += max(0, used - _USUAL_HEADER_BYTES)
        if self.long_headers > MAX_LONG_HEADERS_BYTES:
            raise tarfile.TarError(f"the headers exceed {MAX_LONG_HEADERS_BYTES} bytes")
        self.allowed = MAX_HEADER_BYTES


class _Unpacking:
    """One archive being unpacked into `folder`."""

    def __init__(self, folder: Path, stream: IO[bytes]) -> None:
        self._folder = folder
        self._stream = _Metered(stream)
        self._entries = 0
        self._bytes = 0
        self._free = shutil.disk_usage(folder).free

    def run(self) -> list[tuple[str, ...]]:
        """Unpack; returns the names of the files, as segments."""
        names = []
        with tarfile.open(fileobj=cast("IO[bytes]", self._stream), mode="r:") as tar:
            while (member := tar.next()) is not None:
                self._stream.next_entry()
                self._count(1)
                name = _name(member)
                target = self._folder.joinpath(*name)
                if member.isdir():
                    self._make_folders(target)
                    continue
                self._check(member)
                self._make_folders(target.parent)
                self._write(tar, member, target)
                names.append(name)
            self._check_end(tar.offset)
        return names

    def _check(self, member: tarfile.TarInfo) -> None:
        if not member.isreg() or member.issparse():
            raise tarfile.TarError(
                f"{member.name!r} is a link, device or sparse file, which is not allowed"
            )
        self._bytes += member.size
        if self._bytes > self._free:
            raise tarfile.TarError(f"the contents exceed the free disk space of {self._free} bytes")
        if member.size > MAX_FILE_BYTES or self._bytes > MAX_TOTAL_BYTES:
            raise tarfile.TarError(
                f"the contents exceed {MAX_TOTAL_BYTES} bytes, or one file exceeds "
                f"{MAX_FILE_BYTES} bytes"
            )

    def _make_folders(self, folder: Path) -> None:
        self._count(make_private_folders(folder))

    def _count(self, entries: int) -> None:
        self._entries += entries
        if self._entries > MAX_ENTRIES:
            raise tarfile.TarError(f"the archive has more than {MAX_ENTRIES} files and folders")

    def _check_end(self, offset: int) -> None:
        """Require only zeros here: tarfile takes a damaged header for the end of the archive."""
        self._stream.seek(offset)
        rest = self._stream.stream.read(MAX_TRAILER_BYTES + 1)
        if len(rest) > MAX_TRAILER_BYTES or rest.strip(b"\0"):
            raise tarfile.TarError(f"the archive is damaged at byte {offset}")

    def _write(self, tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
        content = tar.extractfile(member)
        assert content is not None
        self._stream.allowed = None
        with content, open(target, "xb", opener=private_opener) as file:
            shutil.copyfileobj(content, file)
        self._stream.allowed = MAX_HEADER_BYTES


def _name(member: tarfile.TarInfo) -> tuple[str, ...]:
    try:
        return safe_parts(member.name)
    except UnsafeNameError as error:
        raise tarfile.TarError(str(error)) from None
