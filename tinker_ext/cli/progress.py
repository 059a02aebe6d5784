"""Progress on standard error, so that standard output stays what was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from tinker_ext.redaction.printable import printable

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import Progress, TaskID


class ProgressLine:
    """One live line that appears at the first `update` and is gone at the end.

    Work that ends before its first update shows nothing and imports nothing. Where nobody
    watches (standard error is no terminal) nothing is shown either.
    """

    def __init__(self, label: str, unit: Literal["items", "bytes"] = "items") -> None:
        self._label = printable(label)
        self._unit = unit
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def update(self, done: float, total: float | None, label: str | None = None) -> None:
        """Say how far the work is; `total` None where that is not known."""
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()
