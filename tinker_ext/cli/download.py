"""Saving a checkpoint's archive: a plain download from the signed URL the API gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_ext.cli.problems import CommandError
from tinker_ext.cli.progress import ProgressLine

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

#: Seconds without a byte after which a download has failed. No bound on the whole: archives differ.
SILENCE = 60.0
CHUNK = 1 << 20
#: The archive is compressed already, and an encoding on top would end up in the file.
_AS_IT_IS = {"Accept-Encoding": "identity"}


def archive_name(tinker_path: str) -> str:
    """The file name for a checkpoint's archive: RUN_weights_NAME.tar.gz.

    The parts come from the path, so whatever could leave the folder is replaced.
    """
    parts = tinker_path.partition("://")[2].split("/")
    return file_name(*parts) + ".tar.gz"


def file_name(*parts: str) -> str:
    """The parts as one name, without what means something to a file system."""
    safe = ("".join(c if c.isalnum() or c in "-_." else "-" for c in part) for part in parts)
    return "_".join(safe).lstrip(".")


def save_archive(url: str, target: Path) -> int:
    """Download `url` to `target` and return the number of bytes; whole, or not at all.

    The URL is its own permission: it is fetched without the API key, which belongs to the API
    only and not to whatever storage the URL leads to.
    """
    import httpx

    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.part")
    try:
        with httpx.stream(
            "GET", url, headers=_AS_IT_IS, follow_redirects=True, timeout=SILENCE
        ) as response:
            if response.is_error:
                raise CommandError(
                    f"The storage answered {response.status_code} {response.reason_phrase}; "
                    "the link lasts minutes only, so run the command again."
                )
            count = _write(response, partial)
        partial.replace(target)
    except httpx.HTTPError as error:
        raise CommandError(f"The download broke off ({error}); run the command again.") from error
    finally:
        partial.unlink(missing_ok=True)
    return count


def _write(response: httpx.Response, partial: Path) -> int:
    length = response.headers.get("content-length")
    total = int(length) if length and length.isdecimal() else None
    count = 0
    with partial.open("wb") as file, ProgressLine(partial.stem, unit="bytes") as progress:
        for piece in response.iter_raw(CHUNK):
            file.write(piece)
            count += len(piece)
            progress.update(count, total)
    return count
