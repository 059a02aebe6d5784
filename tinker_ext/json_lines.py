"""Files with one JSON object per line, which several runs of a program append to, one at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, SupportsFloat

from tinker_ext.errors import InvalidInputError
from tinker_ext.private_files import lock_descriptor, make_private_folders, open_private


class JsonLines:
    """A file of JSON lines, open for reading and appending, and locked against other writers.

    A last line without its end, which a killed process left behind, is ignored and overwritten.
    Each line is written at once, so that a killed process loses none.

    Args:
        path: created with its folders if it does not exist.
        where: the argument that errors name.

    Raises:
        InvalidInputError: another process, or another object of this one, has opened the file.
        OSError: the file can't be read or written.
    """

    def __init__(self, path: Path, *, where: str) -> None:
        self.path = path
        self._where = where
        make_private_folders(path.parent)
        self._file = os.fdopen(open_private(path, os.O_RDWR), "r+b")
        try:
            lock_descriptor(self._file.fileno())
            self._size = self._size_of_lines()
        except (BlockingIOError, PermissionError):
            self._file.close()
            raise self.error("another program writes to this file") from None
        except BaseException:
            self._file.close()
            raise

    def _size_of_lines(self) -> int:
        size = 0
        for line in self._file:
            if not line.endswith(b"\n"):
                if size == 0:  # Not a file of this class, whose content must not be lost.
                    raise self.error("line 1 is incomplete; use another file")
                break
            size += len(line)
        return size

    @property
    def is_empty(self) -> bool:
        """Whether the file has no lines."""
        return self._size == 0

    def lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """The position and the object of each line.

        Raises:
            InvalidInputError: a line is not a JSON object.
        """
        self._file.seek(0)
        position = 0
        for number, line in enumerate(self._file, start=1):
            if position == self._size:
                break
            yield position, self._parse(line, number)
            position += len(line)

    def _parse(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict):
            raise self.error(f"line {number} is not a JSON object; use another file")
        return record

    def read(self, position: int) -> dict[str, Any]:
        """The object of the line at a position."""
        self._file.seek(position)
        record: dict[str, Any] = json.loads(self._file.readline())
        return record

    def append(
        self, record: Mapping[str, Any], default: Callable[[Any], Any] | None = None
    ) -> None:
        """Write a line; `default` converts values that JSON does not have, as in `json.dumps`.

        Infinite numbers and NaN are written as Python writes them (Infinity, NaN).
        """
        line = json.dumps(record, default=default).encode() + b"\n"
        self._file.seek(self._size)
        self._file.truncate()
        self._file.write(line)
        self._file.flush()
        self._size += len(line)

    def close(self) -> None:
        """Close the file, so that others can open it."""
        self._file.close()

    def error(self, reason: str) -> InvalidInputError:
        """An error about this file."""
        return InvalidInputError(f"{self.path}: {reason}", where=self._where)


def as_floats(metrics: Mapping[str, SupportsFloat]) -> dict[str, float]:
    """The metrics as floats, which JSON has; numpy and torch scalars are converted.

    Raises:
        InvalidInputError: `metrics` is not a mapping, or a value is not a number; `where` names it.
    """
    if not isinstance(metrics, Mapping):
        raise InvalidInputError(
            f"expected a mapping of names to numbers, got {type(metrics).__name__}",
            where="metrics",
        )
    return {name: _as_float(value, f"metrics[{name!r}]") for name, value in metrics.items()}


def _as_float(value: SupportsFloat, where: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise InvalidInputError(
            f"expected a number that fits in a float, got {type(value).__name__}", where=where
        ) from None
