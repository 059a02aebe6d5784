"""Values as text: safe for a terminal, short, and the same everywhere."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime, timedelta

from tinker_ext.redaction.printable import printable

NOTHING = "-"


def one_line(text: str) -> str:
    """`text` on one line, without the control characters that could drive a terminal."""
    return printable(" ".join(text.split()))


def encodable(text: str) -> str:
    """`text`, printable, with characters that standard output's encoding lacks as escapes."""
    encoding = sys.stdout.encoding or "utf-8"
    return printable(text).encode(encoding, "backslashreplace").decode(encoding)


def escape_what_cannot_be_encoded() -> None:
    """Have standard output show any character that its encoding lacks as an escape.

    Standard error does so in any program.
    """
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def yes_or_no(value: bool | None) -> str:
    return NOTHING if value is None else "yes" if value else "no"


def size(count: int | None) -> str:
    """A number of bytes in decimal units: "1.2 MB"."""
    if count is None or count < 0:
        return NOTHING
    from rich.filesize import decimal

    return decimal(count)


def count_title(count: int, noun: str, suffix: str = "", *, left_out: int = 0) -> str:
    """A title such as "20 checkpoints (3 more; --limit 0 shows all)"."""
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
#: Older than this, a date says more than a number of weeks.
_DATED = timedelta(days=30)


def age(time: datetime | None, *, now: datetime | None = None) -> str:
    """How long ago `time` was, as a date when long ago. A time without a zone counts as UTC."""
    if time is None:
        return NOTHING
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    elapsed = (now or datetime.now(UTC)) - time
    if elapsed > _DATED:
        return time.astimezone(UTC).date().isoformat()
    for step, name in _STEPS:
        if count := max(elapsed // step, 0):
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"


def relative_time(time: datetime | None, *, now: datetime | None = None) -> str:
    """When `time` is or was: "in 3 hours", "2 days ago", a date when far away."""
    present = now or datetime.now(UTC)
    if time is None or time <= present:
        return age(time, now=present)
    if time - present > _DATED:
        return time.astimezone(UTC).date().isoformat()
    for step, name in _STEPS:
        if count := (time - present) // step:
            return f"in {count} {name}{'s' if count > 1 else ''}"
    return "in less than a minute"
