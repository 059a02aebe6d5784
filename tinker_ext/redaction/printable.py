"""Makes text safe for a terminal and for one line of a log."""

from __future__ import annotations


def printable(text: str) -> str:
    """`text` with control, escape and bidirectional characters shown as escapes."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
