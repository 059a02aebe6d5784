"""Shows progress on standard error, which keeps standard output free for results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


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
