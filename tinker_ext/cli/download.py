"""Shared by commands that download: settings, progress, and the check for existing files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinker_ext.cli.error_reporting import CommandError
from tinker_ext.cli.progress import ProgressLine

if TYPE_CHECKING:
    from tinker_ext.types import DownloadProgress

#: Seconds of attempts without progress. Longer than the window of other commands because storage
#: and networks pause for longer.
RETRY_WINDOW = 60.0


def download_settings(archive_timeout: float | None) -> dict[str, Any]:
    """Client settings for a download."""
    return {"retry_window": RETRY_WINDOW, "archive_timeout": archive_timeout}


def check_target(path: str, output: Path, *, extract: bool, force: bool) -> None:
    """Raise an error, before any request, if the target exists and `force` is not set."""
    from tinker_ext.clients.downloads.download import target_of
    from tinker_ext.errors import DownloadError

    try:
        target_of(path, output, extract=extract, overwrite=force)
    except DownloadError as error:
        raise CommandError(f"{error.path} already exists; pass --force to replace it") from None


@contextmanager
def show_progress(label: str) -> Iterator[Callable[[DownloadProgress], None]]:
    """Show a progress line; yields a thread-safe function that reports progress."""
    with ProgressLine(label, unit="bytes") as line:

        def update(progress: DownloadProgress) -> None:
            if progress.stage == "preparing":
                message = f"waiting for the server to prepare {label} ({progress.elapsed:.0f} s)"
                line.update(0, None, message)
            else:
                line.update(progress.bytes_done, progress.bytes_total)

        yield update
