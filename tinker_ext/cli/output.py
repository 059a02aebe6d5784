"""Prints the result of a command, as a table or as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

import click

from tinker_ext.cli.text import NOTHING, encodable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from tinker_ext.cli.context import Format

#: Width of a table that is not printed to a terminal, so that no cell is truncated or wrapped.
_UNLIMITED_WIDTH = 10_000


@dataclass(frozen=True, slots=True)
class View:
    """The content of a table."""

    title: str
    columns: Sequence[str]
    #: A cell is None if the server sends no valid value.
    rows: Sequence[Sequence[str | None]]


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
        table.add_row(*(Text(NOTHING if cell is None else encodable(cell)) for cell in row))
    _wide_console().print(table)
