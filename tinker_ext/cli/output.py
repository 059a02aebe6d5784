"""What a command shows, as a table for people or as JSON for programs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

import click

from tinker_ext.cli.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from tinker_ext.cli.context import Format

#: Columns given to a table that no terminal shows: wide enough that nothing is cut or wrapped.
_UNLIMITED_WIDTH = 10_000


@dataclass(frozen=True, slots=True)
class View:
    """One answer in both forms: `rows` under `columns` for people, `record` for programs."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    record: Any


def show(view: View, output_format: Format) -> None:
    """Print the view on standard output."""
    if output_format == "json":
        click.echo(json.dumps(view.record, indent=2, default=plain, ensure_ascii=False))
    else:
        _print_table(view)


def confirm_done(sentence: str, record: dict[str, Any], output_format: Format) -> None:
    """Say what a command has done that has nothing else to show."""
    if output_format == "json":
        click.echo(json.dumps(record, indent=2, default=plain, ensure_ascii=False))
    else:
        click.echo(printable(sentence))


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


def wide_console(*, stderr: bool = False) -> Console:
    """A console that never cuts a value where nobody watches its width."""
    from rich.console import Console

    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=_UNLIMITED_WIDTH)


def _print_table(view: View) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(printable(view.title)), title_justify="left")
    for number, column in enumerate(view.columns):
        # Identifiers are copied from here, so they fold instead of losing their end.
        table.add_column(column, overflow="fold", style="cyan" if number == 0 else None)
    for row in view.rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    wide_console().print(table)
