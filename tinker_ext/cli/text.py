"""Formats values for the terminal, without control characters."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime, timedelta

NOTHING = "-"


def one_line(text: str) -> str:
    """Join `text` into one line and escape the control characters a terminal would execute."""
    from tinker_ext.redaction.redactor import printable

    return printable(" ".join(text.split()))


def encodable(text: str) -> str:
    """Escape control characters and characters that standard output's encoding lacks."""
    from tinker_ext.redaction.redactor import printable

    encoding = sys.stdout.encoding or "utf-8"
    return printable(text).encode(encoding, "backslashreplace").decode(encoding)


def escape_unencodable_output() -> None:
    """Make standard output escape characters that its encoding lacks.

    Standard error always does.
    """
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def yes_or_no(value: bool | None) -> str:
    return NOTHING if value is None else "yes" if value else "no"


def size(count: int | None) -> str:
    """Format a number of bytes in decimal units: "1.2 MB"."""
    if count is None or count < 0:
        return NOTHING
    from rich.filesize import decimal

    return decimal(count)


def count_title(count: int, noun: str, suffix: str = "", *, left_out: int = 0) -> str:
    """Format a title such as "20 checkpoints (3 more; --limit 0 shows all)"."""
    if count == 0 and not left_out:
        return f"No {noun}s{suffix}"
    more = f" ({left_out} more; --limit 0 shows all)" if left_out else ""
    return f"{count} {noun}{'' if count == 1 else 's'}{suffix}{more}"


_STEPS = (
    (timedelta(weeks=1), "week"),
    (timedelta(days=1), "day"),
    (timedelta(hours=1), "hour"),
    (timedelta(minutes=1), "minute"),
)
#: Times further away than this are shown as dates.
_MAX_RELATIVE = timedelta(days=30)


def age(time: datetime | None, *, now: datetime | None = None) -> str:
    """Format the age of `time`, or its date if long ago; a time in the future counts as now."""
    now = now or datetime.now(UTC)
    return NOTHING if time is None else relative_time(min(_in_zone(time), now), now=now)


def relative_time(time: datetime | None, *, now: datetime | None = None) -> str:
    """Format `time` relative to now: "in 3 hours", "2 days ago"; as a date if far away."""
    if time is None:
        return NOTHING
    time, now = _in_zone(time), now or datetime.now(UTC)
    if abs(time - now) > _MAX_RELATIVE:
        return time.astimezone(UTC).date().isoformat()
    for step, name in _STEPS:
        if count := abs(time - now) // step:
            distance = f"{count} {name}{'s' if count > 1 else ''}"
            return f"in {distance}" if time > now else f"{distance} ago"
    return "in less than a minute" if time > now else "just now"


def _in_zone(time: datetime) -> datetime:
    """A time without a zone is taken as UTC."""
    return time if time.tzinfo else time.replace(tzinfo=UTC)
