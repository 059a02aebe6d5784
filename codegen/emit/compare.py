"""Compares freshly generated files with those in the repository."""

from __future__ import annotations

import difflib
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHOWN_LINES = 20


def differences(fresh: Path, kept: Path) -> list[str]:
    """The differences between two folders; empty if all files are identical."""
    names = sorted(_files(fresh) | _files(kept))
    return [line for name in names for line in _file_differences(fresh / name, kept / name, name)]


def text_differences(fresh: str, kept: Path) -> Iterator[str]:
    """The first lines of a unified diff between the file `kept` and `fresh`."""
    old = kept.read_text(encoding="utf-8") if kept.exists() else ""
    lines = difflib.unified_diff(
        old.splitlines(),
        fresh.splitlines(),
        f"{kept.name} (kept)",
        f"{kept.name} (fresh)",
        lineterm="",
    )
    yield from islice(lines, SHOWN_LINES)


def _files(folder: Path) -> set[str]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)) for path in paths if "__pycache__" not in path.parts}


def _file_differences(fresh: Path, kept: Path, name: str) -> Iterator[str]:
    if not fresh.exists():
        yield f"{name}: is no longer generated"
    elif not kept.exists():
        yield f"{name}: is missing"
    elif fresh.read_bytes() != kept.read_bytes():
        yield from text_differences(fresh.read_text(encoding="utf-8"), kept)
