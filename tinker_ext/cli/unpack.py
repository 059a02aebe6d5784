"""Unpacking a checkpoint's archive, which anybody may have made: files only, in one folder."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath

from tinker_ext.cli.problems import CommandError

#: Files of one archive; a checkpoint has a handful.
MOST_FILES = 10_000


def unpack(archive: Path, folder: Path) -> int:
    """Unpack a tar archive into `folder`, which must not exist; the number of files.

    Whole, or not at all. An archive with a link, a device, a name that leads out of the folder or
    a name twice is refused, and so is one of too many files, or of more than there is room for.
    """
    if folder.exists():
        raise CommandError(f"{folder} is already there.")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unpacking-") as temporary:
        place = Path(temporary) / "files"
        place.mkdir()
        try:
            with tarfile.open(archive) as tar:
                count = _unpack_all(tar, place)
        except (tarfile.TarError, EOFError, zlib.error, OSError, UnicodeError) as error:
            raise CommandError(f"{archive} can't be unpacked: {error}") from error
        place.rename(folder)
    return count


def _unpack_all(tar: tarfile.TarFile, place: Path) -> int:
    count, room = 0, shutil.disk_usage(place).free
    for member in tar:
        target = place.joinpath(*_parts(member.name))
        if member.isdir():
            target.mkdir(parents=True, exist_ok=True)
            continue
        content = tar.extractfile(member) if member.isreg() else None
        if content is None:
            raise tarfile.TarError(f"{member.name!r} is no plain file")
        count, room = count + 1, room - member.size
        if count > MOST_FILES:
            raise tarfile.TarError(f"it has more than {MOST_FILES} files")
        if room < 0:
            raise tarfile.TarError("it unfolds to more than there is room for")
        target.parent.mkdir(parents=True, exist_ok=True)
        with content, target.open("xb") as file:
            shutil.copyfileobj(content, file)
    return count


def _parts(name: str) -> tuple[str, ...]:
    """The steps of a name inside a folder, on any system."""
    path, windows = PurePosixPath(name), PureWindowsPath(name)
    if path.is_absolute() or windows.drive or windows.root or ".." in (*path.parts, *windows.parts):
        raise tarfile.TarError(f"{name!r} leads out of the folder")
    return path.parts
