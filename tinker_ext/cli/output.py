"""Prints the result of a command, as a table or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

import click

from tinker_ext.cli.text import NOTHING, encodable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from tinker_ext.cli.context import Format

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


def show(output_format: Format, record: Any, *views: View | str) -> None:
    """Print `record` as JSON, or `views` as tables and lines, to standard output."""
    if output_format == "json":
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
