"""What a server says of the end of what it is asked: release 0.38.0 reads two headers for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_ext.redaction.redactor import shorten
from tinker_ext.tracing import log

if TYPE_CHECKING:
    from collections.abc import Mapping

NOTE_HEADER = "x-deprecation-note"
LEVEL_HEADER = "x-deprecation-level"
# Characters of a note that are logged, and notes that are remembered as logged. Both ours.
_LONGEST = 500
_MOST = 100


class DeprecationNotes:
    """Logs each note once: as an error where the server calls it one, else as a warning."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def log(self, operation: str, headers: Mapping[str, str]) -> None:
        """Log the note of an answer, whose headers have no secrets in them, if it has a new one."""
        note = headers.get(NOTE_HEADER)
        if not note or note in self._said or len(self._said) >= _MOST:
            return
        self._said.add(note)
        write = log.error if headers.get(LEVEL_HEADER) == "error" else log.warning
        write("%s: the server says: %s", operation, shorten(note, _LONGEST))
