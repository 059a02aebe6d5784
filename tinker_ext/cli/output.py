"""What a command shows, as a table for people or as JSON for programs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

import click

from tinker_ext.cli.text import encodable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from tinker_ext.cli.context import Format

#: Columns given to a table that no terminal shows: wide enough that nothing is cut or wrapped.
_UNLIMITED_WIDTH = 10_000


@dataclass(frozen=True, slots=True)
class View:
    """A table for people."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def show(output_format: Format, record: Any, *views: View | str) -> None:
    """Print an answer on standard output: the record for programs, the views for people."""
    if output_format == "json":
        # Of control characters, `json` leaves DEL unescaped.
        click.echo(json.dumps(record, indent=2, default=plain).replace("\x7f", "\\u007f"))
        return
    for view in views:
        if isinstance(view, str):
            click.echo(encodable(view))
        else:
            _print_table(view)


def plain(value: object) -> object:
    """The JSON form of a value `json` does not know: results, times, open enums."""
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
    """A console that never cuts a value where nobody watches its width."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=_UNLIMITED_WIDTH)


def _print_table(view: View) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(encodable(view.title)), title_justify="left")
    for number, column in enumerate(view.columns):
        # Identifiers are copied from here, so they fold instead of losing their end.
        table.add_column(column, overflow="fold", style="cyan" if number == 0 else None)
    for row in view.rows:
        table.add_row(*(Text(encodable(cell)) for cell in row))
    _wide_console().print(table)
