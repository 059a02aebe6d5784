"""Shared by the commands that download: settings, progress, and the check for existing files."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tinker_ext.cli.error_reporting import CommandError
from tinker_ext.cli.progress import ProgressLine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tinker_ext.types import DownloadProgress

#: Seconds of attempts without progress. Ours: storage and networks have longer pauses than a person
#: at a prompt gives a wrong address.
RETRY_WINDOW = 60.0


def download_settings(archive_timeout: float | None) -> dict[str, Any]:
    """The settings of a client that downloads."""
    return {"retry_window": RETRY_WINDOW, "archive_timeout": archive_timeout}


def check_target(path: str, output: Path, *, extract: bool, force: bool) -> None:
    """Refuse to replace what is there already, before anything is sent."""
    from tinker_ext.clients.downloads.download import target_of
    from tinker_ext.errors import DownloadError

    try:
        target_of(path, output, extract=extract, overwrite=force)
    except DownloadError as error:
        raise CommandError(f"{error} --force replaces it.") from None


@contextmanager
def show_progress(label: str) -> Iterator[Callable[[DownloadProgress], None]]:
    """Show a download as a line; the function is called with its progress, from any thread."""
    with ProgressLine(label, unit="bytes") as line:

        def update(progress: DownloadProgress) -> None:
            if progress.stage == "preparing":
                waited = f"waiting for the server to prepare {label} ({progress.elapsed:.0f} s)"
                line.update(0, None, waited)
            else:
                line.update(progress.bytes_done, progress.bytes_total)

        yield update
