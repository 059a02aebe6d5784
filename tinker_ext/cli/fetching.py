"""Fetches paginated lists and files, and shows progress on standard error.

Standard output is for results only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, Self, TypeVar

from tinker_ext.cli.error_reporting import CommandError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from tinker_ext.types import DownloadProgress


class ProgressLine:
    """A live progress line that appears at the first `update` and is removed at the end.

    If `update` is never called, nothing is shown or imported. Nothing is shown if standard error
    is not a terminal.
    """

    def __init__(self, label: str, unit: Literal["items", "bytes"] = "items") -> None:
        from tinker_ext.redaction.redactor import printable

        self._label = printable(label)
        self._unit = unit
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def update(self, done: float, total: float | None, label: str | None = None) -> None:
        """Report progress; `total` is None if it is unknown."""
        progress = self._progress or self._start()
        assert self._task is not None
        progress.update(self._task, completed=done, total=total, description=label or self._label)

    def _start(self) -> Progress:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        console = Console(stderr=True)
        counts = (
            (DownloadColumn(), TransferSpeedColumn())
            if self._unit == "bytes"
            else (MofNCompleteColumn(),)
        )
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            *counts,
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(self._label, total=None)
        self._progress.start()
        return self._progress

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()


Item = TypeVar("Item")


class Page(NamedTuple, Generic[Item]):
    """The items of one page, and the total count, or None if the server does not report it."""

    items: Sequence[Item]
    total: int | None


class Listing(NamedTuple, Generic[Item]):
    """The fetched items, and the number of further items that exceed the limit."""

    items: list[Item]
    left_out: int


def fetch_all(
    fetch: Callable[[int, int], Page[Item]], *, limit: int, batch: int, label: str
) -> Listing[Item]:
    """Fetch pages with `fetch(limit, offset)` up to `limit` items; 0 means all.

    A server may return fewer items than requested. Fetching stops at the total count or, if the
    server does not report one, at the first page that is not full. An empty page always stops it.
    """
    items: list[Item] = []
    with ProgressLine(label) as progress:
        while True:
            page_size = min(batch, limit - len(items)) if limit else batch
            page = fetch(page_size, len(items))
            items.extend(page.items)
            is_last = not page.items or (page.total is None and len(page.items) < page_size)
            if is_last or len(items) >= _target_count(page, limit):
                break
            progress.update(len(items), None if page.total is None else _target_count(page, limit))
    listing = truncate(items, limit)
    return listing._replace(left_out=max((page.total or 0) - len(listing.items), 0))


def truncate(items: list[Item], limit: int) -> Listing[Item]:
    """Keep the first `limit` items of a complete list; 0 keeps all."""
    shown = items[:limit] if limit else items
    return Listing(shown, len(items) - len(shown))


def _target_count(page: Page[Item], limit: int) -> float:
    """The number of items to fetch, given the limit and the total count of this page."""
    return min(limit or float("inf"), float("inf") if page.total is None else page.total)


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
