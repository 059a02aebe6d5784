"""Prints the result of a command, as a table or as JSON, and formats its values.

Text from servers is printed without control characters.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from tinker_ext.cli.context import Format


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


#: Width of a table that is not printed to a terminal, so that no cell is truncated or wrapped.
_UNLIMITED_WIDTH = 10_000


@dataclass(frozen=True, slots=True)
class View:
    """The content of a table.

    If the table is wider than the terminal, each row is printed as two lines instead: the column
    `identifier`, which users copy, alone and unbroken, and below it the others. Without one, the
    cells of a wide table are folded.
    """

    title: str
    columns: Sequence[str]
    #: A cell is None if the server sends no valid value.
    rows: Sequence[Sequence[str | None]]
    identifier: str | None = None


def properties(
    title: str,
    rows: Sequence[tuple[str, str | None]],
    metadata: Mapping[str, str] | None = None,
) -> View:
    """A table of the properties of one item, and of the metadata that its user gave it."""
    further = [(f"Metadata {name}", value) for name, value in (metadata or {}).items()]
    return View(title, ("Property", "Value"), [*rows, *further])


def show(output_format: Format, record: Any, *views: View | str) -> None:
    """Print `record` as JSON, or `views` as tables and lines, to standard output."""
    if output_format == "json":
        import json

        # `json` escapes all control characters except DEL.
        click.echo(json.dumps(record, indent=2, default=to_json).replace("\x7f", "\\u007f"))
        return
    for view in views:
        if isinstance(view, str):
            click.echo(encodable(view))
        else:
            _print_table(view)


def to_json(value: object) -> object:
    """Convert a value that `json` does not support: results, times, open enums."""
    import attrs

    kind = type(value)
    if attrs.has(kind):
        return {field.name: getattr(value, field.name) for field in attrs.fields(kind)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    return str(value)


def _wide_console() -> Console:
    """A console that does not truncate values if the output is not a terminal."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=_UNLIMITED_WIDTH)


def _print_table(view: View) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(encodable(view.title)), title_justify="left")
    for number, column in enumerate(view.columns):
        # Folds long identifiers rather than truncating them, because users copy them.
        table.add_column(column, overflow="fold", style="cyan" if number == 0 else None)
    for row in view.rows:
        table.add_row(*map(Text, _cells(row)))
    console = _wide_console()
    if view.identifier is not None and _natural_width(console, table) > console.width:
        _print_records(console, view, view.identifier)
    else:
        console.print(table)


def _cells(row: Sequence[str | None]) -> list[str]:
    return [NOTHING if cell is None else encodable(cell) for cell in row]


def _natural_width(console: Console, table: Table) -> int:
    from rich.measure import Measurement

    unlimited = console.options.update(max_width=_UNLIMITED_WIDTH)
    return Measurement.get(console, unlimited, table).maximum


def _print_records(console: Console, view: View, identifier: str) -> None:
    from rich.text import Text

    console.print(Text(encodable(view.title), style="italic"))
    for row in view.rows:
        cells = dict(zip(view.columns, _cells(row), strict=True))
        # `soft_wrap` leaves the breaking of long lines to the terminal, so that a copied path is
        # one word.
        console.print(Text(cells.pop(identifier), style="cyan"), soft_wrap=True)
        details = ", ".join(f"{name.lower()} {value}" for name, value in cells.items())
        console.print(Text(f"  {details}"), soft_wrap=True)
